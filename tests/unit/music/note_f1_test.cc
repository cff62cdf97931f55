#include "lib/music/note_f1.h"

#include <gtest/gtest.h>

#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

TEST(NoteF1Test, AScoreAgreesWithItself) {
  const Score score = MakeScore(4, {MakeNote(0, 4), MakeNote(4, 2, 62)});
  EXPECT_EQ(MatchNotes(score, score).All().F1(), 1);
  EXPECT_EQ(MatchNotes(score, score).All().DurationF1(), 1);
}

TEST(NoteF1Test, SilenceAgreesWithSilence) {
  EXPECT_EQ(MatchNotes(MakeScore(4, {}), MakeScore(480, {})).pitched.F1(), 1);
}

TEST(NoteF1Test, AnEighthOfAQuarterIsNearEnoughAndNoMore) {
  const Score reference = MakeScore(480, {MakeNote(480, 100)});
  EXPECT_EQ(MatchNotes(reference, MakeScore(8, {MakeNote(9, 2)})).pitched.matched, 1);
  EXPECT_EQ(MatchNotes(reference, MakeScore(480, {MakeNote(541, 100)})).pitched.matched, 0);
  EXPECT_EQ(MatchNotes(reference, MakeScore(480, {MakeNote(419, 100)})).pitched.matched, 0);
}

TEST(NoteF1Test, EachNoteIsPairedOnce) {
  const Score twice = MakeScore(4, {MakeNote(0, 4), MakeNote(0, 4)});
  const Score once = MakeScore(4, {MakeNote(0, 4)});
  const NoteMatch match = MatchNotes(twice, once).pitched;
  EXPECT_EQ(match.matched, 1);
  EXPECT_DOUBLE_EQ(match.F1(), 2.0 / 3);
}

TEST(NoteF1Test, PercussionIsCountedApart) {
  Score drums = MakeScore(4, {MakeNote(0, 4, 36)});
  drums.voices[0].drums = true;
  const NoteAgreement agreement = MatchNotes(drums, MakeScore(4, {MakeNote(0, 4, 36)}));
  EXPECT_EQ(agreement.drums.F1(), 0);
  EXPECT_EQ(agreement.pitched.F1(), 0);
}

TEST(NoteF1Test, DurationsAgreeWithinAFifth) {
  const Score reference = MakeScore(10, {MakeNote(0, 100)});
  EXPECT_EQ(MatchNotes(reference, MakeScore(10, {MakeNote(0, 120)})).pitched.durations, 1);
  EXPECT_EQ(MatchNotes(reference, MakeScore(10, {MakeNote(0, 121)})).pitched.durations, 0);
}

}  // namespace
}  // namespace etude
