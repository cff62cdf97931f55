#include "worker/process_spawner.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kChildControlFd = 3;

// How many processes of our control group the kernel has killed for want of memory; 0 where that
// cannot be read.
std::int64_t OutOfMemoryKills() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line, path;
  while (std::getline(groups, line)) {
    if (line.rfind("0::", 0) == 0) path = line.substr(3);
  }
  std::ifstream events("/sys/fs/cgroup" + path + "/memory.events");
  if (!events) events.open("/sys/fs/cgroup/memory.events");
  std::string name;
  std::int64_t count = 0;
  while (events >> name >> count) {
    if (name == "oom_kill") return count;
  }
  return 0;
}

// Attributes and file actions of one posix_spawn.
class SpawnPlan {
 public:
  SpawnPlan(int control_fd, int log_fd) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, log_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, log_fd, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, control_fd, kChildControlFd);
    posix_spawnattr_init(&attributes_);
    // Signals as a program expects them, and a process group of its own, so that Ctrl-C in a
    // terminal reaches the agent alone.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  absl::StatusOr<pid_t> Run(const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, argv[0], &actions_, &attributes_, argv.data(), environ);
    if (error != 0) return FromErrno(error, "start " + command[0]);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

absl::StatusOr<int> OpenSlotLog(const std::string& path) {
  struct stat facts {};
  const bool large = stat(path.c_str(), &facts) == 0 && facts.st_size > kMaxSlotLogBytes;
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (large ? O_TRUNC : 0);
  const int fd = open(path.c_str(), flags, 0644);
  if (fd < 0) return FromErrno(errno, "open " + path);
  return fd;
}

// A descriptor that is never the one it is to be copied to: dup2 onto itself would leave it
// close-on-exec.
int MovedUp(int fd) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, kChildControlFd + 1);
  close(fd);
  return moved;
}

TrainerExit ExitOf(int wait_status, bool out_of_memory) {
  if (WIFSIGNALED(wait_status)) {
    return {.code = 0, .signal = WTERMSIG(wait_status), .out_of_memory = out_of_memory};
  }
  return {.code = WEXITSTATUS(wait_status), .signal = 0, .out_of_memory = out_of_memory};
}

int SignalByPidFd(int pid_fd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pid_fd, signal, nullptr, 0));
}

}  // namespace

ProcessSpawner::ProcessSpawner(ProcessSpawnerOptions options, EventQueue& events)
    : options_(std::move(options)), events_(events) {}

ProcessSpawner::~ProcessSpawner() {
  for (const auto& [id, trainer] : trainers_) Kill(id);
  for (const auto& [id, trainer] : trainers_) trainer->thread.join();
  ForgetEnded();
}

void ProcessSpawner::ForgetEnded() {
  std::erase_if(trainers_, [](const auto& item) {
    Trainer& trainer = *item.second;
    if (!trainer.ended) return false;
    if (trainer.thread.joinable()) trainer.thread.join();
    close(trainer.socket);
    close(trainer.pid_fd);
    return true;
  });
}

absl::StatusOr<TrainerId> ProcessSpawner::Spawn(int slot) {
  ForgetEnded();
  if (!FileExists(options_.program)) {
    return NotFound("there is no " + options_.program + "; it belongs beside etude-worker");
  }
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return FromErrno(errno, "make a socket pair");
  }
  const int theirs = MovedUp(sockets[1]);
  absl::StatusOr<int> log =
      OpenSlotLog(options_.log_dir + "/slot-" + std::to_string(slot) + ".log");
  std::vector<std::string> command = {options_.program};
  command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
  command.insert(command.end(), {"--control-fd", std::to_string(kChildControlFd), "--parent-pid",
                                 std::to_string(getpid())});
  const std::int64_t kills_before = OutOfMemoryKills();
  absl::StatusOr<pid_t> pid = log.ok() ? SpawnPlan(theirs, *log).Run(command) : log.status();
  close(theirs);
  if (log.ok()) close(*log);
  if (!pid.ok()) {
    close(sockets[0]);
    return pid.status();
  }
  const TrainerId id = next_id_++;
  auto trainer = std::make_unique<Trainer>();
  trainer->pid = *pid;
  trainer->pid_fd = static_cast<int>(syscall(SYS_pidfd_open, *pid, 0));
  trainer->socket = sockets[0];
  trainer->thread = std::jthread([this, id, &process = *trainer, kills_before] {
    Listen(id, process, kills_before);
    process.ended = true;
  });
  trainers_[id] = std::move(trainer);
  return id;
}

// Hears the trainer until it closes its end, which it does by ending, and reaps it.
void ProcessSpawner::Listen(TrainerId id, Trainer& trainer, std::int64_t kills_before) {
  LineBuffer lines;
  char bytes[4096];
  bool sane = true;
  for (;;) {
    const ssize_t count = recv(trainer.socket, bytes, sizeof(bytes), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (!sane) continue;
    sane = lines.Add({bytes, static_cast<std::size_t>(count)}).ok();
    while (const std::optional<std::string> line = lines.NextLine()) {
      absl::StatusOr<TrainerMessage> message = DecodeTrainerMessage(*line);
      sane = sane && message.ok();
      if (sane) events_.Push(TrainerSaid{id, *std::move(message)});
    }
    if (!sane) {
      LogError("a trainer does not keep to the protocol; killing it");
      kill(trainer.pid, SIGKILL);  // not reaped yet, so the pid is still its own
    }
  }
  int status = 0;
  while (waitpid(trainer.pid, &status, 0) < 0 && errno == EINTR) {
  }
  const bool out_of_memory = OutOfMemoryKills() > kills_before;
  events_.Push(TrainerExited{id, ExitOf(status, out_of_memory)});
}

absl::Status ProcessSpawner::Send(TrainerId trainer, const AgentMessage& message) {
  const auto found = trainers_.find(trainer);
  if (found == trainers_.end()) return Unavailable("that trainer has ended");
  const std::string line = Encode(message);
  if (line.size() > kMaxTrainerMessageBytes) return InvalidArgument("message too long");
  const ssize_t sent =
      send(found->second->socket, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return Unavailable("the trainer does not read its orders");
}

void ProcessSpawner::Kill(TrainerId trainer) {
  const auto found = trainers_.find(trainer);
  if (found != trainers_.end()) SignalByPidFd(found->second->pid_fd, SIGKILL);
}

pid_t ProcessSpawner::PidOf(TrainerId trainer) const {
  const auto found = trainers_.find(trainer);
  return found == trainers_.end() ? 0 : found->second->pid;
}

}  // namespace etude
