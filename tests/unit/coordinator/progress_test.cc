#include "coordinator/progress.h"

#include <gtest/gtest.h>

#include "tests/unit/coordinator/builders.h"

namespace etude {
namespace {

RunStanding MakeStanding(RunState state, std::int64_t steps, std::int64_t step,
                         std::optional<double> tokens_per_s = std::nullopt) {
  RunStanding standing;
  standing.run.config = MakeConfig(steps);
  standing.run.state = state;
  standing.step = step;
  standing.tokens_per_s = tokens_per_s;
  return standing;
}

TEST(ProgressTest, TimeLeftIsTheWorkLeftAtTheMeasuredRate) {
  // 90 steps of 8 x 64 positions at 512 positions a second.
  EXPECT_DOUBLE_EQ(
      EstimateSecondsLeft(std::vector{MakeStanding(RunState::kRunning, 100, 10, 512.0)}), 90.0);
  // A queued run of 100 steps and twice the rate: (90 + 100) / 2 seconds.
  EXPECT_DOUBLE_EQ(
      EstimateSecondsLeft(std::vector{MakeStanding(RunState::kRunning, 100, 10, 1024.0),
                                      MakeStanding(RunState::kQueued, 100, 0)}),
      95.0);
}

TEST(ProgressTest, TimeLeftIsUnknownBeforeAnyRateAndNoneAtTheEnd) {
  EXPECT_LT(EstimateSecondsLeft(std::vector{MakeStanding(RunState::kQueued, 100, 0)}), 0);
  // A rate of a run that has ended says nothing of those that wait.
  EXPECT_LT(EstimateSecondsLeft(std::vector{MakeStanding(RunState::kSucceeded, 100, 100, 512.0),
                                            MakeStanding(RunState::kQueued, 100, 0)}),
            0);
  EXPECT_EQ(EstimateSecondsLeft(std::vector{MakeStanding(RunState::kSucceeded, 100, 100),
                                            MakeStanding(RunState::kFailed, 100, 3)}),
            0);
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
