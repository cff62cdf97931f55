// etude up
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "client/command.h"
#include "client/local_service.h"
#include "lib/base/status.h"
#include "proto/tls.h"

namespace etude {
namespace {

constexpr int kMaxWorkers = 1024;
constexpr int kMaxDefaultWorkers = 16;

struct UpFlags {
  int workers = 0;  // 0: one a core
  std::string state;
  std::string listen = kDefaultEndpoint;
  std::string metrics;
};

int DefaultWorkers() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxDefaultWorkers);
}

absl::StatusOr<std::string> StateDir(const Session& session, const UpFlags& flags) {
  std::string state = flags.state;
  if (state.empty()) {
    ASSIGN_OR_RETURN(state, DefaultStateDir(session.world().environment));
  }
  return std::filesystem::absolute(state).lexically_normal().string();
}

Report UpReport(const LocalService& service, const std::string& state, int workers) {
  Report report;
  report.facts = {{{"endpoint", "coordinator"}, service.endpoint()},
                  {{"workers", "workers"}, static_cast<std::int64_t>(workers)},
                  {{"state_dir", "state"}, state},
                  {{"token_file", "token file"}, service.token_file()},
                  {{"pid", "process"}, static_cast<std::int64_t>(getpid())}};
  return report;
}

absl::StatusOr<ExitCode> RunUp(Session& session, const UpFlags& flags) {
  RETURN_IF_ERROR(CheckEndpoint(flags.listen, /*allow_port_zero=*/true));
  if (!IsLoopback(flags.listen)) {
    return WithHint(InvalidArgument("etude up is for this machine; --listen " + flags.listen +
                                    " can be reached by others"),
                    "etude-coordinator -h     (the flags that guard it)");
  }
  ASSIGN_OR_RETURN(const std::string state, StateDir(session, flags));
  ASSIGN_OR_RETURN(const std::string context_path, ContextPath(session.world().environment));
  const int workers = flags.workers == 0 ? DefaultWorkers() : flags.workers;
  Signals signals;
  const auto say = [&session](const std::string& line) { session.Say(line); };
  ASSIGN_OR_RETURN(const auto service,
                   LocalService::Start(
                       {state, flags.listen, workers, session.world().program_dir, flags.metrics},
                       signals, session.clock(), say));
  RETURN_IF_ERROR(OfLocalFile(
      WriteStoredContext(context_path, {service->endpoint(), service->token_file(), state})));
  session.Print(UpReport(*service, state, workers));
  session.Say("up, until Ctrl-C; in another terminal, type: etude submit SPEC --wait");
  signals.WaitFor(absl::InfiniteDuration());
  session.Say("draining the workers (at most 10 s); a second Ctrl-C kills");
  const bool clean = service->Stop();
  RETURN_IF_ERROR(RemoveStoredContext(context_path, service->endpoint()));
  session.Say(clean ? "stopped" : "stopped; what was killed goes on from its last checkpoint");
  return clean || signals.count() < 2 ? ExitCode::kOk : ExitCode::kInterrupted;
}

}  // namespace

void AddUp(CommandTree& tree) {
  const auto flags = std::make_shared<UpFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"up",
       "Run a coordinator and workers on this machine, until Ctrl-C.",
       {"etude up", "etude up --workers 2 --state build/study --listen 127.0.0.1:0"},
       "Later commands find the coordinator by themselves. What died is started again, and it is\n"
       "said. Logs: STATE/logs."},
      [flags](Session& session) { return RunUp(session, *flags); });
  command
      ->add_option("--workers", flags->workers,
                   "of one slot and one thread each (default: one a core)")
      ->check(CLI::Range(1, kMaxWorkers))
      ->type_name("N");
  command
      ->add_option("--state", flags->state,
                   "(default: $ETUDE_STATE, $XDG_STATE_HOME/etude, ~/.local/state/etude)")
      ->type_name("DIR");
  command->add_option("--listen", flags->listen, "(default: 127.0.0.1:7433; port 0: any free one)")
      ->type_name("HOST:PORT");
  command
      ->add_option("--metrics", flags->metrics,
                   "serve numbers for Prometheus there, to this machine (default: none)")
      ->type_name("ADDRESS:PORT");
}

}  // namespace etude
