#include "client/controls.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "client/reports.h"
#include "lib/base/status.h"

namespace etude {
namespace {

struct ControlFlags {
  std::string name;  // SWEEP, RUN or WORKER
  std::string confirmation;
  bool failed = false;
  int priority = 0;
  double weight = 1;
};
using Control = absl::StatusOr<ExitCode> (*)(Session&, const ControlFlags&);

struct AddedControl {
  CLI::App* command = nullptr;
  std::shared_ptr<ControlFlags> flags;
};

AddedControl AddControl(CommandTree& tree, CLI::App& noun, const CommandText& text,
                        const std::string& noun_name, const std::string& what, Control action) {
  auto flags = std::make_shared<ControlFlags>();
  CLI::App* command = AddCommand(
      tree, noun, text, [flags, action](Session& session) { return action(session, *flags); });
  std::string type_name = noun_name;
  for (char& c : type_name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  command->add_option(noun_name, flags->name, what)->required()->type_name(type_name);
  return {command, flags};
}

// Sweeps.

Report ControlledReport(const Sweep& sweep) {
  Report report;
  report.facts = {{{"sweep", "sweep", Show::kId}, sweep.id.text()},
                  {{"name", "name"}, sweep.name},
                  {{"state", "state"}, std::string(SweepStateName(sweep.state))},
                  {{"paused", "paused"}, sweep.paused},
                  {{"priority", "priority"}, static_cast<std::int64_t>(sweep.priority)},
                  {{"weight", "weight"}, sweep.weight},
                  {{"reason", "reason"}, sweep.reason}};
  return report;
}

absl::StatusOr<ExitCode> PrintSweep(Session& session, const absl::StatusOr<Sweep>& sweep,
                                    const std::string& say) {
  if (!sweep.ok()) return OfSweep(sweep.status());
  session.Print(ControlledReport(*sweep));
  session.Say(say);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Pause(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintSweep(session, client->PauseSweep(flags.name, true),
                    "what trains gives its job back; to go on: etude sweep resume " + flags.name);
}

absl::StatusOr<ExitCode> Resume(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintSweep(session, client->PauseSweep(flags.name, false),
                    "to follow it: etude sweep watch " + flags.name);
}

absl::StatusOr<ExitCode> Stop(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintSweep(session, client->StopSweep(flags.name),
                    "what trains ends; to start the rest again: etude sweep retry " + flags.name);
}

absl::StatusOr<ExitCode> SetTurn(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintSweep(session, client->SetTurn(flags.name, flags.priority, flags.weight),
                    "it counts from the next free slot on");
}

absl::StatusOr<ExitCode> RetrySweep(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const auto retried = client->RetrySweep(flags.name, flags.failed);
  if (!retried.ok()) return OfSweep(retried.status());
  Report report = ControlledReport(retried->sweep);
  report.facts.push_back(
      {{"retried_runs", "runs started again"}, static_cast<std::int64_t>(retried->runs)});
  session.Print(report);
  if (retried->runs == 0) session.Say("no run of it has failed or was cancelled");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteSweep(Session& session, const ControlFlags& flags) {
  if (flags.confirmation.empty()) {
    return WithHint(InvalidArgument("nothing was deleted: say its whole name with --name to "
                                    "confirm; what is deleted is gone"),
                    fmt::format("etude sweep delete {} --name NAME", flags.name));
  }
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<int> runs = client->DeleteSweep(flags.name, flags.confirmation);
  if (!runs.ok()) return OfSweep(runs.status());
  Report report;
  report.facts = {{{"name", "deleted sweep"}, flags.confirmation},
                  {{"deleted_runs", "runs deleted"}, static_cast<std::int64_t>(*runs)}};
  session.Print(report);
  session.Say("runs that other sweeps have, or began with, stay; its files go within two hours");
  return ExitCode::kOk;
}

// Runs.

absl::StatusOr<ExitCode> PrintRun(Session& session, const absl::StatusOr<Run>& run) {
  if (!run.ok()) return WithHint(run.status(), "etude run ls");
  Report report;
  report.facts = {{{"run", "run"}, run->key.text()},
                  {{"state", "state"}, std::string(RunStateName(run->state))},
                  {{"reason", "reason"}, run->reason}};
  session.Print(report);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> CancelRun(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintRun(session, client->CancelRun(flags.name));
}

absl::StatusOr<ExitCode> RetryRun(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  return PrintRun(session, client->RetryRun(flags.name));
}

absl::StatusOr<ExitCode> Explain(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<RunExplanation> why = client->ExplainRun(flags.name);
  if (!why.ok()) return WithHint(why.status(), "etude run ls");
  Report report{"verdicts", {}, Table{{{"kind", ""}, {"who", "who"}, {"what", "what"}}, {}}, ""};
  const std::string reason = why->wait_reason.empty() ? why->run.reason : why->wait_reason;
  report.facts = {{{"run", "run"}, why->run.key.text()},
                  {{"state", "state"}, std::string(RunStateName(why->run.state))},
                  {{"worker", "worker"}, why->worker.empty() ? Cell() : Cell(why->worker)},
                  {{"reason", "because"}, reason.empty() ? Cell() : Cell(reason)}};
  for (const auto& one : why->sweeps) {
    report.list->rows.push_back({std::string("sweep"), "sweep " + one.who, one.what});
  }
  for (const auto& one : why->workers) {
    report.list->rows.push_back({std::string("worker"), "worker " + one.who, one.what});
  }
  session.Print(report);
  return ExitCode::kOk;
}

// Workers.

// By its id or an unambiguous start of it.
absl::StatusOr<WorkerView> FindWorker(Session& session, const std::string& text) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const std::vector<WorkerView> workers, client->Workers());
  std::vector<const WorkerView*> found;
  for (const WorkerView& view : workers) {
    if (view.worker.id.text() == text) return view;
    if (view.worker.id.text().starts_with(text)) found.push_back(&view);
  }
  if (found.size() == 1) return *found[0];
  return WithHint(found.empty() ? NotFound("there is no worker " + text)
                                : InvalidArgument(fmt::format("{} workers' ids begin with {}",
                                                              found.size(), text)),
                  "etude worker ls");
}

absl::StatusOr<ExitCode> ShowWorker(Session& session, const ControlFlags& flags) {
  ASSIGN_OR_RETURN(const WorkerView view, FindWorker(session, flags.name));
  const Report all = WorkersReport({view});
  Report report;
  for (std::size_t i = 0; i < all.list->columns.size(); ++i) {
    report.facts.push_back({all.list->columns[i], all.list->rows[0][i]});
  }
  const bool idle = !view.idle_reason.empty();
  report.facts.push_back({{"drained", "drained"}, view.worker.drained});
  report.facts.push_back({{"idle_reason", "idle because"}, idle ? Cell(view.idle_reason) : Cell()});
  session.Print(report);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> SetDrained(Session& session, const std::string& name, bool drain) {
  ASSIGN_OR_RETURN(const WorkerView view, FindWorker(session, name));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const Worker worker, client->DrainWorker(view.worker.id, drain));
  Report report;
  report.facts = {{{"worker", "worker"}, worker.id.text()},
                  {{"state", "state"}, std::string(WorkerStateName(worker.state))},
                  {{"drained", "drained"}, worker.drained},
                  {{"reason", "reason"}, worker.reason}};
  session.Print(report);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Drain(Session& session, const ControlFlags& flags) {
  return SetDrained(session, flags.name, true);
}

absl::StatusOr<ExitCode> Undrain(Session& session, const ControlFlags& flags) {
  return SetDrained(session, flags.name, false);
}

constexpr char kSweepArgument[] = "its name, or the start of its id";
constexpr char kRunArgument[] = "the start of its key";
constexpr char kWorkerArgument[] = "its id, or the start of it";

}  // namespace

void AddSweepControls(CommandTree& tree, CLI::App& sweep) {
  AddControl(tree, sweep,
             {"pause",
              "Lease nothing of a sweep until it is resumed.",
              {"etude sweep pause first", "etude sweep pause first -o json"},
              "Runs that train write a checkpoint and give their job back, unless another sweep "
              "wants\nthem."},
             "sweep", kSweepArgument, Pause);
  AddControl(tree, sweep,
             {"resume",
              "Go on with a paused sweep.",
              {"etude sweep resume first", "etude sweep resume first -o json"},
              ""},
             "sweep", kSweepArgument, Resume);
  AddControl(tree, sweep,
             {"stop",
              "Let what trains of a sweep end, and start no more of it.",
              {"etude sweep stop first", "etude sweep stop first -o json"},
              "To end what trains as well: etude sweep cancel."},
             "sweep", kSweepArgument, Stop);
  const AddedControl retry =
      AddControl(tree, sweep,
                 {"retry",
                  "Start failed and cancelled runs of a sweep again.",
                  {"etude sweep retry first", "etude sweep retry first --failed"},
                  "What succeeded stays as it is."},
                 "sweep", kSweepArgument, RetrySweep);
  retry.command->add_flag("--failed", retry.flags->failed, "only those that failed");
  const AddedControl remove = AddControl(
      tree, sweep,
      {"delete",
       "Delete a sweep that has ended, with its runs, curves and checkpoints.",
       {"etude sweep delete first --name first", "etude sweep delete 3fa9c1 --name first -o json"},
       "Runs that another sweep has stay. To keep a copy: etude db backup DIR."},
      "sweep", kSweepArgument, DeleteSweep);
  remove.command->add_option("--name", remove.flags->confirmation, "its whole name, to confirm")
      ->type_name("NAME");
  const AddedControl turn = AddControl(
      tree, sweep,
      {"turn",
       "Say when it is a sweep's turn among others.",
       {"etude sweep turn first --priority 10", "etude sweep turn first --weight 3"},
       "A sweep of a higher priority goes first. Those of one priority share the slots by weight."},
      "sweep", kSweepArgument, SetTurn);
  turn.command->add_option("--priority", turn.flags->priority, "-100 to 100 (default: 0)")
      ->type_name("N");
  turn.command->add_option("--weight", turn.flags->weight, "0.01 to 100 (default: 1)")
      ->type_name("W");
}

void AddRunControls(CommandTree& tree, CLI::App& run) {
  AddControl(tree, run,
             {"cancel",
              "End a run, in every sweep that has it.",
              {"etude run cancel 3fa9c1", "etude run cancel 3fa9c1 -o json"},
              "What it has measured stays."},
             "run", kRunArgument, CancelRun);
  AddControl(tree, run,
             {"retry",
              "Start a run that failed or was cancelled again.",
              {"etude run retry 3fa9c1", "etude run retry 3fa9c1 -o json"},
              ""},
             "run", kRunArgument, RetryRun);
  AddControl(tree, run,
             {"explain",
              "Say why a run is where it is, and what each sweep and worker says to it.",
              {"etude run explain 3fa9c1", "etude run explain 3fa9c1 -o json"},
              ""},
             "run", kRunArgument, Explain);
}

void AddWorkerControls(CommandTree& tree, CLI::App& worker) {
  AddControl(tree, worker,
             {"show",
              "Show a worker, what it trains, and why a slot of it is idle.",
              {"etude worker show gpu-1", "etude worker show gpu-1 -o json"},
              ""},
             "worker", kWorkerArgument, ShowWorker);
  AddControl(tree, worker,
             {"drain",
              "Have a worker give its jobs back and take no more.",
              {"etude worker drain gpu-1", "etude worker drain gpu-1 -o json"},
              "It stays so over restarts, until it is undrained."},
             "worker", kWorkerArgument, Drain);
  AddControl(tree, worker,
             {"undrain",
              "Let a drained worker take jobs again.",
              {"etude worker undrain gpu-1", "etude worker undrain gpu-1 -o json"},
              ""},
             "worker", kWorkerArgument, Undrain);
}

}  // namespace etude
