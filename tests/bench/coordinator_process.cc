#include "tests/bench/coordinator_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "proto/channel.h"
#include "tests/bench/statistics.h"

extern char** environ;

namespace etude {
namespace {

constexpr absl::Duration kStartLimit = absl::Minutes(5);  // a store of 10^7 points is read first
constexpr double kKibPerMib = 1024;
constexpr int kUserTicksField = 11;  // of /proc/PID/stat, counted from the state after the name

std::string Slurp(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The pointers that posix_spawn wants, over strings that outlive them.
std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorProcess>> CoordinatorProcess::Start(
    const std::string& program, const std::string& state_dir, const std::string& listen) {
  if (!FileExists(program)) return NotFound(program + " is not there; type: make build");
  unlink((state_dir + "/endpoint").c_str());  // of one that was killed
  std::unique_ptr<CoordinatorProcess> process(
      new CoordinatorProcess(state_dir, SystemClock().MonotonicNow()));
  RETURN_IF_ERROR(process->Spawn(program, listen));
  RETURN_IF_ERROR(process->AwaitEndpoint());
  return process;
}

absl::Status CoordinatorProcess::Spawn(const std::string& program, const std::string& listen) {
  // It must not outlive a benchmark that is killed.
  std::vector<std::string> words = {"setpriv", "--pdeathsig", "KILL",     program,
                                    "--state", state_dir_,    "--listen", listen};
  const std::string log = state_dir_ + ".log";
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  const int error =
      posix_spawnp(&pid_, words[0].c_str(), &files, nullptr, Pointers(words).data(), environ);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? absl::OkStatus() : FromErrno(error, "start " + words[0]);
}

absl::Status CoordinatorProcess::AwaitEndpoint() {
  const std::string path = state_dir_ + "/endpoint";
  bool ended = false;
  RETURN_IF_ERROR(AwaitThat("start of the coordinator", kStartLimit, [&] {
    ended = waitpid(pid_, nullptr, WNOHANG) == pid_;
    return ended || FileExists(path);
  }));
  if (ended) {
    pid_ = 0;
    return Internal("the coordinator ended at once: " + Slurp(state_dir_ + ".log"));
  }
  std::ifstream(path) >> address_.endpoint;
  ASSIGN_OR_RETURN(address_.token, ReadTokenFile(state_dir_ + "/token"));
  return absl::OkStatus();
}

CoordinatorProcess::~CoordinatorProcess() { Kill(); }

void CoordinatorProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::string CoordinatorProcess::ProcFile(const char* name) const {
  return Slurp("/proc/" + std::to_string(pid_) + "/" + name);
}

double CoordinatorProcess::ResidentMib() const {
  std::istringstream status(ProcFile("status"));
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / kKibPerMib;
  }
  return 0;
}

absl::Duration CoordinatorProcess::CpuTime() const {
  const std::string stat = ProcFile("stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < kUserTicksField; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return absl::Seconds((user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

}  // namespace etude
