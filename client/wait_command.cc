#include "client/wait_command.h"

#include <fmt/format.h>

#include <utility>

#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kMaxFailuresShown = 5;

}  // namespace

absl::StatusOr<SweepView> WaitWithProgress(Session& session, CoordinatorClient& client,
                                           Signals& signals, const std::string& sweep,
                                           absl::Duration timeout,
                                           std::function<void(const SweepView&)> on_view) {
  const auto progress = session.MakeProgress();
  std::string name = sweep;
  const auto on = [&](const SweepView& view) {
    name = view.summary.sweep.name;
    if (on_view) on_view(view);
    progress->Update(ProgressLine(view));
  };
  const auto say = [&](const std::string& line) { progress->Say(line); };
  absl::StatusOr<SweepView> view =
      WaitForSweep(client, signals, session.clock(), sweep, timeout, on, say);
  progress->Clear();
  if (view.status().code() == absl::StatusCode::kCancelled) {
    return WithHint(Cancelled("interrupted; sweep " + name + " goes on"),
                    "etude sweep watch " + name + ", or: etude sweep cancel " + name);
  }
  if (view.status().code() == absl::StatusCode::kDeadlineExceeded) {
    return WithHint(view.status(), "etude sweep wait " + name);
  }
  if (view.status().code() == absl::StatusCode::kNotFound) {
    return WithHint(view.status(), "etude sweep ls");
  }
  return view;
}

ExitCode ReportEnd(Session& session, const SweepView& view) {
  session.Say(ProgressLine(view) + ": " + std::string(SweepStateName(view.summary.sweep.state)));
  const bool finished = view.summary.sweep.state == SweepState::kFinished;
  int shown = 0;
  for (const RunProgress& progress : view.runs) {
    const Run& run = progress.run;
    const bool failed = run.state == RunState::kFailed;
    // Of a cancelled sweep its cancelled runs are no news.
    if (!failed && !(finished && run.state == RunState::kCancelled)) continue;
    if (++shown > kMaxFailuresShown) continue;
    session.Say(fmt::format("  run {} {}: {}", run.key.Short(), RunStateName(run.state),
                            Printable(run.reason)));
    if (failed) session.Say("    try: etude run logs " + run.key.Short());
  }
  if (shown > kMaxFailuresShown) {
    session.Say(fmt::format("  and {} more: etude sweep show {}", shown - kMaxFailuresShown,
                            view.summary.sweep.name));
  }
  return ExitCodeOfEnded(view);
}

}  // namespace etude
