#include "client/log_follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "client/display_text.h"
#include "client/sweep_wait.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kReconnectEvery = absl::Seconds(1);

bool IsAbsence(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

// The place of the attempt to begin with among all of the run's, from 1.
absl::StatusOr<int> FirstOrdinal(const RunView& view, int attempt) {
  const int count = static_cast<int>(view.attempts.size());
  if (attempt == 0) return std::max(1, count);
  for (int ordinal = count; ordinal >= 1; --ordinal) {
    const Attempt& one = view.attempts[static_cast<std::size_t>(ordinal) - 1].attempt;
    if (one.number == attempt) return ordinal;
  }
  return NotFound(fmt::format("run {} has no attempt {}", view.progress.run.key.Short(), attempt));
}

class Follower {
 public:
  explicit Follower(const LogFollow& follow) : follow_(follow) {}

  absl::Status Follow() {
    ASSIGN_OR_RETURN(RunView view, follow_.find_run());
    key_ = view.progress.run.key.Short();
    ASSIGN_OR_RETURN(ordinal_, FirstOrdinal(view, follow_.attempt));
    if (follow_.tail_lines) RETURN_IF_ERROR(SkipToTail());
    while (true) {
      if (ordinal_ > std::ssize(view.attempts)) SayWaiting(view);
      const absl::Status status = Tail(/*follow=*/true);
      if (follow_.interrupted(absl::ZeroDuration())) return Interrupted();
      if (IsAbsence(status)) {
        RETURN_IF_ERROR(AwaitReturn(status));
        continue;
      }
      RETURN_IF_ERROR(status);
      lines_.End();
      ASSIGN_OR_RETURN(view, follow_.find_run());
      if (IsOver(view)) return absl::OkStatus();
      if (ordinal_ <= std::ssize(view.attempts)) StartNext();
    }
  }

 private:
  absl::Status Interrupted() const { return Cancelled("interrupted; run " + key_ + " goes on"); }

  absl::Status Tail(bool follow) {
    return follow_.tail({.ordinal = ordinal_, .offset = lines_.end(), .follow = follow},
                        kWatchLimit, [&](const CoordinatorClient::LogPart& part) {
                          away_ = false;
                          if (part.attempt) SayAttempt(*part.attempt);
                          lines_.Add(part.offset, part.text);
                          return !follow_.interrupted(absl::ZeroDuration());
                        });
  }

  // Shows the last lines of what is there; one that has no end yet is shown once it has.
  absl::Status SkipToTail() {
    kept_.emplace();
    const absl::Status status = Tail(/*follow=*/false);
    const std::deque<std::string> lines = *std::exchange(kept_, std::nullopt);
    for (const std::string& line : lines) Show(line);
    return IsAbsence(status) ? absl::OkStatus() : status;
  }

  void Show(const std::string& line) {
    if (!kept_) return follow_.on_line(number_, line);
    kept_->push_back(line);
    if (kept_->size() > *follow_.tail_lines) kept_->pop_front();
  }

  void SayAttempt(const Attempt& attempt) {
    number_ = attempt.number;
    if (std::exchange(said_ordinal_, ordinal_) == ordinal_) return;
    follow_.say(fmt::format("run {} attempt {} on worker {}", key_, attempt.number,
                            Printable(attempt.worker.text())));
  }

  void SayWaiting(const RunView& view) {
    if (std::exchange(waiting_ordinal_, ordinal_) == ordinal_) return;
    const std::string& reason = view.progress.wait_reason;
    follow_.say(fmt::format("run {} waits for its {} attempt{}", key_,
                            ordinal_ == 1 ? "first" : "next",
                            reason.empty() ? "" : ": " + Printable(reason)));
  }

  absl::Status AwaitReturn(const absl::Status& status) {
    if (absl::IsUnavailable(status) && !std::exchange(away_, true)) {
      follow_.say(MessageOf(status) + "; trying again");
    }
    const bool at_once = status.code() == absl::StatusCode::kDeadlineExceeded;
    const bool stop = follow_.interrupted(at_once ? absl::ZeroDuration() : kReconnectEvery);
    return stop ? Interrupted() : absl::OkStatus();
  }

  bool IsOver(const RunView& view) const {
    const bool newest = ordinal_ >= std::ssize(view.attempts);
    const Run& run = view.progress.run;
    if (follow_.attempt == 0 && IsTerminal(run.state) && newest) {
      follow_.say(fmt::format("run {} {}{}", key_, RunStateName(run.state),
                              run.reason.empty() ? "" : ": " + Printable(run.reason)));
    }
    return follow_.attempt != 0 || (IsTerminal(run.state) && newest);
  }

  void StartNext() {
    ++ordinal_;
    lines_ = LogLines([this](const std::string& line) { Show(line); });
  }

  const LogFollow& follow_;
  std::string key_;
  int ordinal_ = 1;
  int number_ = 0;           // of the attempt, as its job counts
  int said_ordinal_ = 0;     // that it was said
  int waiting_ordinal_ = 0;  // likewise
  bool away_ = false;
  std::optional<std::deque<std::string>> kept_;  // while only the last lines are wanted
  LogLines lines_{[this](const std::string& line) { Show(line); }};
};

}  // namespace

void LogLines::Add(std::int64_t offset, std::string_view text) {
  if (offset > end_) {
    End();
    on_line_(fmt::format("[{} of this log were not kept]",
                         BytesText(static_cast<double>(offset - end_))));
  }
  end_ = offset + static_cast<std::int64_t>(text.size());
  while (!text.empty()) {
    const std::size_t line_end = text.find('\n');
    rest_ += text.substr(0, line_end);
    text.remove_prefix(line_end == std::string_view::npos ? text.size() : line_end + 1);
    if (line_end != std::string_view::npos || rest_.size() > kMaxLogLineBytes) {
      on_line_(std::exchange(rest_, ""));
    }
  }
}

void LogLines::End() {
  if (!rest_.empty()) on_line_(std::exchange(rest_, ""));
}

absl::Status FollowLog(const LogFollow& follow) { return Follower(follow).Follow(); }

}  // namespace etude
