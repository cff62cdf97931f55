#include "client/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::streamoff kTailBytes = 4096;

void RotateLog(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) == 0 && facts.st_size > kMaxChildLogBytes) {
    rename(path.c_str(), (path + ".old").c_str());
  }
}

// The two structures of posix_spawn, destroyed with their scope.
class SpawnPlan {
 public:
  explicit SpawnPlan(const std::string& log_path) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, log_path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files_, STDOUT_FILENO, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int Spawn(pid_t* pid, std::vector<char*>& argv) const {
    return posix_spawn(pid, argv[0], &files_, &attributes_, argv.data(), environ);
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::vector<std::string>& arguments,
                                                 const std::string& log_path) {
  RotateLog(log_path);
  std::vector<std::string> words = arguments;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = SpawnPlan(log_path).Spawn(&pid, argv);
  if (error != 0) return FromErrno(error, "start " + arguments[0]);
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), ended_(std::move(other.ended_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ended_, other.ended_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ == 0 || Ended()) return;
  Kill();
  waitpid(pid_, nullptr, 0);
}

const std::optional<std::string>& ChildProcess::Ended() {
  int status = 0;
  if (!ended_ && pid_ != 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                 : "exit code " + std::to_string(WEXITSTATUS(status));
  }
  return ended_;
}

void ChildProcess::Terminate() {
  if (pid_ != 0 && !Ended()) kill(pid_, SIGTERM);
}

void ChildProcess::Kill() {
  if (pid_ == 0 || Ended()) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);  // its group may not be there yet
}

std::string LastLines(const std::string& log_path, int lines) {
  std::ifstream file(log_path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  const std::streamoff begin = size > kTailBytes ? size - kTailBytes : 0;
  file.seekg(begin);
  std::string tail(static_cast<std::size_t>(size - begin), '\0');
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  std::size_t at = tail.size();
  for (int i = 0; i < lines && at != std::string::npos && at > 0; ++i)
    at = tail.rfind('\n', at - 1);
  const std::string last = at == std::string::npos || at == 0 ? tail : tail.substr(at + 1);
  return Printable(last);
}

}  // namespace etude
