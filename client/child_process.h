// A program of ours as a child: no shell, a process group of its own, output to a log file.
#ifndef ETUDE_CLIENT_CHILD_PROCESS_H_
#define ETUDE_CLIENT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

// A log above this moves to LOG.old when its program starts.
inline constexpr long kMaxChildLogBytes = 64L << 20;

// Not thread-safe. The destructor kills the child if it still runs.
class ChildProcess {
 public:
  // Starts arguments[0], a path. Signals come to the child as the system's defaults; the terminal's
  // Ctrl-C does not reach it. kNotFound: no such program.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& arguments,
                                            const std::string& log_path);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  pid_t pid() const { return pid_; }
  // How it ended ("exit code 1", "signal 9"); nullopt while it runs. Never waits.
  const std::optional<std::string>& Ended();
  void Terminate();  // asks it to stop
  void Kill();       // with all its own children

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0 once moved from
  std::optional<std::string> ended_;
};

// The last lines of a log, for an error message; empty if there are none.
std::string LastLines(const std::string& log_path, int lines);

}  // namespace etude

#endif  // ETUDE_CLIENT_CHILD_PROCESS_H_
