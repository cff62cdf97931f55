// etude-coordinator: reads flags and settings, runs the daemon until a signal.
#include <fmt/format.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "coordinator/config.h"
#include "coordinator/daemon.h"
#include "coordinator/offline_store.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kExitInternal = 1;
constexpr int kExitUsage = 2;
constexpr int kExitNotFound = 3;  // and those below: of --verify and --restore, as etude's own
constexpr int kExitAuthentication = 4;
constexpr int kExitConflict = 6;
constexpr int kExitRefused = 8;
constexpr int kExitDataLoss = 9;
constexpr std::int64_t kMaxConfigBytes = 1 << 20;

constexpr char kExamples[] =
    "Examples:\n"
    "  etude-coordinator\n"
    "      state in $ETUDE_STATE or ~/.local/state/etude, port 7433 of this machine\n"
    "  etude-coordinator --state /srv/etude --listen 127.0.0.1:0\n"
    "      any free port; /srv/etude/endpoint then names it\n"
    "  etude-coordinator --metrics 127.0.0.1:7434\n"
    "      and numbers for Prometheus: curl http://127.0.0.1:7434/metrics\n"
    "  etude-coordinator --listen 0.0.0.0:7433 --tls-cert tls/server.pem --tls-key tls/server.key\n"
    "      --tls-ca tls/ca.pem --token-file tls/tokens\n"
    "      for other machines; without all four of them it refuses\n"
    "  etude-coordinator --verify backup        (etude db verify backup)\n"
    "  etude-coordinator --restore backup --state /srv/etude        (etude db restore backup)\n";

struct Flags {
  CoordinatorConfig given;  // what the command line says; empty: nothing
  std::string config;
  std::string log_level;
  std::string verify;
  std::string restore;
  bool replace = false;
};

std::string DefaultStateDir() {
  if (const char* state = std::getenv("ETUDE_STATE"); state != nullptr && *state != '\0') {
    return state;
  }
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && *xdg != '\0') {
    return std::string(xdg) + "/etude";
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "." : home) + "/.local/state/etude";
}

absl::StatusOr<CoordinatorConfig> MakeConfig(const Flags& flags) {
  CoordinatorConfig config;
  if (!flags.config.empty()) {
    ASSIGN_OR_RETURN(const std::string toml, ReadFile(flags.config, kMaxConfigBytes));
    RETURN_IF_ERROR(ApplyConfigToml(toml, flags.config, config));
  }
  for (const auto field :
       {&CoordinatorConfig::state_dir, &CoordinatorConfig::listen, &CoordinatorConfig::tls_cert,
        &CoordinatorConfig::tls_key, &CoordinatorConfig::tls_ca, &CoordinatorConfig::token_file,
        &CoordinatorConfig::metrics}) {
    if (!(flags.given.*field).empty()) config.*field = flags.given.*field;
  }
  if (config.state_dir.empty()) config.state_dir = DefaultStateDir();
  if (!flags.log_level.empty()) {
    ASSIGN_OR_RETURN(config.log_level, LogLevelFromName(flags.log_level));
  }
  return config;
}

int Complain(const absl::Status& status) {
  fmt::print(stderr, "etude-coordinator: {}\n", MessageOf(status));
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return kExitUsage;
    case absl::StatusCode::kPermissionDenied:
      return kExitAuthentication;
    case absl::StatusCode::kDataLoss:
      return kExitDataLoss;
    default:
      return kExitInternal;
  }
}

// With a store that is not served, the exit codes are those of the command that calls this.
int ComplainOfStore(const absl::Status& status) {
  if (status.ok()) return 0;
  const int code = Complain(status);
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return kExitConflict;
    case absl::StatusCode::kResourceExhausted:
      return kExitRefused;
    default:
      return code;
  }
}

int RunOffline(const Flags& flags) {
  if (!flags.verify.empty()) return ComplainOfStore(VerifyOffline(flags.verify, std::cout));
  const absl::StatusOr<CoordinatorConfig> config = MakeConfig(flags);
  if (!config.ok()) return Complain(config.status());
  return ComplainOfStore(
      RestoreOffline({flags.restore, config->state_dir, flags.replace}, SystemClock(), std::cout));
}

// A second signal ends the process at once.
void WaitForSignal(const sigset_t& signals) {
  int received = 0;
  sigwait(&signals, &received);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  LogInfo(fmt::format("signal {}: stopping", received));
}

int RunDaemon(const Flags& flags) {
  // Blocked before any thread starts, so that all threads inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<CoordinatorConfig> config = MakeConfig(flags);
  if (!config.ok()) return Complain(config.status());
  StartLog("etude-coordinator", config->log_level);
  const auto daemon = Daemon::Start(*config, SystemClock());
  if (!daemon.ok()) return Complain(daemon.status());
  fmt::print("etude-coordinator listening on {}\n", (*daemon)->endpoint());
  if (!(*daemon)->metrics_endpoint().empty()) {
    fmt::print("metrics at http://{}/metrics\n", (*daemon)->metrics_endpoint());
  }
  std::fflush(stdout);
  WaitForSignal(signals);
  (*daemon)->Stop();
  return 0;
}

}  // namespace
}  // namespace etude

int main(int argc, char** argv) {
  // Debian builds Abseil so that each lock of gRPC's is looked up in a graph of all that are held,
  // under one lock of its own.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app("Schedules sweeps on workers and keeps their results.", "etude-coordinator");
  etude::Flags flags;
  flags.given.listen.clear();
  app.add_option("--state", flags.given.state_dir, "directory of the results, made if need be");
  app.add_option("--listen", flags.given.listen, "HOST:PORT; default 127.0.0.1:7433");
  app.add_option("--tls-cert", flags.given.tls_cert, "its certificate: etude cert init makes all");
  app.add_option("--tls-key", flags.given.tls_key, "and the private key of it");
  app.add_option("--tls-ca", flags.given.tls_ca, "whose certificates callers must show");
  app.add_option("--token-file", flags.given.token_file,
                 "hashed tokens and their roles: etude token new writes it");
  app.add_option(
      "--metrics", flags.given.metrics,
      "ADDRESS:PORT of this machine: /metrics for Prometheus, and /healthz; default none");
  app.add_option("--config", flags.config, "settings, as in configs/coordinator.toml");
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error");
  CLI::Option* verify =
      app.add_option("--verify", flags.verify, "check a backup instead, and end")->type_name("DIR");
  CLI::Option* restore =
      app.add_option("--restore", flags.restore, "make --state from a backup instead, and end")
          ->type_name("DIR")
          ->excludes(verify);
  app.add_flag("--replace", flags.replace,
               "with --restore: move what is there to STATE.before-DATE")
      ->needs(restore);
  app.set_version_flag("--version", std::string("etude-coordinator ") + etude::kSoftwareVersion);
  app.footer(etude::kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : etude::kExitUsage;
  }
  const bool offline = !flags.verify.empty() || !flags.restore.empty();
  return offline ? etude::RunOffline(flags) : etude::RunDaemon(flags);
}
