// etude fleet up|status|scale|down|render
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "client/arguments.h"
#include "client/child_process.h"
#include "client/command.h"
#include "client/file_lock.h"
#include "client/fleet_render.h"
#include "client/fleet_round.h"
#include "client/signals.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "proto/tls.h"

namespace etude {
namespace {

constexpr absl::Duration kRoundLimit = absl::Seconds(120);  // to wait for another command's round
constexpr absl::Duration kDownLimit = absl::Seconds(60);
constexpr absl::Duration kDownPoll = absl::Seconds(1);
constexpr int kMaxFailedMembers = 3;  // in a row, none of which registered
constexpr int kLogLines = 3;

struct FleetFlags {
  std::string engine;
  std::string name;
  FleetSpec spec;
  std::string credentials;
  std::string idle = "5m";
  std::string finish_in = "1m";
  std::string every = "15s";
  bool once = false;
  std::optional<int> min;  // of scale
  std::optional<int> max;
};

std::string Absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// The name of the fleet that the flags mean: by name, else by engine, else the only one there is.
absl::StatusOr<std::string> FleetName(const std::string& state, const FleetFlags& flags) {
  if (!flags.name.empty()) return flags.name;
  if (!flags.engine.empty()) return flags.engine;
  const std::vector<std::string> names = FleetNames(state);
  if (names.size() == 1) return names[0];
  if (names.empty()) return WithHint(NotFound("there is no fleet here"), "etude fleet up -h");
  return WithHint(InvalidArgument(fmt::format("which fleet: {}?", fmt::join(names, ", "))),
                  "name it: --name " + names[0]);
}

absl::StatusOr<std::string> StateDir(const Session& session) {
  ASSIGN_OR_RETURN(const std::string state, DefaultStateDir(session.world().environment));
  return Absolute(state);
}

// Held while a fleet is read, changed and acted on: no two commands do that at once.
absl::StatusOr<FileLock> LockFleet(Session& session, const std::string& state,
                                   const std::string& name) {
  const std::string directory = FleetDirectory(state, name);
  RETURN_IF_ERROR(OfLocalFile(MakeDirectories(directory, 0700)));
  return FileLock::Take(directory + "/lock", kRoundLimit, session.clock());
}

// Watches for members that fail one after the other.
class FailureWatch {
 public:
  // What failed before this command did anything is not its concern.
  void Begin(const FleetView& view) {
    if (begun_) return;
    begun_ = true;
    for (const FleetMember& member : view.members) {
      if (member.state == FleetMember::State::kFailed) seen_.insert({member.id, member.life});
    }
  }
  // kInternal once too many have failed and none has come to work in between.
  absl::Status Note(const Session& session, const FleetView& view) {
    for (const FleetMember& member : view.members) {
      const WorkerView* worker = WorkerOf(member, view.workers);
      if (worker != nullptr && worker->worker.state == WorkerState::kOnline &&
          came_.insert({worker->worker.id.text(), worker->worker.registered_at_us}).second) {
        in_a_row_ = 0;
      }
    }
    for (const FleetMember& member : view.members) {
      const bool silent = member.state == FleetMember::State::kSilent;
      if (!silent && member.state != FleetMember::State::kFailed) continue;
      if (!seen_.insert({member.id, member.life}).second) continue;
      session.Say(
          silent ? fmt::format("{}: {}", member.where, member.reason)
                 : fmt::format("{} failed: {}; log: {}", member.id, member.reason, member.log));
      const std::string last = silent ? "" : LastLines(member.log, kLogLines);
      if (!last.empty()) session.Say("  " + last);
      if (silent || ++in_a_row_ < kMaxFailedMembers) continue;
      return WithHint(Internal(fmt::format(
                          "{} workers failed one after the other; no more are started", in_a_row_)),
                      "look at " + member.log + "     (then the same command again)");
    }
    return absl::OkStatus();
  }

 private:
  bool begun_ = false;
  std::set<std::pair<std::string, std::string>> seen_;
  std::set<std::pair<std::string, std::int64_t>> came_;
  int in_a_row_ = 0;
};

// What a command makes of the definition that is there, or is not.
using Revision = std::function<absl::StatusOr<FleetSpec>(const absl::StatusOr<FleetSpec>& there)>;

// One round: reads the definition, looks, acts, and looks again if it did something.
absl::StatusOr<FleetView> Round(Session& session, const std::string& state, const std::string& name,
                                const Revision& revise, FailureWatch& failures) {
  ASSIGN_OR_RETURN(const FileLock lock, LockFleet(session, state, name));
  ASSIGN_OR_RETURN(const FleetSpec spec, revise(ReadFleet(state, name)));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const auto engine = MakeFleetEngine(spec, FleetDirectory(state, name));
  ASSIGN_OR_RETURN(FleetView view, LookAtFleet(spec, *engine, *client));
  failures.Begin(view);
  bool acted = false;
  RETURN_IF_ERROR(AdjustFleet(view, *engine, [&](const std::string& line) {
    acted = true;
    session.Say(line);
  }));
  if (acted) {
    ASSIGN_OR_RETURN(view, LookAtFleet(spec, *engine, *client));
  }
  RETURN_IF_ERROR(failures.Note(session, view));
  return view;
}

// Until a signal. What runs goes on when this ends.
absl::StatusOr<ExitCode> Keep(Session& session, const std::string& state, const std::string& name,
                              FailureWatch& failures, Signals& signals, absl::Duration every) {
  std::string last_complaint;
  session.Say("kept at this size until Ctrl-C; its workers then go on, and end when idle");
  const Revision as_it_is = [](const absl::StatusOr<FleetSpec>& there) { return there; };
  while (!signals.WaitFor(every)) {
    const absl::StatusOr<FleetView> view = Round(session, state, name, as_it_is, failures);
    if (view.ok()) {
      last_complaint.clear();
      continue;
    }
    if (absl::IsInternal(view.status())) return view.status();
    if (absl::IsNotFound(ReadFleet(state, name).status())) {
      session.Say("the fleet " + name + " was ended");
      return ExitCode::kOk;
    }
    if (signals.count() > 0) break;
    const std::string complaint = MessageOf(view.status());
    if (complaint != last_complaint) session.Say(complaint + "; trying again");
    last_complaint = complaint;
  }
  session.Say("its workers go on; to end them: etude fleet down --name " + name);
  return ExitCode::kOk;
}

struct CredentialFile {
  const char* name;
  std::string FleetWorker::*path;
};
constexpr CredentialFile kCredentialFiles[] = {{"ca.pem", &FleetWorker::tls_ca},
                                               {"worker.pem", &FleetWorker::tls_cert},
                                               {"worker.key", &FleetWorker::tls_key},
                                               {"worker.token", &FleetWorker::token_file}};

absl::Status SetCredentials(const Session& session, const FleetFlags& flags,
                            const ClientContext& context, FleetWorker& worker) {
  if (!flags.credentials.empty()) {
    for (const CredentialFile& file : kCredentialFiles) {
      worker.*file.path = Absolute(flags.credentials) + "/" + file.name;
      if (FileExists(worker.*file.path)) continue;
      return WithHint(InvalidArgument(fmt::format("--credentials {}: no {} there",
                                                  flags.credentials, file.name)),
                      "etude cert init -h; etude token new worker -h");
    }
    return absl::OkStatus();
  }
  // The client's own token may do more than a worker's, and does not leave this machine.
  if (!context.tls_ca.empty() || !IsLoopback(context.endpoint) ||
      flags.engine == FleetEngineName(FleetEngineKind::kSsh)) {
    return WithHint(InvalidArgument("the workers need certificates and a token of their own"),
                    "--credentials DIR, with ca.pem, worker.pem, worker.key and worker.token "
                    "(etude cert init -h; etude token new worker -h)");
  }
  worker.token_file = Absolute(context.token_file);
  session.Say("the coordinator listens at " + worker.endpoint +
              " alone: workers on other machines will not reach it");
  return absl::OkStatus();
}

absl::StatusOr<FleetSpec> MakeSpec(const Session& session, const FleetFlags& flags) {
  FleetSpec spec = flags.spec;
  spec.engine = FleetEngineFromName(flags.engine).value_or(FleetEngineKind::kSlurm);
  spec.name = flags.name.empty() ? flags.engine : flags.name;
  ASSIGN_OR_RETURN(spec.idle, ParseDuration(flags.idle));
  ASSIGN_OR_RETURN(spec.finish_in, ParseDuration(flags.finish_in));
  ASSIGN_OR_RETURN(const ClientContext context, session.Context());
  spec.worker.endpoint = context.endpoint;
  if (spec.worker.program.empty()) {
    spec.worker.program = spec.engine == FleetEngineKind::kSsh
                              ? "etude-worker"
                              : session.world().program_dir + "/etude-worker";
  }
  if (spec.engine == FleetEngineKind::kSlurm) spec.worker.program = Absolute(spec.worker.program);
  if (!spec.ssh.config_file.empty()) spec.ssh.config_file = Absolute(spec.ssh.config_file);
  RETURN_IF_ERROR(SetCredentials(session, flags, context, spec.worker));
  RETURN_IF_ERROR(CheckFleet(spec));
  return spec;
}

// A fleet may be changed, but not leave workers behind where nobody looks any more.
absl::StatusOr<FleetSpec> Replacing(const absl::StatusOr<FleetSpec>& there, FleetSpec spec) {
  if (!there.ok()) {
    ASSIGN_OR_RETURN(spec.tag, NewFleetTag());
    return spec;
  }
  spec.tag = there->tag;
  if (there->engine == spec.engine && there->ssh.hosts == spec.ssh.hosts) return spec;
  return WithHint(AlreadyExists("the fleet " + spec.name + " is there already, on other machines"),
                  "end it with: etude fleet down --name " + spec.name +
                      ", or name this one otherwise: --name OTHER");
}

absl::StatusOr<ExitCode> Up(Session& session, const FleetFlags& flags) {
  ASSIGN_OR_RETURN(const absl::Duration every, ParseDuration(flags.every));
  ASSIGN_OR_RETURN(const FleetSpec wanted, MakeSpec(session, flags));
  ASSIGN_OR_RETURN(const std::string state, StateDir(session));
  Signals signals;
  FailureWatch failures;
  const Revision replace = [&](const auto& there) -> absl::StatusOr<FleetSpec> {
    ASSIGN_OR_RETURN(const FleetSpec spec, Replacing(there, wanted));
    RETURN_IF_ERROR(OfLocalFile(WriteFleet(state, spec)));
    return spec;
  };
  ASSIGN_OR_RETURN(const FleetView view, Round(session, state, wanted.name, replace, failures));
  session.Print(FleetReport(view));
  if (flags.once) return ExitCode::kOk;
  return Keep(session, state, wanted.name, failures, signals, every);
}

absl::StatusOr<ExitCode> ShowStatus(Session& session, const FleetFlags& flags) {
  ASSIGN_OR_RETURN(const std::string state, StateDir(session));
  ASSIGN_OR_RETURN(const std::string name, FleetName(state, flags));
  ASSIGN_OR_RETURN(const FleetSpec spec, ReadFleet(state, name));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const auto engine = MakeFleetEngine(spec, FleetDirectory(state, name));
  ASSIGN_OR_RETURN(const FleetView view, LookAtFleet(spec, *engine, *client));
  session.Print(FleetReport(view));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Scale(Session& session, const FleetFlags& flags) {
  if (!flags.min && !flags.max) {
    return WithHint(InvalidArgument("nothing to change"), "etude fleet scale --max 8");
  }
  ASSIGN_OR_RETURN(const std::string state, StateDir(session));
  ASSIGN_OR_RETURN(const std::string name, FleetName(state, flags));
  const Revision resize = [&](const auto& there) -> absl::StatusOr<FleetSpec> {
    RETURN_IF_ERROR(there.status());
    FleetSpec spec = *there;
    spec.min = flags.min.value_or(flags.max ? std::min(spec.min, *flags.max) : spec.min);
    spec.max = flags.max.value_or(std::max(spec.max, spec.min));
    RETURN_IF_ERROR(CheckFleet(spec));
    RETURN_IF_ERROR(OfLocalFile(WriteFleet(state, spec)));
    return spec;
  };
  FailureWatch failures;
  ASSIGN_OR_RETURN(const FleetView view, Round(session, state, name, resize, failures));
  session.Print(FleetReport(view));
  return ExitCode::kOk;
}

bool IsLeft(const FleetMember& member) {
  return member.state != FleetMember::State::kFailed && member.state != FleetMember::State::kSilent;
}

std::vector<FleetMember> Left(std::vector<FleetMember> members) {
  std::erase_if(members, [](const FleetMember& member) { return !IsLeft(member); });
  return members;
}

// Ends every member that can be reached; those that do not end in time are killed.
absl::Status EndAll(Session& session, FleetEngine& engine, Signals& signals) {
  const absl::Time deadline = session.clock().MonotonicNow() + kDownLimit;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<FleetMember> all, engine.Members());
    const std::vector<FleetMember> left = Left(all);
    if (left.empty()) return absl::OkStatus();
    const absl::Duration late = session.clock().MonotonicNow() - deadline;
    if (late < absl::ZeroDuration()) {
      RETURN_IF_ERROR(engine.Stop(left));
    } else if (late < kDownLimit) {
      session.Say(fmt::format("{} did not end in {}: killing them; their jobs go to others",
                              left.size(), absl::FormatDuration(kDownLimit)));
      RETURN_IF_ERROR(engine.Kill(left));
    } else {
      return Unavailable(fmt::format("{} workers do not end", left.size()));
    }
    if (signals.WaitFor(kDownPoll)) return Cancelled("interrupted; the workers end by themselves");
  }
}

// Hosts that do not answer may still run workers: the fleet is kept until they were asked.
absl::Status CheckNoneSilent(FleetEngine& engine, const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<FleetMember> members, engine.Members());
  for (const FleetMember& member : members) {
    if (member.state != FleetMember::State::kSilent) continue;
    return WithHint(Unavailable(member.where + " does not answer (" + member.reason +
                                "); its workers may run on. The others have ended"),
                    "once it answers: etude fleet down --name " + name);
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Down(Session& session, const FleetFlags& flags) {
  ASSIGN_OR_RETURN(const std::string state, StateDir(session));
  ASSIGN_OR_RETURN(const std::string name, FleetName(state, flags));
  Signals signals;
  ASSIGN_OR_RETURN(const FileLock lock, LockFleet(session, state, name));
  ASSIGN_OR_RETURN(const FleetSpec spec, ReadFleet(state, name));
  const auto engine = MakeFleetEngine(spec, FleetDirectory(state, name));
  ASSIGN_OR_RETURN(const std::vector<FleetMember> members, engine->Members());
  const auto live = std::count_if(members.begin(), members.end(), IsLeft);
  session.Say(fmt::format("{} to end; those that train give their jobs back (at most {} s)", live,
                          kDrainSeconds));
  RETURN_IF_ERROR(EndAll(session, *engine, signals));
  RETURN_IF_ERROR(CheckNoneSilent(*engine, name));
  RETURN_IF_ERROR(engine->CleanUp());
  RETURN_IF_ERROR(OfLocalFile(RemoveFleet(state, name)));
  Report report;
  report.facts = {{{"fleet", "fleet"}, name},
                  {{"ended", "ended"}, static_cast<std::int64_t>(live)}};
  session.Print(report);
  return ExitCode::kOk;
}

void AddIdentity(CLI::App* command, FleetFlags& flags, bool required) {
  command->add_option("--engine", flags.engine, "slurm or ssh")
      ->required(required)
      ->type_name("ENGINE")
      ->check(CLI::IsMember({"slurm", "ssh"}));
  command->add_option("--name", flags.name, "of the fleet (default: the engine's)")
      ->type_name("NAME");
}

void AddSize(CLI::App* command, FleetFlags& flags) {
  command->add_option("--min", flags.spec.min, "workers that stay, idle or not (default: 0)")
      ->type_name("N");
  command->add_option("--max", flags.spec.max, "workers at most")->required()->type_name("N");
  command
      ->add_option("--idle", flags.idle, "the others end without a job for so long (default: 5m)")
      ->type_name("DURATION");
  command
      ->add_option("--finish-in", flags.finish_in,
                   "no more workers than finish what is queued in so long (default: 1m)")
      ->type_name("DURATION");
  command->add_option("--every", flags.every, "how often to look (default: 15s)")
      ->type_name("DURATION");
  command->add_flag("--once", flags.once, "look once, start what is wanted, and end");
}

void AddWorkerOptions(CLI::App* command, FleetFlags& flags) {
  FleetWorker& worker = flags.spec.worker;
  command
      ->add_option("--credentials", flags.credentials,
                   "with ca.pem, worker.pem, worker.key and worker.token")
      ->type_name("DIR");
  command
      ->add_option("--program", worker.program,
                   "etude-worker on the machines (default: slurm: beside this program; ssh: in "
                   "their PATH)")
      ->type_name("PATH");
  command->add_option("--slots", worker.slots, "jobs at a time of each worker (default: 1)")
      ->type_name("N");
  command->add_option("--threads", worker.threads, "of each job (default: 1)")->type_name("N");
  command->add_option("--device", worker.device, "auto, cpu or cuda (default: auto)")
      ->type_name("DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
}

void AddEngineOptions(CLI::App* command, FleetFlags& flags) {
  SlurmOptions& slurm = flags.spec.slurm;
  command->add_option("--partition", slurm.partition, "slurm's")->type_name("NAME");
  command->add_option("--account", slurm.account, "slurm's")->type_name("NAME");
  command->add_option("--time", slurm.time_limit, "of a job, as slurm reads it: 4:00:00")
      ->type_name("TIME");
  command->add_option("--gpus", slurm.gpus, "of each worker, on slurm (default: 0)")
      ->type_name("N");
  command->add_option("--sbatch", slurm.sbatch_arguments, "one more argument of sbatch; repeatable")
      ->type_name("ARG")
      ->allow_extra_args(false);
  command->add_option("--host", flags.spec.ssh.hosts, "a machine to use with ssh; repeatable")
      ->type_name("HOST")
      ->allow_extra_args(false);
  command->add_option("--ssh-config", flags.spec.ssh.config_file, "of ssh (default: yours)")
      ->type_name("FILE");
}

constexpr char kUpNotes[] =
    "As many workers as the queue has work for, from --min to --max. They run with your rights, "
    "by\n"
    "sbatch or ssh; the coordinator executes nothing. It goes on until Ctrl-C, and its workers "
    "after\n"
    "it. Slurm: nodes must see --credentials and the state directory under the same paths; a "
    "worker\n"
    "gives its job back before its time limit and asks for another turn. ssh: credentials are "
    "copied.";

}  // namespace

void AddFleet(CommandTree& tree) {
  const std::vector<std::string> up_examples = {
      "etude fleet up --engine slurm --max 16 --threads 4 --time 4:00:00 --credentials tls",
      "etude fleet up --engine ssh --host ana --host bob --min 2 --max 4 --credentials tls"};
  CLI::App* noun =
      AddNoun(tree, {"fleet", "Workers on a cluster or on machines of yours.", up_examples, ""});
  const auto flags = std::make_shared<FleetFlags>();
  CLI::App* up = AddCommand(
      tree, *noun, {"up", "Keep as many workers as there is work for.", up_examples, kUpNotes},
      [flags](Session& session) { return Up(session, *flags); });
  AddIdentity(up, *flags, /*required=*/true);
  AddSize(up, *flags);
  AddWorkerOptions(up, *flags);
  AddEngineOptions(up, *flags);

  CLI::App* status = AddCommand(tree, *noun,
                                {"status",
                                 "Show a fleet's workers, and what each trains.",
                                 {"etude fleet status", "etude fleet status --name slurm -o json"},
                                 ""},
                                [flags](Session& session) { return ShowStatus(session, *flags); });
  AddIdentity(status, *flags, false);

  CLI::App* scale =
      AddCommand(tree, *noun,
                 {"scale",
                  "Change how many workers a fleet may have.",
                  {"etude fleet scale --max 32", "etude fleet scale --name slurm --min 2 --max 8"},
                  "What is more than --max gives its job back and ends."},
                 [flags](Session& session) { return Scale(session, *flags); });
  AddIdentity(scale, *flags, false);
  scale->add_option("--min", flags->min, "workers that stay, idle or not")->type_name("N");
  scale->add_option("--max", flags->max, "workers at most")->type_name("N");

  CLI::App* down = AddCommand(tree, *noun,
                              {"down",
                               "End a fleet: its workers give their jobs back.",
                               {"etude fleet down", "etude fleet down --name slurm"},
                               ""},
                              [flags](Session& session) { return Down(session, *flags); });
  AddIdentity(down, *flags, false);
  AddFleetRender(tree, *noun);
}

}  // namespace etude
