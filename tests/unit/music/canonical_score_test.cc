#include "lib/music/canonical_score.h"

#include <gmock/gmock.h>

#include "lib/music/piano_roll_tokenizer.h"

namespace etude {
namespace {

Score Melody(std::vector<Note> notes) {
  Score score;
  score.voices.resize(1);
  score.voices[0].notes = std::move(notes);
  return score;
}

TEST(CanonicalScoreTest, GridsAndVelocitiesAndVoicesDoNotMatter) {
  const Score one = Melody({{0, 480, 60, 100}, {480, 160, 62, 90}});
  Score other;
  other.ticks_per_quarter = 12;
  other.voices.resize(2);
  other.voices[0].notes = {{12, 4, 62, 1}};
  other.voices[1].notes = {{0, 12, 60, 2}, {0, 6, 60, 3}};
  EXPECT_EQ(CanonicalNotes(one), CanonicalNotes(other));
  EXPECT_EQ(QuarterCount(one), 2);
}

TEST(CanonicalScoreTest, FidelityCountsNotesLostAndNotesMadeUp) {
  const Score two = Melody({{0, 480, 60}, {480, 480, 62}});
  EXPECT_EQ(CompareScores(two, two).share(), 1);
  EXPECT_EQ(CompareScores(two, Melody({{0, 480, 60}})).share(), 0.5);
  EXPECT_EQ(CompareScores(Melody({{0, 480, 60}}), two).share(), 0.5);
  EXPECT_EQ(CompareScores(two, Melody({{0, 240, 60}, {480, 480, 62}})).share(), 0.5);
}

TEST(CanonicalScoreTest, AGridWithoutTripletsKeepsNone) {
  const Score triplets = Melody({{0, 160, 60}, {160, 160, 62}, {320, 160, 64}});
  for (const int steps : {4, 12}) {
    const PianoRollTokenizer tokenizer(steps);
    const TokenIds ids = tokenizer.EncodeScore(triplets).value();
    EXPECT_EQ(RoundTrip(tokenizer, ids, triplets, "").share(), steps == 12 ? 1 : 0) << steps;
  }
}

}  // namespace
}  // namespace etude
