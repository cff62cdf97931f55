#include "lib/music/abc_transpose.h"

#include <gtest/gtest.h>

#include "lib/music/abc_reader.h"
#include "lib/music/canonical_score.h"

namespace etude {
namespace {

TEST(AbcTransposeTest, NotesKeepTheirPlaceInTheScale) {
  EXPECT_EQ(TransposeAbc("M:6/8\nL:1/8\nK:G\nG2B ^c=F_e|\n", 2),
            "M:6/8\nL:1/8\nK:A\nA2c ^d=G=f|\n");
  EXPECT_EQ(TransposeAbc("K:C\nC,B,CBcb'\n", -1), "K:B\nB,,A,B,ABa'\n");
  EXPECT_EQ(TransposeAbc("K:Ddor\n^CD [K:Em]^D\n", 5), "K:Gdor\n^FG [K:Am]^G\n");
}

TEST(AbcTransposeTest, EveryKeyMovesByExactlySoManySemitones) {
  const std::string music = "\nCDEF GABc|^F_B=c^^G __Ad'e'C,|(3EGB {d}f2>g2 [CEG]4-|[CEG]4|]\n";
  for (const char* key :
       {"C", "G", "Bb", "F#", "Cb", "Am", "Ebm", "Ddor", "Gmix", "Elyd", "Bphr"}) {
    const std::string tune = "M:4/4\nL:1/8\nK:" + std::string(key) + music;
    const Score score = ReadAbc(tune).score;
    for (int semitones = -11; semitones <= 11; ++semitones) {
      const auto moved = TransposeAbc(tune, semitones);
      if (!moved) continue;  // a triple accidental
      const Score expected = *TransposeScore(score, semitones);
      EXPECT_EQ(CanonicalNotes(ReadAbc(*moved).score), CanonicalNotes(expected)) << *moved;
    }
  }
}

TEST(AbcTransposeTest, WhatCannotBeWrittenIsRefused) {
  EXPECT_FALSE(TransposeAbc("K:none\nCDE\n", 1));
  EXPECT_FALSE(TransposeAbc("K:HP\nCDE\n", 1));
  EXPECT_FALSE(TransposeAbc("K:D ^g\nCDE\n", 1));
  EXPECT_FALSE(TransposeAbc("CDE\n", 1));
  EXPECT_FALSE(TransposeAbc("K:C\n^^C[K:none]D\n", 2));
}

TEST(AbcTransposeTest, PercussionStaysAndPitchesStayWithinMidi) {
  Score score;
  score.voices.resize(2);
  score.voices[0].notes = {{0, 1, 120}};
  score.voices[1].drums = true;
  score.voices[1].notes = {{0, 1, 36}};
  EXPECT_EQ(TransposeScore(score, 7)->voices[1].notes[0].pitch, 36);
  EXPECT_FALSE(TransposeScore(score, 8));
}

}  // namespace
}  // namespace etude
