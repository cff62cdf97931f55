#include "coordinator/progress.h"

#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/counts.h"

namespace etude {
namespace {

double FlopsPerToken(const RunConfig& config) {
  return static_cast<double>(TrainFlopsPerToken(config.model));
}

double FlopsLeft(const RunStanding& standing) {
  const RunConfig& config = standing.run.config;
  const std::int64_t steps = std::max<std::int64_t>(0, config.steps - standing.step);
  return FlopsPerToken(config) * static_cast<double>(steps) * config.batch * config.model.context;
}

}  // namespace

RunCounts CountStates(std::span<const RunStanding> standings) {
  RunCounts counts;
  for (const RunStanding& standing : standings) {
    switch (standing.run.state) {
      case RunState::kQueued:
        ++counts.queued;
        break;
      case RunState::kRunning:
        ++counts.running;
        break;
      case RunState::kSucceeded:
        ++counts.succeeded;
        break;
      case RunState::kFailed:
        ++counts.failed;
        break;
      case RunState::kCancelled:
        ++counts.cancelled;
        break;
    }
  }
  return counts;
}

double EstimateSecondsLeft(std::span<const RunStanding> standings) {
  double flops_left = 0;
  double flops_per_s = 0;
  for (const RunStanding& standing : standings) {
    if (IsTerminal(standing.run.state)) continue;
    flops_left += FlopsLeft(standing);
    if (standing.run.state == RunState::kRunning && standing.tokens_per_s) {
      flops_per_s += FlopsPerToken(standing.run.config) * *standing.tokens_per_s;
    }
  }
  if (flops_left == 0) return 0;
  return flops_per_s > 0 ? flops_left / flops_per_s : -1;
}

absl::StatusOr<std::vector<RunProgress>> JoinProgress(Core& core,
                                                      std::vector<RunStanding> standings) {
  std::vector<RunProgress> runs;
  runs.reserve(standings.size());
  for (RunStanding& standing : standings) runs.push_back({std::move(standing), {}, {}});
  RETURN_IF_ERROR(core.Inspect([&runs](const Scheduler& scheduler, const Moment& now) {
    for (RunProgress& run : runs) {
      Scheduler::RunNow where = scheduler.WhereIs(run.standing.run.key, now);
      run.worker = std::move(where.worker);
      run.wait_reason = std::move(where.wait_reason);
    }
  }));
  return runs;
}

absl::StatusOr<SweepProgress> ProgressOf(Core& core, ResultsReader& reader,
                                         const std::string& text) {
  SweepProgress progress;
  ASSIGN_OR_RETURN(progress.sweep, reader.FindSweep(text));
  ASSIGN_OR_RETURN(std::vector<RunStanding> standings, reader.Standings(progress.sweep.id));
  progress.counts = CountStates(standings);
  progress.eta_seconds = EstimateSecondsLeft(standings);
  ASSIGN_OR_RETURN(progress.runs, JoinProgress(core, std::move(standings)));
  return progress;
}

}  // namespace etude
