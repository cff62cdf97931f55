// Waiting for a sweep to end, through restarts of the coordinator.
#ifndef ETUDE_CLIENT_SWEEP_WAIT_H_
#define ETUDE_CLIENT_SWEEP_WAIT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/coordinator_client.h"
#include "client/failure.h"
#include "client/signals.h"
#include "lib/base/clock.h"

namespace etude {

inline constexpr absl::Duration kReconnectSaidEvery = absl::Seconds(10);
// A watch is renewed at this age, so that a connection that died silently is noticed.
inline constexpr absl::Duration kWatchLimit = absl::Minutes(10);

// What a wait needs of the world; the commands fill it from a CoordinatorClient and Signals.
struct SweepWait {
  // As CoordinatorClient::WatchSweep, for one sweep.
  std::function<absl::Status(absl::Duration limit, const std::function<bool(const SweepView&)>&)>
      watch;
  // Waits, or returns true at once when the user wants to stop.
  std::function<bool(absl::Duration)> interrupted;
  std::function<void(const SweepView&)> on_view;
  std::function<void(const std::string&)> say;  // that the coordinator is away, and why
  absl::Duration timeout = absl::InfiniteDuration();
};

// Returns the last view once the sweep has ended. While the coordinator is away tries again, at
// first after 100 ms and at most 5 s apart, until the timeout. kDeadlineExceeded: the timeout;
// kCancelled: the user's signal. The sweep goes on in both cases. Other errors are the
// coordinator's.
absl::StatusOr<SweepView> WaitForSweep(const SweepWait& wait, Clock& clock);

// The same over a client; `signals` stop it.
absl::StatusOr<SweepView> WaitForSweep(CoordinatorClient& client, Signals& signals, Clock& clock,
                                       const std::string& sweep, absl::Duration timeout,
                                       std::function<void(const SweepView&)> on_view,
                                       std::function<void(const std::string&)> say);

// Of an ended sweep: kOk when every run succeeded, else kSomeRunsFailed.
ExitCode ExitCodeOfEnded(const SweepView& view);

// "3/9 runs, 1 running, 0 failed, ETA 4 min 10 s".
std::string ProgressLine(const SweepView& view);

}  // namespace etude

#endif  // ETUDE_CLIENT_SWEEP_WAIT_H_
