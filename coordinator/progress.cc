#include "coordinator/progress.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr double kMicrosPerSecond = 1e6;

// Work that slots share; what follows one another, as trunk and branch, is not shared.
struct Phase {
  double sum_s = 0;
  double longest_s = 0;
  void Add(double own_s, double path_s) {
    sum_s += own_s;
    longest_s = std::max(longest_s, path_s);
  }
  double Seconds(int slots) const { return std::max(sum_s / slots, longest_s); }
};

// Held-out runs begin once all others have ended.
struct Phases {
  Phase fit_runs;
  Phase held_out_runs;
  Phase& Of(const RunStanding& standing, const Sweep& sweep) {
    return sweep.HoldsOut(standing.run.key) ? held_out_runs : fit_runs;
  }
  double Seconds(int slots) const { return fit_runs.Seconds(slots) + held_out_runs.Seconds(slots); }
};

// Of one position: on the mean slot, and on the best.
struct PaceSeconds {
  double mean_s = 0;
  double least_s = 0;
};

PaceSeconds SecondsOf(const Pace& pace, const Capacity& capacity) {
  if (capacity.slots.empty()) {
    const double any_s = capacity.rates.SecondsPerToken("", pace);
    return {any_s, any_s};
  }
  PaceSeconds seconds{0, std::numeric_limits<double>::infinity()};
  int slots = 0;
  for (const auto& [kind, count] : capacity.slots) {
    const double kind_s = capacity.rates.SecondsPerToken(kind, pace);
    seconds.mean_s += count * kind_s;
    seconds.least_s = std::min(seconds.least_s, kind_s);
    slots += count;
  }
  seconds.mean_s /= slots;
  return seconds;
}

int CountSlots(const Capacity& capacity) {
  int slots = 0;
  for (const auto& [kind, count] : capacity.slots) slots += count;
  return slots;
}

// How many of the spans, which are in order of their starts, overlap at most.
int MostAtOnce(std::span<const AttemptSpan> spans) {
  std::multiset<std::int64_t> ends;
  std::size_t most = 0;
  for (const AttemptSpan& span : spans) {
    ends.erase(ends.begin(), ends.upper_bound(span.started_at_us));
    ends.insert(span.ended_at_us);
    most = std::max(most, ends.size());
  }
  return static_cast<int>(most);
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

TimeLeft EstimateTimeLeft(std::span<const RunStanding> standings, const Sweep& sweep,
                          const Capacity& capacity) {
  Phases expected;
  Phases least;
  int running = 0;
  bool done = true;
  for (const RunStanding& standing : standings) {
    if (IsTerminal(standing.run.state)) continue;
    done = false;
    running += standing.run.state == RunState::kRunning ? 1 : 0;
    const RunConfig& config = standing.run.config;
    const double positions = static_cast<double>(config.batch) * config.model.context;
    const auto left = [&](std::int64_t from) {
      return positions *
             static_cast<double>(config.steps - std::clamp(standing.step, from, config.steps));
    };
    const double own = left(standing.own_from);
    const double path = left(0);
    const PaceSeconds seconds = SecondsOf(PaceOf(config), capacity);
    expected.Of(standing, sweep).Add(own * seconds.mean_s, path * seconds.mean_s);
    least.Of(standing, sweep).Add(own * seconds.least_s, path * seconds.least_s);
  }
  if (done) return {0, 0};
  TimeLeft time;
  if (capacity.rates.empty()) return time;
  if (running > 0) time.eta_s = expected.Seconds(running);
  if (const int slots = CountSlots(capacity); slots > 0) time.least_s = least.Seconds(slots);
  return time;
}

Makespan MeasureMakespan(std::span<const RunStanding> standings, const Sweep& sweep,
                         std::span<const AttemptSpan> spans) {
  Phases phases;
  std::set<RunKey> trained;  // since it was submitted
  for (const RunStanding& standing : standings) {
    const Run& run = standing.run;
    if (run.finished_at_us <= sweep.created_at_us) continue;
    trained.insert(run.key);
    if (!run.result) continue;
    // Its result counts what its trunk took, too.
    const double own_share =
        1 - static_cast<double>(standing.own_from) / static_cast<double>(run.config.steps);
    const double own_s = own_share * (run.result->train_seconds + run.result->eval_seconds);
    phases.Of(standing, sweep).Add(own_s, own_s);
  }
  std::vector<AttemptSpan> counted;
  std::int64_t first_us = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_us = 0;
  for (const AttemptSpan& span : spans) {
    if (!trained.contains(span.run)) continue;
    counted.push_back(span);
    first_us = std::min(first_us, span.started_at_us);
    last_us = std::max(last_us, span.ended_at_us);
  }
  if (counted.empty()) return {};
  return {static_cast<double>(last_us - first_us) / kMicrosPerSecond,
          phases.Seconds(MostAtOnce(counted))};
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

absl::StatusOr<Capacity> CapacityOf(Core& core) {
  Capacity capacity;
  RETURN_IF_ERROR(core.Inspect([&capacity](const Scheduler& scheduler, const Moment&) {
    capacity = {scheduler.rates(), scheduler.OnlineSlots()};
  }));
  return capacity;
}

absl::StatusOr<SweepProgress> ProgressOf(Core& core, ResultsReader& reader,
                                         const std::string& text) {
  SweepProgress progress;
  ASSIGN_OR_RETURN(progress.sweep, reader.FindSweep(text));
  ASSIGN_OR_RETURN(std::vector<RunStanding> standings, reader.Standings(progress.sweep.id));
  progress.counts = CountStates(standings);
  if (progress.sweep.state == SweepState::kActive) {
    ASSIGN_OR_RETURN(const Capacity capacity, CapacityOf(core));
    progress.left = EstimateTimeLeft(standings, progress.sweep, capacity);
  } else {
    ASSIGN_OR_RETURN(const std::vector<AttemptSpan> spans, reader.SpansOf(progress.sweep.id));
    progress.left = {0, 0};
    progress.makespan = MeasureMakespan(standings, progress.sweep, spans);
  }
  ASSIGN_OR_RETURN(progress.runs, JoinProgress(core, std::move(standings), progress.sweep));
  return progress;
}

}  // namespace etude
