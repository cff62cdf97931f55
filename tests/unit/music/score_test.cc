#include "lib/music/score.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace etude {
namespace {

Score OneNote(std::int64_t onset, std::int64_t duration) {
  Score score;
  score.ticks_per_quarter = 4;
  score.voices.push_back({.name = {}, .notes = {{.onset = onset, .duration = duration}}});
  return score;
}

using Lines = std::vector<std::int64_t>;

TEST(ScoreTest, BarsAreOfFourQuartersWhereNothingIsSaid) {
  EXPECT_EQ(BarLines(OneNote(30, 3)), (Lines{0, 16, 32, 48}));
}

TEST(ScoreTest, BarsFollowTheMeter) {
  Score score = OneNote(40, 4);
  score.meters = {{.at = 0, .beats = 6, .unit = 8}, {.at = 24, .beats = 2, .unit = 4}};
  EXPECT_EQ(BarLines(score), (Lines{0, 12, 24, 32, 40, 48}));
}

TEST(ScoreTest, APickupComesBeforeTheFirstWholeBar) {
  Score score = OneNote(4, 4);
  score.pickup = 4;
  EXPECT_EQ(BarLines(score), (Lines{0, 4, 20}));
}

TEST(ScoreTest, AMeterChangeInsideABarEndsIt) {
  Score score = OneNote(12, 4);
  score.meters = {{.at = 8, .beats = 3, .unit = 4}};
  EXPECT_EQ(BarLines(score), (Lines{0, 8, 20}));
}

TEST(ScoreTest, NormalizeSortsAndKeepsTheLastOfTwoChangesAtOneTime) {
  Score score = OneNote(5, 2);
  score.voices[0].notes.push_back({.onset = 1, .duration = 2});
  score.tempos = {{.at = 9, .us_per_quarter = 1}, {.at = 0, .us_per_quarter = 2}};
  score.tempos.push_back({.at = 9, .us_per_quarter = 3});
  Normalize(score);
  EXPECT_EQ(score.voices[0].notes[0].onset, 1);
  EXPECT_EQ(score.end, 7);
  EXPECT_EQ(score.tempos, (std::vector<TempoChange>{{0, 2}, {9, 3}}));
}

}  // namespace
}  // namespace etude
