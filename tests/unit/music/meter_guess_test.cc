#include "lib/music/meter_guess.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

// Bars of `eighths`, one long low note at each start and an eighth at each of `others`.
MeterChange GuessOf(int eighths, const std::vector<int>& others) {
  std::vector<Note> notes;
  for (int bar = 0; bar < 40; ++bar) {
    notes.push_back(MakeNote(bar * eighths, 3, 40));
    for (const int other : others) notes.push_back(MakeNote(bar * eighths + other, 1, 64));
  }
  return GuessMeter(MakeScore(2, notes)).meter;
}

TEST(MeterGuessTest, AWaltzIsInThree) {
  EXPECT_EQ(GuessOf(6, {2, 4}), (MeterChange{.at = 0, .beats = 3, .unit = 4}));
}

TEST(MeterGuessTest, AMarchIsInFour) {
  EXPECT_EQ(GuessOf(8, {2, 4, 6}), (MeterChange{.at = 0, .beats = 4, .unit = 4}));
}

TEST(MeterGuessTest, AJigIsInSixEighths) {
  EXPECT_EQ(GuessOf(6, {1, 2, 3, 3, 3, 4, 5}), (MeterChange{.at = 0, .beats = 6, .unit = 8}));
}

TEST(MeterGuessTest, FivesAreFive) {
  EXPECT_EQ(GuessOf(10, {2, 4, 6, 7, 8}), (MeterChange{.at = 0, .beats = 5, .unit = 4}));
}

TEST(MeterGuessTest, AFewNotesSayNothing) {
  const MeterGuess guess = GuessMeter(MakeScore(4, {MakeNote(0, 4), MakeNote(12, 4)}));
  EXPECT_EQ(guess.meter, MeterChange{});
  EXPECT_EQ(guess.confidence, 0);
}

}  // namespace
}  // namespace etude
