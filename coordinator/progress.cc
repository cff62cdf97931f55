#include "coordinator/progress.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/counts.h"
#include "lib/scaling/plan.h"

namespace etude {
namespace {

double AssumedTokensPerSecond(const RunConfig& config) {
  return AssumedFlopRate(config) / static_cast<double>(TrainFlopsPerToken(config.model));
}

std::string ShapeOf(const RunConfig& config) {
  return std::string(FamilyName(config.model.family)) + " " + ShapeText(config.model);
}

// How fast shapes train here: as measured by a run of the shape, else as assumed, times how far the
// measured ones are from what was assumed of them.
class TrainingRates {
 public:
  explicit TrainingRates(std::span<const RunStanding> standings) {
    double log_ratios = 0;
    for (const RunStanding& standing : standings) {
      const RunConfig& config = standing.run.config;
      const double rate = standing.run.result ? standing.run.result->tokens_per_s
                                              : standing.tokens_per_s.value_or(0);
      if (!(rate > 0)) continue;
      measured_[ShapeOf(config)] = rate;
      log_ratios += std::log(rate / AssumedTokensPerSecond(config));
      ++count_;
    }
    if (count_ > 0) ratio_ = std::exp(log_ratios / count_);
  }
  bool known() const { return count_ > 0; }

  double SecondsLeft(const RunStanding& standing) const {
    const RunConfig& config = standing.run.config;
    const std::int64_t steps =
        config.steps - std::clamp(standing.step, standing.own_from, config.steps);
    const double tokens = static_cast<double>(steps) * config.batch * config.model.context;
    const auto measured = measured_.find(ShapeOf(config));
    return tokens / (measured != measured_.end() ? measured->second
                                                 : ratio_ * AssumedTokensPerSecond(config));
  }

 private:
  std::map<std::string, double> measured_;
  double ratio_ = 1;
  int count_ = 0;
};

// Work that `slots` share; its longest run is not shared.
struct Phase {
  double sum_s = 0;
  double longest_s = 0;
  void Add(double run_s) {
    sum_s += run_s;
    longest_s = std::max(longest_s, run_s);
  }
  double Seconds(int slots) const { return std::max(sum_s / slots, longest_s); }
};

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

double EstimateSecondsLeft(std::span<const RunStanding> standings, const Sweep& sweep) {
  const TrainingRates rates(standings);
  Phase fit_runs;
  Phase held_out_runs;
  int running = 0;
  bool done = true;
  for (const RunStanding& standing : standings) {
    if (IsTerminal(standing.run.state)) continue;
    done = false;
    running += standing.run.state == RunState::kRunning ? 1 : 0;
    (sweep.HoldsOut(standing.run.key) ? held_out_runs : fit_runs).Add(rates.SecondsLeft(standing));
  }
  if (done) return 0;
  if (running == 0 || !rates.known()) return -1;
  return fit_runs.Seconds(running) + held_out_runs.Seconds(running);
}

absl::StatusOr<std::vector<RunProgress>> JoinProgress(Core& core,
                                                      std::vector<RunStanding> standings,
                                                      const Sweep& sweep) {
  std::vector<RunProgress> runs;
  runs.reserve(standings.size());
  for (RunStanding& standing : standings) {
    const bool held_out = sweep.HoldsOut(standing.run.key);
    runs.push_back({std::move(standing), {}, {}, held_out});
  }
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
  progress.eta_seconds = EstimateSecondsLeft(standings, progress.sweep);
  ASSIGN_OR_RETURN(progress.runs, JoinProgress(core, std::move(standings), progress.sweep));
  return progress;
}

}  // namespace etude
