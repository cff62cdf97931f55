#include "lib/music/copy_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace etude {
namespace {

using Steps = std::vector<MelodyStep>;

Steps RandomSteps(std::size_t count, MelodyStep letters, std::mt19937& dice) {
  Steps steps(count);
  for (MelodyStep& step : steps) step = static_cast<MelodyStep>(dice() % letters);
  return steps;
}

// The longest common run, by looking at every pair of places.
std::int64_t LongestByHand(const Steps& tune, const std::vector<Steps>& tunes) {
  std::int64_t best = 0;
  for (const Steps& other : tunes) {
    for (std::size_t i = 0; i < tune.size(); ++i) {
      for (std::size_t j = 0; j < other.size(); ++j) {
        const auto ends =
            std::mismatch(tune.begin() + static_cast<std::ptrdiff_t>(i), tune.end(),
                          other.begin() + static_cast<std::ptrdiff_t>(j), other.end());
        best = std::max<std::int64_t>(best,
                                      ends.first - tune.begin() - static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  return best;
}

TEST(CopyIndexTest, FindsTheLongestRunThatComparingEveryPlaceFinds) {
  std::mt19937 dice(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Steps> tunes;
    for (int i = 0; i < 5; ++i) tunes.push_back(RandomSteps(dice() % 60, 3, dice));
    const Steps tune = RandomSteps(40, 3, dice);
    const CopyReport report = CopyIndex::Build(tunes)->Find(tune);
    ASSERT_EQ(report.longest, LongestByHand(tune, tunes)) << "round " << round;
    for (std::int64_t i = 0; i < report.longest; ++i) {
      ASSERT_EQ(tune[static_cast<std::size_t>(report.at + i)],
                tunes[report.tune][static_cast<std::size_t>(report.tune_at + i)]);
    }
  }
}

TEST(CopyIndexTest, ACopiedTuneIsCopiedWhole) {
  std::mt19937 dice(1);
  const std::vector<Steps> tunes = {RandomSteps(100, 1000, dice), RandomSteps(100, 1000, dice)};
  const CopyReport report = CopyIndex::Build(tunes)->Find(tunes[1]);
  EXPECT_EQ(report.longest, 100);
  EXPECT_EQ(report.tune, 1U);
  for (const auto& share : report.copied) EXPECT_EQ(share, 1.0);
}

TEST(CopyIndexTest, ARunNeverCrossesFromOneTuneIntoTheNext) {
  const std::vector<Steps> tunes = {{1, 2, 3, 4}, {5, 6, 7, 8}};
  EXPECT_EQ(CopyIndex::Build(tunes)->Find(Steps{1, 2, 3, 4, 5, 6, 7, 8}).longest, 4);
}

TEST(CopyIndexTest, CountsTheStepsInsideRunsOnce) {
  const std::vector<Steps> tunes = {{1, 2, 3, 4, 5, 6}};
  const CopyReport report =
      CopyIndex::Build(tunes)->Find(Steps{1, 2, 3, 4, 5, 6, 90, 91, 3, 4, 5, 92});
  EXPECT_DOUBLE_EQ(*report.copied[0], 6.0 / 12);  // of four steps or more: the first six
  EXPECT_DOUBLE_EQ(*report.copied[1], 0.0);
  EXPECT_FALSE(report.copied[2].has_value());
}

TEST(CopyIndexTest, AnEmptyTrainingSetHasNothingToCopy) {
  const CopyReport report = CopyIndex::Build({})->Find(Steps{1, 2, 3, 4});
  EXPECT_EQ(report.longest, 0);
  EXPECT_EQ(report.copied[0], 0.0);
}

}  // namespace
}  // namespace etude
