// Real processes for the system tests: started with fixed arguments, waited for with a deadline,
// never left behind.
#ifndef ETUDE_TESTS_SUPPORT_PROCESS_H_
#define ETUDE_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace etude {

struct ProcessOptions {
  std::vector<std::string> environment = {};  // "NAME=value", added to ours
  std::string directory = "";                 // to start in; empty: ours
  std::string output_prefix = "";  // stdout and stderr go to PREFIX.out and PREFIX.err, appended
};

// Killed with SIGKILL when it goes, if it still runs.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // The exit status as a shell gives it (128 + signal); nullopt if it runs on for `seconds`.
  std::optional<int> Wait(double seconds);
  bool Running() { return !Wait(0).has_value(); }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

struct CommandResult {
  int status = 0;
  std::string out;
  std::string err;
};

// Runs to the end; status 124 when it had to be killed after `seconds`.
CommandResult RunCommand(const std::vector<std::string>& arguments,
                         const ProcessOptions& options = {}, double seconds = 60);

// Tests `condition` every few milliseconds until it holds; false once `seconds` have passed.
bool Eventually(double seconds, const std::function<bool()>& condition);

std::vector<pid_t> AllProcesses();

// The pids of the children of `parent` whose program is called `name`.
std::vector<pid_t> ChildrenOf(pid_t parent, const std::string& name);

// A process that was started with `argument` among its words; nullopt if there is none.
std::optional<pid_t> ProcessWith(const std::string& argument);

// A new empty directory under the test's temporary folder.
std::string NewDirectory(const std::string& name);

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_PROCESS_H_
