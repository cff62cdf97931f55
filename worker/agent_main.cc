// etude-worker: reads flags and settings, runs the agent until a signal.
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "worker/agent.h"
#include "worker/agent_settings.h"
#include "worker/coordinator_client.h"
#include "worker/health.h"
#include "worker/machine.h"
#include "worker/process_spawner.h"

namespace etude {
namespace {

constexpr int kExitInternal = 1;
constexpr int kExitUsage = 2;
constexpr int kExitAuthentication = 4;
constexpr int kExitUnreachable = 5;
constexpr int kExitConflict = 6;
constexpr int kExitInterrupted = 130;

constexpr std::int64_t kMaxConfigBytes = 1 << 20;
constexpr absl::Duration kComplainEvery = absl::Seconds(10);
constexpr absl::Duration kSignalEcho = absl::Seconds(1);
constexpr timespec kSignalPoll = {.tv_sec = 0, .tv_nsec = 200'000'000};

constexpr char kDescription[] = "Trains jobs that a coordinator leases to it.";
constexpr char kExamples[] =
    "Examples:\n"
    "  etude-worker\n"
    "      one slot, for the coordinator of this machine\n"
    "  etude-worker --endpoint big-host:7433 --tls-ca ca.pem --tls-cert worker.pem\n"
    "      --tls-key worker.key --token-file worker.token --slots 2 --threads 4\n"
    "      two jobs at a time with four threads each, for another machine's coordinator\n"
    "SIGTERM or Ctrl-C gives every job back within 10 s; a second Ctrl-C ends the worker at "
    "once.\n";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultStateDir() {
  if (std::string state = Environment("ETUDE_STATE"); !state.empty()) return state;
  if (const std::string xdg = Environment("XDG_STATE_HOME"); !xdg.empty()) return xdg + "/etude";
  const std::string home = Environment("HOME");
  return (home.empty() ? "." : home) + "/.local/state/etude";
}

std::string FirstOf(const std::string& a, const std::string& b, const std::string& c) {
  return !a.empty() ? a : !b.empty() ? b : c;
}

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return EXIT_SUCCESS;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return kExitUsage;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitAuthentication;
    case absl::StatusCode::kUnavailable:
      return kExitUnreachable;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return kExitConflict;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    default:
      return kExitInternal;
  }
}

// What the command line says; `seen` tells what it names, for it goes before the settings file.
struct Flags {
  AgentSettings settings;
  std::string config;
  std::string log_level = "info";
  double connect_timeout_s = 0;
  double idle_exit_s = 0;
  std::string probe;
};

absl::Status ReadConfig(const CLI::App& app, const Flags& flags, AgentSettings& settings) {
  if (!flags.config.empty()) {
    ASSIGN_OR_RETURN(const std::string toml, ReadFile(flags.config, kMaxConfigBytes));
    RETURN_IF_ERROR(ApplyWorkerToml(toml, flags.config, settings));
  }
  const AgentSettings& given = flags.settings;
  if (app.count("--endpoint") > 0) settings.endpoint = given.endpoint;
  if (app.count("--token-file") > 0) settings.token_file = given.token_file;
  if (app.count("--tls-cert") > 0) settings.tls_cert = given.tls_cert;
  if (app.count("--tls-key") > 0) settings.tls_key = given.tls_key;
  if (app.count("--tls-ca") > 0) settings.tls_ca = given.tls_ca;
  if (app.count("--state") > 0) settings.state_dir = given.state_dir;
  if (app.count("--name") > 0) settings.name = given.name;
  if (app.count("--device") > 0) settings.device = given.device;
  if (app.count("--slots") > 0) settings.slots = given.slots;
  if (app.count("--threads") > 0) settings.threads = given.threads;
  if (app.count("--connect-timeout") > 0) {
    settings.connect_timeout = absl::Seconds(flags.connect_timeout_s);
  }
  if (app.count("--idle-exit") > 0) settings.idle_exit = absl::Seconds(flags.idle_exit_s);
  settings.endpoint = FirstOf(settings.endpoint, Environment("ETUDE_ENDPOINT"), "127.0.0.1:7433");
  settings.tls_cert = FirstOf(settings.tls_cert, Environment("ETUDE_TLS_CERT"), "");
  settings.tls_key = FirstOf(settings.tls_key, Environment("ETUDE_TLS_KEY"), "");
  settings.tls_ca = FirstOf(settings.tls_ca, Environment("ETUDE_TLS_CA"), "");
  settings.token_file = FirstOf(settings.token_file, Environment("ETUDE_TOKEN_FILE"), "");
  if (settings.token_file.empty()) {
    // The token of this machine's coordinator opens that one alone.
    if (!IsLoopback(settings.endpoint)) {
      return InvalidArgument("the coordinator at " + settings.endpoint +
                             " is on another machine: name a worker's token with --token-file FILE "
                             "(etude token new worker)");
    }
    settings.token_file = DefaultStateDir() + "/token";
  }
  settings.state_dir = FirstOf(settings.state_dir, "", DefaultStateDir() + "/worker");
  settings.name = FirstOf(settings.name, "", HostName().substr(0, kMaxWorkerNameBytes));
  return CheckSettings(settings);
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// The token, once there is one: a coordinator that starts later writes it.
absl::StatusOr<std::string> WaitForToken(const AgentSettings& settings) {
  const sigset_t signals = StopSignals();
  const absl::Time start = SystemClock().MonotonicNow();
  absl::Time complain_at = start;
  for (;;) {
    absl::StatusOr<std::string> token = ReadTokenFile(settings.token_file);
    if (token.ok() || !absl::IsNotFound(token.status())) return token;
    const absl::Time now = SystemClock().MonotonicNow();
    if (now - start >= settings.connect_timeout) {
      return Unavailable("no token: " + MessageOf(token.status()));
    }
    if (now >= complain_at) {
      complain_at = now + kComplainEvery;
      LogWarning("waiting for a coordinator's token: " + MessageOf(token.status()));
    }
    if (sigtimedwait(&signals, nullptr, &kSignalPoll) > 0) return Cancelled("interrupted");
  }
}

// The first signal drains, a second Ctrl-C ends the process; the kernel then ends the trainers. A
// second SIGTERM is nothing new: those who signal all processes of a job reach this one twice when
// its parent passes the signal on, and Slurm signals at both ends of a preempted job's grace.
void HandleSignals(const std::stop_token& stop, EventQueue& events) {
  const sigset_t signals = StopSignals();
  std::optional<absl::Time> drains_since;
  while (!stop.stop_requested()) {
    const int signal = sigtimedwait(&signals, nullptr, &kSignalPoll);
    if (signal <= 0) continue;
    const absl::Time now = SystemClock().MonotonicNow();
    if (drains_since && (signal == SIGTERM || now - *drains_since < kSignalEcho)) continue;
    if (drains_since) _exit(128 + signal);
    drains_since = now;
    LogInfo(fmt::format("signal {}: giving back every job; Ctrl-C ends at once", signal));
    events.Push(StopAsked{});
  }
}

absl::StatusOr<AgentOptions> MakeOptions(const AgentSettings& settings) {
  AgentOptions options;
  options.state_dir = settings.state_dir;
  options.endpoint = settings.endpoint;
  if (!IsLoopback(settings.endpoint)) {
    options.advice =
        "Does etude-coordinator run there, and are --tls-ca, --tls-cert and --tls-key of its "
        "authority?";
  }
  options.worker = DescribeMachine();
  ASSIGN_OR_RETURN(options.worker.id, LoadWorkerId(settings.state_dir, settings.name));
  options.worker.software = ETUDE_VERSION;
  options.worker.slots = settings.slots;
  options.worker.threads_per_slot = settings.threads;
  options.checkpoint_every = settings.checkpoint_every;
  options.upload_every = settings.upload_every;
  options.connect_timeout = settings.connect_timeout;
  options.idle_exit = settings.idle_exit;
  options.jitter_seed = std::hash<WorkerId>()(options.worker.id);
  return options;
}

ProcessSpawnerOptions TrainerOf(const AgentSettings& settings) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return {.program = (self.parent_path() / "etude-trainer").string(),
          .arguments = {"--device", settings.device, "--threads", std::to_string(settings.threads)},
          .log_dir = settings.state_dir + "/logs"};
}

absl::Status RunAgent(const AgentSettings& settings) {
  for (const char* part : {"attempts", "corpora", "logs"}) {
    RETURN_IF_ERROR(MakeDirectories(settings.state_dir + "/" + part));
  }
  RETURN_IF_ERROR(LockStateDir(settings.state_dir));
  ASSIGN_OR_RETURN(AgentOptions options, MakeOptions(settings));
  ASSIGN_OR_RETURN(std::optional<TlsIdentity> tls,
                   ReadTls({settings.tls_cert, settings.tls_key, settings.tls_ca}));
  RETURN_IF_ERROR(CheckPlainText(settings.endpoint, tls));
  ASSIGN_OR_RETURN(std::string token, WaitForToken(settings));
  setenv("OMP_NUM_THREADS", std::to_string(settings.threads).c_str(), /*overwrite=*/0);

  EventQueue events;
  Clock& clock = SystemClock();
  const CoordinatorChannel channel(
      {.endpoint = settings.endpoint, .token = std::move(token), .tls = std::move(tls)});
  CoordinatorClient client(channel, events, clock);
  ProcessSpawner spawner(TrainerOf(settings), events);
  Agent agent(std::move(options), client, spawner, clock.MonotonicNow());
  const std::jthread signals(
      [&events](const std::stop_token& stop) { HandleSignals(stop, events); });
  Health health(settings.state_dir);
  while (!agent.done()) {
    agent.Tick(clock.MonotonicNow());
    health.Note(agent.connected(), clock.MonotonicNow());
    const std::optional<Event> event = events.Pop(agent.NextWait());
    if (event) agent.Handle(*event, clock.MonotonicNow());
  }
  events.Close();
  return agent.exit_status();
}

int RunWorker(const CLI::App& app, const Flags& flags) {
  // Blocked before any thread starts, so that all threads inherit it.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const LogLevel level = flags.log_level == "debug"     ? LogLevel::kDebug
                         : flags.log_level == "info"    ? LogLevel::kInfo
                         : flags.log_level == "warning" ? LogLevel::kWarning
                                                        : LogLevel::kError;
  StartLog("etude-worker", level);
  AgentSettings settings;
  absl::Status status = ReadConfig(app, flags, settings);
  if (status.ok() && !flags.probe.empty()) {
    status = Probe(settings.state_dir, flags.probe == "ready", SystemClock().MonotonicNow());
    if (!status.ok()) fmt::print(stderr, "etude-worker: {}\n", MessageOf(status));
    return status.ok() ? EXIT_SUCCESS : kExitInternal;
  }
  if (status.ok()) status = RunAgent(settings);
  if (!status.ok()) {
    fmt::print(stderr, "etude-worker: {}\n", MessageOf(status));
  } else {
    LogInfo("stopped");
  }
  return ExitCodeOf(status);
}

}  // namespace
}  // namespace etude

int main(int argc, char** argv) {
  // The agent says what gRPC would, in its own log.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app(etude::kDescription, "etude-worker");
  etude::Flags flags;
  app.add_option("--endpoint", flags.settings.endpoint,
                 "HOST:PORT of the coordinator; default $ETUDE_ENDPOINT, else 127.0.0.1:7433");
  app.add_option("--token-file", flags.settings.token_file,
                 "default $ETUDE_TOKEN_FILE, else token in the coordinator's state directory");
  app.add_option(
      "--tls-cert", flags.settings.tls_cert,
      "this worker's certificate, for a coordinator on another machine (etude cert init)");
  app.add_option("--tls-key", flags.settings.tls_key, "and the private key of it");
  app.add_option("--tls-ca", flags.settings.tls_ca, "whose certificate the coordinator must show");
  app.add_option("--state", flags.settings.state_dir,
                 "this worker's own directory, made if need be");
  app.add_option("--slots", flags.settings.slots, "jobs at a time; default 1");
  app.add_option("--threads", flags.settings.threads, "threads of each job; default 1");
  app.add_option("--device", flags.settings.device, "auto, cpu or cuda; default auto");
  app.add_option("--name", flags.settings.name, "beginning of its id; default the host's name");
  app.add_option("--config", flags.config, "settings, as in configs/worker.toml");
  app.add_option("--connect-timeout", flags.connect_timeout_s,
                 "seconds to wait for a coordinator at the start; default for ever");
  app.add_option("--idle-exit", flags.idle_exit_s,
                 "end after so many seconds without a job; default never")
      ->check(CLI::PositiveNumber);
  app.add_option("--probe", flags.probe,
                 "say by the exit code whether the worker of --state lives (live), or is known to "
                 "a coordinator that answers (ready)")
      ->check(CLI::IsMember({"live", "ready"}));
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.set_version_flag("--version", std::string("etude-worker ") + ETUDE_VERSION);
  app.footer(etude::kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : etude::kExitUsage;
  }
  return etude::RunWorker(app, flags);
}
