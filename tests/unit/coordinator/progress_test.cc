#include "coordinator/progress.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/builders.h"

namespace etude {
namespace {

RunStanding MakeStanding(RunState state, std::int64_t steps, std::int64_t step) {
  RunStanding standing;
  standing.run.config = MakeConfig(steps);
  standing.run.state = state;
  standing.step = step;
  return standing;
}

using Standings = std::vector<RunStanding>;

// One kind of worker that trains MakeConfig's shape at a step of 8 x 64 positions a second.
Capacity MakeCapacity(int slots, double tokens_per_s = 512) {
  Capacity capacity;
  const Pace pace = PaceOf(MakeConfig(1));
  capacity.rates.Set(*capacity.rates.With("cpu", pace, tokens_per_s, true));
  if (slots > 0) capacity.slots["cpu"] = slots;
  return capacity;
}

TEST(ProgressTest, TimeLeftIsTheWorkLeftAtTheMeasuredRate) {
  const Standings one = {MakeStanding(RunState::kRunning, 100, 10)};
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(one, Sweep(), MakeCapacity(1)).eta_s, 90.0);
  // A queued run of 100 steps and twice the rate: (90 + 100) / 2 seconds.
  const Standings two = {one[0], MakeStanding(RunState::kQueued, 100, 0)};
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(two, Sweep(), MakeCapacity(1, 1024)).eta_s, 95.0);
}

TEST(ProgressTest, SlotsShareTheWorkButNotOneRun) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 0),
                         MakeStanding(RunState::kRunning, 100, 0)};
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, Sweep(), MakeCapacity(2)).eta_s, 100.0);
  standings.push_back(MakeStanding(RunState::kQueued, 1000, 0));
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, Sweep(), MakeCapacity(2)).eta_s, 1000.0);
}

TEST(ProgressTest, HeldOutRunsComeAfterAllOthers) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 0),
                         MakeStanding(RunState::kRunning, 100, 0),
                         MakeStanding(RunState::kQueued, 60, 0)};
  standings[2].run.key = RunKey("held out");
  Sweep holding;
  holding.held_out = {standings[2].run.key};
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, Sweep(), MakeCapacity(2)).eta_s, 130.0);
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, holding, MakeCapacity(2)).eta_s, 160.0);
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, holding, MakeCapacity(2)).least_s, 160.0);
}

TEST(ProgressTest, AShapeThatHasNotRunIsScaledByThoseThatHave) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 50),
                         MakeStanding(RunState::kQueued, 100, 0)};
  standings[1].run.config.model.width *= 4;
  const double at_512 = EstimateTimeLeft(standings, Sweep(), MakeCapacity(1)).eta_s;
  const double at_1024 = EstimateTimeLeft(standings, Sweep(), MakeCapacity(1, 1024)).eta_s;
  EXPECT_NEAR(at_1024, at_512 / 2, 1e-9 * at_512);
}

TEST(ProgressTest, NoTimeIsLessThanTheWorkOverAllSlotsOrTheLongestPath) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 0),
                         MakeStanding(RunState::kQueued, 100, 0)};
  // One slot trains, four are there.
  TimeLeft left = EstimateTimeLeft(standings, Sweep(), MakeCapacity(4));
  EXPECT_DOUBLE_EQ(left.eta_s, 200.0);
  EXPECT_DOUBLE_EQ(left.least_s, 100.0);
  // A branch of 20 steps of its own waits for its trunk to get from step 10 to step 130.
  standings.push_back(MakeStanding(RunState::kQueued, 150, 10));
  standings.back().own_from = 130;
  left = EstimateTimeLeft(standings, Sweep(), MakeCapacity(4));
  EXPECT_DOUBLE_EQ(left.least_s, 140.0);
  // At the best of the kinds that are online.
  Capacity mixed = MakeCapacity(4);
  mixed.rates.Set(*mixed.rates.With("cuda", PaceOf(MakeConfig(1)), 5120, true));
  mixed.slots["cuda"] = 1;
  EXPECT_DOUBLE_EQ(EstimateTimeLeft(standings, Sweep(), mixed).least_s, 14.0);
}

TEST(ProgressTest, TimeLeftIsUnknownBeforeAnyRateOrWithoutAWorkerAndNoneAtTheEnd) {
  Capacity unmeasured;
  unmeasured.slots["cpu"] = 1;
  const Standings running = {MakeStanding(RunState::kRunning, 100, 0)};
  EXPECT_LT(EstimateTimeLeft(running, Sweep(), unmeasured).eta_s, 0);
  EXPECT_LT(EstimateTimeLeft(running, Sweep(), unmeasured).least_s, 0);
  const Standings queued = {MakeStanding(RunState::kSucceeded, 100, 100),
                            MakeStanding(RunState::kQueued, 100, 0)};
  EXPECT_LT(EstimateTimeLeft(queued, Sweep(), MakeCapacity(0)).eta_s, 0);
  EXPECT_LT(EstimateTimeLeft(queued, Sweep(), MakeCapacity(0)).least_s, 0);
  const Standings ended = {MakeStanding(RunState::kSucceeded, 100, 100),
                           MakeStanding(RunState::kFailed, 100, 3)};
  EXPECT_EQ(EstimateTimeLeft(ended, Sweep(), MakeCapacity(1)).eta_s, 0);
}

RunStanding MakeResult(const std::string& key, double train_seconds, std::int64_t own_from = 0) {
  RunStanding standing = MakeStanding(RunState::kSucceeded, 100, 100);
  standing.run.key = RunKey(key);
  standing.run.finished_at_us = 50'000'000;
  standing.own_from = own_from;
  RunResult& result = standing.run.result.emplace();
  result.train_seconds = train_seconds;
  result.eval_seconds = 1;
  return standing;
}

TEST(ProgressTest, AMakespanIsComparedWithTheRunsOwnSecondsOnTheSlotsThatTrained) {
  Sweep sweep;
  sweep.created_at_us = 5'000'000;
  // The branch trained a fifth of its steps itself; the last was there before the sweep.
  Standings standings = {MakeResult("a", 19), MakeResult("b", 9), MakeResult("c", 9, 80),
                         MakeResult("d", 99)};
  standings[3].run.finished_at_us = 4'000'000;
  const std::vector<AttemptSpan> spans = {{RunKey("d"), 0, 4'000'000},
                                          {RunKey("a"), 10'000'000, 31'000'000},
                                          {RunKey("b"), 11'000'000, 21'000'000},
                                          {RunKey("c"), 21'000'000, 34'000'000}};
  const Makespan makespan = MeasureMakespan(standings, sweep, spans);
  EXPECT_DOUBLE_EQ(makespan.seconds, 24);
  EXPECT_DOUBLE_EQ(makespan.least_s, 20) << "the longest run; all of them on two slots is 16";
  EXPECT_LT(MeasureMakespan(Standings{standings[3]}, sweep, spans).seconds, 0) << "nothing ran";
}

TEST(ProgressTest, EveryStateIsCounted) {
  const RunCounts counts = CountStates(
      std::vector{MakeStanding(RunState::kQueued, 1, 0), MakeStanding(RunState::kRunning, 1, 0),
                  MakeStanding(RunState::kRunning, 1, 0), MakeStanding(RunState::kSucceeded, 1, 1),
                  MakeStanding(RunState::kFailed, 1, 0), MakeStanding(RunState::kCancelled, 1, 0)});
  EXPECT_EQ(counts.queued, 1);
  EXPECT_EQ(counts.running, 2);
  EXPECT_EQ(counts.succeeded, 1);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.cancelled, 1);
}

}  // namespace
}  // namespace etude
