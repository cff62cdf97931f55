#include "client/local_service.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "client/context.h"
#include "client/coordinator_client.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kPollEvery = absl::Milliseconds(100);
constexpr absl::Duration kTendEvery = absl::Milliseconds(200);
constexpr std::int64_t kMaxSmallFileBytes = 4096;
constexpr int kLogLinesShown = 3;

absl::StatusOr<std::string> ReadLine(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxSmallFileBytes));
  return text.substr(0, text.find('\n'));
}

// Before the coordinator is started, so that its refusal is not read out of a log.
absl::Status CheckPortFree(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  const std::string port = listen.substr(colon + 1);
  if (port == "0") return absl::OkStatus();
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return InvalidArgument("--listen " + listen + ": no such host");
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool taken =
      fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) != 0 && errno == EADDRINUSE;
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  if (!taken) return absl::OkStatus();
  return WithHint(AlreadyExists("address " + listen + " is in use by another program"),
                  "etude up --listen 127.0.0.1:0     (any free port), or use what is there: "
                  "etude doctor --endpoint " +
                      listen);
}

absl::StatusOr<CoordinatorInfo> Probe(const std::string& endpoint, const std::string& token_file,
                                      Clock& clock) {
  ASSIGN_OR_RETURN(const std::string token, ReadTokenIfAny(token_file));
  return CoordinatorClient(endpoint, token, clock).Probe();
}

}  // namespace

LocalService::LocalService(const LocalServiceOptions& options, Signals& signals, Clock& clock,
                           std::function<void(const std::string&)> say)
    : options_(options),
      signals_(signals),
      clock_(clock),
      say_(std::move(say)),
      token_file_(options.state_dir + "/token") {}

absl::StatusOr<std::unique_ptr<LocalService>> LocalService::Start(
    const LocalServiceOptions& options, Signals& signals, Clock& clock,
    std::function<void(const std::string&)> say) {
  RETURN_IF_ERROR(Annotate(CheckEndpoint(options.listen, /*allow_port_zero=*/true), "--listen"));
  RETURN_IF_ERROR(OfLocalFile(MakeDirectories(options.state_dir, 0700)));
  RETURN_IF_ERROR(OfLocalFile(MakeDirectories(options.state_dir + "/logs", 0700)));
  std::unique_ptr<LocalService> service(new LocalService(options, signals, clock, std::move(say)));
  RETURN_IF_ERROR(service->LockState());
  RETURN_IF_ERROR(service->RefuseIfAnswering());
  RETURN_IF_ERROR(CheckPortFree(options.listen));
  RETURN_IF_ERROR(service->StartCoordinator());
  RETURN_IF_ERROR(service->StartWorkers());
  LocalService& self = *service;
  service->tend_ = std::jthread([&self] { self.Tend(); });
  return service;
}

LocalService::~LocalService() {
  StopTending();
  children_.clear();
  if (lock_ >= 0) close(lock_);
}

absl::Status LocalService::LockState() {
  const std::string path = options_.state_dir + "/up.lock";
  lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return OfLocalFile(FromErrno(errno, "open " + path));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const std::string owner = ReadLine(path).value_or("unknown");
    return WithHint(AlreadyExists("etude is up already for state " + options_.state_dir +
                                  " (process " + owner + ")"),
                    "etude doctor, or another state: etude up --state DIR --listen 127.0.0.1:0");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  const bool written = ftruncate(lock_, 0) == 0 &&
                       pwrite(lock_, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  return written ? absl::OkStatus() : FromErrno(errno, "write " + path);
}

// A coordinator that an earlier `etude up` left behind, or that was started by hand.
absl::Status LocalService::RefuseIfAnswering() const {
  const absl::StatusOr<std::string> endpoint = ReadLine(options_.state_dir + "/endpoint");
  if (!endpoint.ok() || !CheckEndpoint(*endpoint).ok()) return absl::OkStatus();
  const absl::StatusOr<CoordinatorInfo> info = Probe(*endpoint, token_file_, clock_);
  if (!info.ok() || info->state_dir != options_.state_dir) return absl::OkStatus();
  return WithHint(AlreadyExists("a coordinator already answers at " + *endpoint + " for state " +
                                options_.state_dir),
                  "etude doctor --endpoint " + *endpoint + ", or stop it: kill " +
                      ReadLine(options_.state_dir + "/lock").value_or("PROCESS"));
}

absl::Status LocalService::Launch(Child& child) {
  absl::StatusOr<ChildProcess> process = ChildProcess::Start(child.arguments, child.log_path);
  if (!process.ok()) {
    return WithHint(process.status(), "make build     (the programs lie beside each other)");
  }
  child.process.emplace(*std::move(process));
  child.started_at = clock_.MonotonicNow();
  return absl::OkStatus();
}

absl::Status LocalService::WaitUntil(const std::string& what, const std::function<bool()>& ready) {
  const absl::Time deadline = clock_.MonotonicNow() + kServiceStartLimit;
  while (!ready()) {
    for (const auto& child : children_) {
      if (!child->process || !child->process->Ended()) continue;
      return WithHint(
          WithWhere(Internal(child->name + " ended at its start (" + *child->process->Ended() +
                             "): " + LastLines(child->log_path, kLogLinesShown)),
                    child->log_path),
          "cat " + child->log_path);
    }
    if (clock_.MonotonicNow() > deadline) {
      return WithHint(Unavailable(what + " took longer than 30 s"),
                      "cat " + options_.state_dir + "/logs/*.log");
    }
    if (signals_.WaitFor(kPollEvery)) return Cancelled("stopped while starting");
  }
  return absl::OkStatus();
}

absl::Status LocalService::StartCoordinator() {
  const std::string endpoint_file = options_.state_dir + "/endpoint";
  if (unlink(endpoint_file.c_str()) != 0 && errno != ENOENT) {
    return OfLocalFile(FromErrno(errno, "remove " + endpoint_file));
  }
  auto child = std::make_unique<Child>();
  child->name = "the coordinator";
  child->arguments = {options_.program_dir + "/etude-coordinator", "--state", options_.state_dir};
  if (!options_.metrics.empty()) {
    child->arguments.insert(child->arguments.end(), {"--metrics", options_.metrics});
  }
  child->arguments.insert(child->arguments.end(), {"--listen", options_.listen});
  child->log_path = options_.state_dir + "/logs/coordinator.log";
  RETURN_IF_ERROR(Launch(*child));
  Child& coordinator = *child;
  children_.push_back(std::move(child));
  RETURN_IF_ERROR(WaitUntil("starting the coordinator", [&] {
    const absl::StatusOr<std::string> endpoint = ReadLine(endpoint_file);
    if (!endpoint.ok() || !CheckEndpoint(*endpoint).ok()) return false;
    endpoint_ = *endpoint;
    return Probe(endpoint_, token_file_, clock_).ok();
  }));
  coordinator.arguments.back() = endpoint_;  // a restart keeps a port the system chose
  return absl::OkStatus();
}

absl::Status LocalService::StartWorkers() {
  for (int number = 1; number <= options_.workers; ++number) {
    const std::string n = std::to_string(number);
    auto child = std::make_unique<Child>();
    child->name = "worker " + n;
    child->arguments = {options_.program_dir + "/etude-worker",
                        "--endpoint",
                        endpoint_,
                        "--token-file",
                        token_file_,
                        "--state",
                        options_.state_dir + "/workers/" + n,
                        "--slots",
                        "1",
                        "--threads",
                        "1",
                        "--name",
                        "worker-" + n};
    child->log_path = options_.state_dir + "/logs/worker-" + n + ".log";
    RETURN_IF_ERROR(Launch(*child));
    children_.push_back(std::move(child));
  }
  return WaitUntil("starting the workers", [&] {
    const absl::StatusOr<CoordinatorInfo> info = Probe(endpoint_, token_file_, clock_);
    return info.ok() && info->online_workers >= options_.workers;
  });
}

void LocalService::Tend() {
  const auto stopping = [&] {
    const MutexLock lock(mutex_);
    return changed_.WaitFor(mutex_, kTendEvery,
                            [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; });
  };
  while (!stopping()) {
    for (const auto& child : children_) TendOne(*child);
  }
}

void LocalService::StopTending() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.SignalAll();
  if (tend_.joinable()) tend_.join();
}

void LocalService::TendOne(Child& child) {
  const absl::Time now = clock_.MonotonicNow();
  if (child.process) {
    const std::optional<std::string> ended = child.process->Ended();
    if (!ended) return;
    if (now - child.started_at > kHealthyAfter) child.delay = kFirstRestartDelay;
    say_(child.name + " died (" + *ended + "); starting it again in " +
         absl::FormatDuration(child.delay).c_str() + "; its log: " + child.log_path);
    child.process.reset();
    child.restart_at = now + child.delay;
    child.delay = std::min(2 * child.delay, kLastRestartDelay);
    return;
  }
  if (now < child.restart_at) return;
  const absl::Status status = Launch(child);
  if (status.ok()) {
    say_(child.name + " was started again");
    return;
  }
  say_(child.name + " cannot be started: " + MessageOf(status));
  child.restart_at = now + child.delay;
  child.delay = std::min(2 * child.delay, kLastRestartDelay);
}

bool LocalService::WaitForEnd(std::vector<Child*> children, absl::Duration limit) {
  const absl::Time deadline = clock_.MonotonicNow() + limit;
  for (Child* child : children) {
    if (child->process) child->process->Terminate();
  }
  const auto running = [](Child* child) { return child->process && !child->process->Ended(); };
  bool second_signal = false;
  while (std::any_of(children.begin(), children.end(), running)) {
    second_signal = signals_.WaitFor(kPollEvery, 2);
    if (second_signal || clock_.MonotonicNow() > deadline) break;
  }
  bool clean = true;
  for (Child* child : children) {
    if (!running(child)) continue;
    clean = false;
    say_("killing " + child->name +
         (second_signal ? " (second signal)" : ": it did not stop in time"));
    child->process->Kill();
  }
  return clean;
}

bool LocalService::Stop() {
  StopTending();
  std::vector<Child*> workers;
  for (std::size_t i = 1; i < children_.size(); ++i) workers.push_back(children_[i].get());
  const bool drained = WaitForEnd(workers, kDrainLimit);
  const bool stopped =
      children_.empty() || WaitForEnd({children_.front().get()}, kCoordinatorStopLimit);
  return drained && stopped;
}

}  // namespace etude
