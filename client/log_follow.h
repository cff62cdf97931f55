// Following the log of a run while it is written, over its attempts and the coordinator's restarts.
#ifndef ETUDE_CLIENT_LOG_FOLLOW_H_
#define ETUDE_CLIENT_LOG_FOLLOW_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/coordinator_client.h"

namespace etude {

inline constexpr std::size_t kMaxLogLineBytes = 64 << 10;  // a longer one becomes several

// Makes lines of the parts of one log; where something is missing a line says how much.
class LogLines {
 public:
  explicit LogLines(std::function<void(const std::string&)> on_line)
      : on_line_(std::move(on_line)) {}
  void Add(std::int64_t offset, std::string_view text);
  void End();                                // the last line may lack its end
  std::int64_t end() const { return end_; }  // where the next part should begin

 private:
  std::function<void(const std::string&)> on_line_;
  std::string rest_;
  std::int64_t end_ = 0;
};

// What following needs of the world; the command fills it from a CoordinatorClient and Signals.
struct LogFollow {
  // As CoordinatorClient::TailLog and FindRun, of one run.
  std::function<absl::Status(const CoordinatorClient::LogTail&, absl::Duration limit,
                             const std::function<bool(const CoordinatorClient::LogPart&)>&)>
      tail;
  std::function<absl::StatusOr<RunView>()> find_run;
  // Waits, or returns true at once when the user wants to stop.
  std::function<bool(absl::Duration)> interrupted;
  std::function<void(int attempt, const std::string& line)> on_line;
  std::function<void(const std::string&)> say;  // which attempt it is, and what is waited for
  int attempt = 0;                              // only this one; 0: the newest, and all after it
  std::optional<std::size_t> tail_lines = std::nullopt;  // of what is there; nullopt: all of it
};

// Returns once the run, or the one attempt, is over. While the coordinator is away tries again.
// kNotFound: no such run or attempt. kCancelled: the user's signal; the run goes on. Other errors
// are the coordinator's.
absl::Status FollowLog(const LogFollow& follow);

}  // namespace etude

#endif  // ETUDE_CLIENT_LOG_FOLLOW_H_
