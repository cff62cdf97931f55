#include "tests/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "lib/base/clock.h"

extern char** environ;

namespace etude {
namespace {

constexpr int kPollMs = 10;

std::string Slurp(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int ShellStatus(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

// The pointers that posix_spawn wants, over strings that outlive them.
std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options) {
  // It dies with a test that is killed.
  std::vector<std::string> argv = {"setpriv", "--pdeathsig", "KILL"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<std::string> env = options.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) env.emplace_back(*entry);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!options.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  }
  const std::string prefix = options.output_prefix.empty() ? "/dev/null" : options.output_prefix;
  const bool discard = options.output_prefix.empty();
  const int flags = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, (discard ? prefix : prefix + ".out").c_str(), flags,
                                   0644);
  posix_spawn_file_actions_addopen(&actions, 2, (discard ? prefix : prefix + ".err").c_str(), flags,
                                   0644);
  const int error = posix_spawnp(&pid_, argv[0].c_str(), &actions, nullptr, Pointers(argv).data(),
                                 Pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << arguments[0] << ": " << std::strerror(error);
  if (error != 0) status_ = 127;
}

Process::~Process() {
  if (status_) return;
  kill(pid_, SIGKILL);
  int raw = 0;
  waitpid(pid_, &raw, 0);
}

void Process::Signal(int signal) const {
  if (!status_) kill(pid_, signal);
}

std::optional<int> Process::Wait(double seconds) {
  Eventually(seconds, [this] {
    if (status_) return true;
    int raw = 0;
    if (waitpid(pid_, &raw, WNOHANG) == pid_) status_ = ShellStatus(raw);
    return status_.has_value();
  });
  return status_;
}

CommandResult RunCommand(const std::vector<std::string>& arguments, const ProcessOptions& options,
                         double seconds) {
  ProcessOptions redirected = options;
  redirected.output_prefix = NewDirectory("command") + "/output";
  Process process(arguments, redirected);
  std::optional<int> status = process.Wait(seconds);
  if (!status) {
    process.Signal(SIGKILL);
    process.Wait(10);
    status = 124;
  }
  return {*status, Slurp(redirected.output_prefix + ".out"),
          Slurp(redirected.output_prefix + ".err")};
}

bool Eventually(double seconds, const std::function<bool()>& condition) {
  const absl::Time deadline = SystemClock().MonotonicNow() + absl::Seconds(seconds);
  while (!condition()) {
    if (SystemClock().MonotonicNow() >= deadline) return false;
    poll(nullptr, 0, kPollMs);
  }
  return true;
}

std::vector<pid_t> AllProcesses() {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") == std::string::npos) pids.push_back(std::stoi(pid));
  }
  return pids;
}

std::optional<pid_t> ProcessWith(const std::string& argument) {
  for (const pid_t pid : AllProcesses()) {
    std::istringstream words(Slurp("/proc/" + std::to_string(pid) + "/cmdline"));
    for (std::string word; std::getline(words, word, '\0');) {
      if (word == argument) return pid;
    }
  }
  return std::nullopt;
}

std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& name) {
  std::vector<pid_t> children;
  for (const pid_t pid : AllProcesses()) {
    // "pid (name) state ppid ..."; the kernel cuts names to 15 characters.
    const std::string stat = Slurp("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t open = stat.find('(');
    const std::size_t close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    std::istringstream rest(stat.substr(close + 2));
    char state = 0;
    pid_t ppid = 0;
    rest >> state >> ppid;
    if (ppid == parent && state != 'Z' &&
        stat.substr(open + 1, close - open - 1) == name.substr(0, 15)) {
      children.push_back(pid);
    }
  }
  return children;
}

std::string NewDirectory(const std::string& name) {
  std::string path = testing::TempDir() + "etude." + name + ".XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr) << path;
  return path;
}

}  // namespace etude
