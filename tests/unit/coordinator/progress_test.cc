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

using Standings = std::vector<RunStanding>;

TEST(ProgressTest, TimeLeftIsTheWorkLeftAtTheMeasuredRate) {
  // 90 steps of 8 x 64 positions at 512 positions a second.
  EXPECT_DOUBLE_EQ(
      EstimateSecondsLeft(Standings{MakeStanding(RunState::kRunning, 100, 10, 512.0)}, Sweep()),
      90.0);
  // A queued run of 100 steps and twice the rate: (90 + 100) / 2 seconds.
  EXPECT_DOUBLE_EQ(EstimateSecondsLeft(Standings{MakeStanding(RunState::kRunning, 100, 10, 1024.0),
                                                 MakeStanding(RunState::kQueued, 100, 0)},
                                       Sweep()),
                   95.0);
}

TEST(ProgressTest, SlotsShareTheWorkButNotOneRun) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 0, 512.0),
                         MakeStanding(RunState::kRunning, 100, 0, 512.0)};
  EXPECT_DOUBLE_EQ(EstimateSecondsLeft(standings, Sweep()), 100.0);
  standings.push_back(MakeStanding(RunState::kQueued, 1000, 0));
  EXPECT_DOUBLE_EQ(EstimateSecondsLeft(standings, Sweep()), 1000.0);
}

TEST(ProgressTest, HeldOutRunsComeAfterAllOthers) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 0, 512.0),
                         MakeStanding(RunState::kRunning, 100, 0, 512.0),
                         MakeStanding(RunState::kQueued, 60, 0)};
  standings[2].run.key = RunKey("held out");
  Sweep holding;
  holding.held_out = {standings[2].run.key};
  EXPECT_DOUBLE_EQ(EstimateSecondsLeft(standings, Sweep()), 130.0);
  EXPECT_DOUBLE_EQ(EstimateSecondsLeft(standings, holding), 160.0);
}

TEST(ProgressTest, AShapeThatHasNotRunIsScaledByThoseThatHave) {
  Standings standings = {MakeStanding(RunState::kRunning, 100, 50, 512.0),
                         MakeStanding(RunState::kQueued, 100, 0)};
  standings[1].run.config.model.width *= 4;
  const double at_512 = EstimateSecondsLeft(standings, Sweep());
  standings[0].tokens_per_s = 1024.0;
  EXPECT_NEAR(EstimateSecondsLeft(standings, Sweep()), at_512 / 2, 1e-9 * at_512);
}

TEST(ProgressTest, TimeLeftIsUnknownBeforeAnyRateOrWithoutAWorkerAndNoneAtTheEnd) {
  EXPECT_LT(EstimateSecondsLeft(Standings{MakeStanding(RunState::kRunning, 100, 0)}, Sweep()), 0);
  EXPECT_LT(EstimateSecondsLeft(Standings{MakeStanding(RunState::kSucceeded, 100, 100, 512.0),
                                          MakeStanding(RunState::kQueued, 100, 0)},
                                Sweep()),
            0);
  EXPECT_EQ(EstimateSecondsLeft(Standings{MakeStanding(RunState::kSucceeded, 100, 100),
                                          MakeStanding(RunState::kFailed, 100, 3)},
                                Sweep()),
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
