// The waiting that submit --wait, sweep wait and sweep watch share.
#ifndef ETUDE_CLIENT_WAIT_COMMAND_H_
#define ETUDE_CLIENT_WAIT_COMMAND_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/command.h"
#include "client/signals.h"
#include "client/sweep_wait.h"

namespace etude {

// Waits with progress on stderr, calling `on_view` (may be empty) at each change, and says how it
// ended. kCancelled and kDeadlineExceeded say that the sweep goes on and how to come back to it.
// `signals` must be older than the client's connection.
absl::StatusOr<SweepView> WaitWithProgress(Session& session, CoordinatorClient& client,
                                           Signals& signals, const std::string& sweep,
                                           absl::Duration timeout,
                                           std::function<void(const SweepView&)> on_view = nullptr);

// For a sweep that ended: says which runs failed, and why; returns the exit code.
ExitCode ReportEnd(Session& session, const SweepView& view);

}  // namespace etude

#endif  // ETUDE_CLIENT_WAIT_COMMAND_H_
