#include "client/sweep_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kFirstReconnect = absl::Milliseconds(100);
constexpr absl::Duration kLastReconnect = absl::Seconds(5);

absl::Status TimedOut(absl::Duration timeout) {
  return DeadlineExceeded(fmt::format("the sweep did not end within {}; it goes on",
                                      DurationText(absl::ToDoubleSeconds(timeout))));
}

// How long the coordinator has been away, for its waits and what is said of them.
class Absence {
 public:
  void Over() {
    delay_ = kFirstReconnect;
    said_at_ = absl::InfinitePast();
  }
  absl::Duration NextDelay() { return std::exchange(delay_, std::min(2 * delay_, kLastReconnect)); }
  bool ShouldSay(absl::Time now) {
    if (now - said_at_ < kReconnectSaidEvery) return false;
    said_at_ = now;
    return true;
  }

 private:
  absl::Duration delay_ = kFirstReconnect;
  absl::Time said_at_ = absl::InfinitePast();
};

bool IsAbsence(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

absl::StatusOr<SweepView> WaitForSweep(const SweepWait& wait, Clock& clock) {
  const absl::Time deadline = clock.MonotonicNow() + wait.timeout;
  std::optional<SweepView> last;
  Absence absence;
  while (true) {
    const absl::Duration left = deadline - clock.MonotonicNow();
    if (left <= absl::ZeroDuration()) return TimedOut(wait.timeout);
    const absl::Status status = wait.watch(std::min(left, kWatchLimit), [&](const SweepView& view) {
      absence.Over();
      last = view;
      wait.on_view(view);
      return true;
    });
    if (wait.interrupted(absl::ZeroDuration())) return Cancelled("interrupted; the sweep goes on");
    if (status.ok() && last && last->summary.sweep.state != SweepState::kActive) return *last;
    if (!status.ok() && !IsAbsence(status)) return status;
    const absl::Time now = clock.MonotonicNow();
    if (status.code() == absl::StatusCode::kUnavailable && absence.ShouldSay(now)) {
      wait.say(MessageOf(status) + "; trying again");
    }
    const absl::Duration pause =
        std::max(absl::ZeroDuration(), std::min(absence.NextDelay(), deadline - now));
    if (wait.interrupted(pause)) return Cancelled("interrupted; the sweep goes on");
  }
}

absl::StatusOr<SweepView> WaitForSweep(CoordinatorClient& client, Signals& signals, Clock& clock,
                                       const std::string& sweep, absl::Duration timeout,
                                       std::function<void(const SweepView&)> on_view,
                                       std::function<void(const std::string&)> say) {
  SweepWait wait;
  wait.watch = [&](absl::Duration limit, const std::function<bool(const SweepView&)>& on) {
    return client.WatchSweep(
        sweep, limit, [&](const SweepView& view) { return on(view) && signals.count() == 0; });
  };
  wait.interrupted = [&](absl::Duration limit) { return signals.WaitFor(limit); };
  wait.on_view = std::move(on_view);
  wait.say = std::move(say);
  wait.timeout = timeout;
  signals.OnSignal([&client] { client.StopWatching(); });
  absl::StatusOr<SweepView> view = WaitForSweep(wait, clock);
  signals.OnSignal(nullptr);
  return view;
}

ExitCode ExitCodeOfEnded(const SweepView& view) {
  const bool all = view.summary.succeeded == view.summary.runs();
  return all ? ExitCode::kOk : ExitCode::kSomeRunsFailed;
}

std::string ProgressLine(const SweepView& view) {
  const SweepSummary& summary = view.summary;
  std::string line =
      fmt::format("{}: {}/{} runs, {} running, {} failed", summary.sweep.name, summary.succeeded,
                  summary.runs(), summary.running, summary.failed);
  if (summary.sweep.state != SweepState::kActive) return line;
  if (summary.running == 0) {
    for (const RunProgress& run : view.runs) {
      if (!IsTerminal(run.run.state) && !run.wait_reason.empty()) {
        return line + ", waiting: " + run.wait_reason;
      }
    }
  }
  return line + (view.eta_s >= 0 ? ", ETA " + DurationText(view.eta_s) : ", ETA not known yet");
}

}  // namespace etude
