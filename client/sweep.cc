// etude sweep ls|show|watch|wait|cancel
#include <memory>
#include <utility>

#include "client/arguments.h"
#include "client/command.h"
#include "client/controls.h"
#include "client/reports.h"
#include "client/sweep_extend.h"
#include "client/wait_command.h"
#include "lib/base/status.h"

namespace etude {
namespace {

struct SweepFlags {
  std::string sweep;
  std::string timeout;
};

absl::StatusOr<ExitCode> List(Session& session) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const std::vector<SweepSummary> sweeps, client->Sweeps());
  session.Print(SweepsReport(sweeps));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowSweep(Session& session, const SweepFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<SweepView> view = client->FindSweep(flags.sweep);
  if (!view.ok()) return OfSweep(view.status());
  session.Print(SweepReport(*view));
  return ExitCode::kOk;
}

absl::StatusOr<absl::Duration> TimeoutOf(const SweepFlags& flags) {
  if (flags.timeout.empty()) return absl::InfiniteDuration();
  return ParseDuration(flags.timeout);
}

// On a terminal a moving line; elsewhere each change, in the form asked for: json and ndjson one
// object a line.
absl::StatusOr<ExitCode> Watch(Session& session, const SweepFlags& flags) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, TimeoutOf(flags));
  Signals signals;
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const OutputFormat format = session.format();
  const bool machine = format == OutputFormat::kJson || format == OutputFormat::kNdjson;
  const auto on_view = [&](const SweepView& view) {
    if (!machine) return;
    Report report = SweepReport(view);
    report.list.reset();
    session.PrintText(Render(report, OutputFormat::kNdjson));
  };
  ASSIGN_OR_RETURN(const SweepView view,
                   WaitWithProgress(session, *client, signals, flags.sweep, timeout, on_view));
  if (!machine) session.Print(SweepReport(view));
  return ReportEnd(session, view);
}

absl::StatusOr<ExitCode> Wait(Session& session, const SweepFlags& flags) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, TimeoutOf(flags));
  Signals signals;
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const SweepView view,
                   WaitWithProgress(session, *client, signals, flags.sweep, timeout));
  session.Print(SweepReport(view));
  return ReportEnd(session, view);
}

absl::StatusOr<ExitCode> Cancel(Session& session, const SweepFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<Sweep> sweep = client->CancelSweep(flags.sweep);
  if (!sweep.ok()) return OfSweep(sweep.status());
  Report report;
  report.facts = {{{"sweep", "sweep", Show::kId}, sweep->id.text()},
                  {{"name", "name"}, sweep->name},
                  {{"state", "state"}, std::string(SweepStateName(sweep->state))},
                  {{"reason", "reason"}, sweep->reason}};
  session.Print(report);
  session.Say("runs that another sweep wants go on; submit the spec again to revive the others");
  return ExitCode::kOk;
}

CLI::App* AddOne(CommandTree& tree, CLI::App& noun, const CommandText& text,
                 absl::StatusOr<ExitCode> (*action)(Session&, const SweepFlags&), bool timeout) {
  const auto flags = std::make_shared<SweepFlags>();
  CLI::App* command = AddCommand(
      tree, noun, text, [flags, action](Session& session) { return action(session, *flags); });
  command->add_option("sweep", flags->sweep, "its name, or the start of its id")
      ->required()
      ->type_name("SWEEP");
  if (timeout) {
    command->add_option("--timeout", flags->timeout, "give up after this long (exit 124)")
        ->type_name("DURATION");
  }
  return command;
}

}  // namespace

void AddSweep(CommandTree& tree) {
  CLI::App* noun = AddNoun(tree, {"sweep",
                                  "List, show, watch, wait for and control sweeps.",
                                  {"etude sweep ls", "etude sweep watch first"},
                                  ""});
  AddCommand(tree, *noun,
             {"ls", "List sweeps, oldest first.", {"etude sweep ls", "etude sweep ls -o json"}, ""},
             List);
  AddOne(tree, *noun,
         {"show",
          "Show a sweep and its runs.",
          {"etude sweep show first", "etude sweep show first -o csv"},
          ""},
         ShowSweep, /*timeout=*/false);
  const std::string ctrl_c = "Ctrl-C leaves the sweep running. Survives a coordinator's restart.";
  AddOne(tree, *noun,
         {"watch",
          "Follow a sweep until it ends.",
          {"etude sweep watch first", "etude sweep watch first -o ndjson --timeout 2h"},
          ctrl_c},
         Watch, /*timeout=*/true);
  AddOne(tree, *noun,
         {"wait",
          "Return when a sweep has ended (exit 7: some runs failed).",
          {"etude sweep wait first", "etude sweep wait first --timeout 90s"},
          ctrl_c},
         Wait, /*timeout=*/true);
  AddOne(tree, *noun,
         {"cancel",
          "Stop a sweep; what it has measured stays.",
          {"etude sweep cancel first", "etude sweep cancel 3fa9c1 -o json"},
          ""},
         Cancel, /*timeout=*/false);
  AddSweepExtend(tree, *noun);
  AddSweepControls(tree, *noun);
}

}  // namespace etude
