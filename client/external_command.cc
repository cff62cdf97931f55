#include "client/external_command.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "client/display_text.h"
#include "lib/base/clock.h"
#include "lib/base/status.h"

namespace etude {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

// A file without a name, so that neither side ever waits for the other.
absl::StatusOr<Descriptor> MemoryFile(const std::string& bytes) {
  Descriptor file(memfd_create("etude", MFD_CLOEXEC));
  if (file.get() < 0) return FromErrno(errno, "make a file in memory");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "write a file in memory");
    done += static_cast<std::size_t>(count);
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

absl::StatusOr<std::string> ReadBack(const Descriptor& file, const std::string& program) {
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FromErrno(errno, "read what " + program + " printed");
  if (facts.st_size > kMaxExternalOutputBytes) {
    return ResourceExhausted(fmt::format("{} printed {} bytes; at most {} are read", program,
                                         static_cast<std::int64_t>(facts.st_size),
                                         kMaxExternalOutputBytes));
  }
  std::string text(static_cast<std::size_t>(facts.st_size), '\0');
  const ssize_t count = pread(file.get(), text.data(), text.size(), 0);
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

absl::StatusOr<pid_t> Spawn(const ExternalCommand& command, const std::array<int, 3>& files) {
  std::vector<std::string> words = command.arguments;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 3; ++i) {
    posix_spawn_file_actions_adddup2(&actions, files[static_cast<std::size_t>(i)], i);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (!command.hears_terminal) flags |= POSIX_SPAWN_SETPGROUP;  // its own: 0
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return NotFound("the program " + words[0] + " is not on this machine");
  if (error != 0) return FromErrno(error, "start " + words[0]);
  return pid;
}

// False if it runs on after `limit`.
bool WaitForEnd(pid_t pid, absl::Duration limit) {
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const absl::Time deadline = SystemClock().MonotonicNow() + limit;
  for (;;) {
    const absl::Duration left = deadline - SystemClock().MonotonicNow();
    if (left <= absl::ZeroDuration()) return false;
    pollfd waiting{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) > 0) return true;
  }
}

int Reap(pid_t pid) {
  int raw = 0;
  while (waitpid(pid, &raw, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

}  // namespace

absl::StatusOr<ExternalResult> RunExternal(const ExternalCommand& command) {
  const std::string& program = command.arguments[0];
  ASSIGN_OR_RETURN(const Descriptor input, MemoryFile(command.input));
  ASSIGN_OR_RETURN(const Descriptor out, MemoryFile(""));
  ASSIGN_OR_RETURN(const Descriptor err, MemoryFile(""));
  const int err_fd = command.shares_stderr ? STDERR_FILENO : err.get();
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(command, {input.get(), out.get(), err_fd}));
  const bool in_time = WaitForEnd(pid, command.limit);
  if (!in_time) kill(pid, SIGKILL);
  ExternalResult result;
  result.status = Reap(pid);
  if (!in_time) {
    return DeadlineExceeded(
        fmt::format("{} did not end within {}", program, absl::FormatDuration(command.limit)));
  }
  ASSIGN_OR_RETURN(result.out, ReadBack(out, program));
  ASSIGN_OR_RETURN(result.err, ReadBack(err, program));
  return result;
}

std::string LastLineOf(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return "";
  const std::size_t start = text.find_last_of('\n', end);
  return Printable(text.substr(start == std::string::npos ? 0 : start + 1,
                               end - (start == std::string::npos ? 0 : start + 1) + 1));
}

}  // namespace etude
