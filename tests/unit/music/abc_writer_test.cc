#include "lib/music/abc_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

// The music of a score of one line, after its %%MIDI line, without the last newline.
std::string MusicOf(const Score& score) {
  const absl::StatusOr<std::string> text = WriteAbc(score);
  EXPECT_TRUE(text.ok()) << text.status();
  const std::size_t head = text->find("%%MIDI");
  const std::size_t line = text->find('\n', head) + 1;
  return text->substr(line, text->size() - line - 1);
}

Score InKey(Score score, int fifths, Mode mode = Mode::kMajor) {
  score.keys = {{.at = 0, .key = {.fifths = fifths, .mode = mode}}};
  return score;
}

TEST(AbcWriterTest, AHeaderSaysWhatThereIsAndNoTitle) {
  Score score = InKey(MakeScore(4, {MakeNote(0, 4), MakeNote(4, 2)}), -1);
  score.meters = {{.at = 0, .beats = 3, .unit = 4}};
  score.tempos = {{.at = 0, .us_per_quarter = 600'000}};
  score.voices[0].program = 73;
  EXPECT_EQ(*WriteAbc(score),
            "X:1\nM:3/4\nL:1/8\nQ:1/4=100\nK:F\nV:1\n%%MIDI program 73\nC2 Cz3 |\n");
}

TEST(AbcWriterTest, ATitleIsWrittenWhenAskedFor) {
  const Score score = MakeScore(4, {MakeNote(0, 16)});
  EXPECT_EQ(WriteAbc(score, {.title = "Air"})->substr(0, 11), "X:1\nT:Air\nM");
}

TEST(AbcWriterTest, OctavesAreMarked) {
  const Score score = MakeScore(1, {MakeNote(0, 1, 48), MakeNote(1, 1, 60), MakeNote(2, 1, 72),
                                    MakeNote(3, 1, 84), MakeNote(4, 1, 0), MakeNote(5, 1, 127)});
  EXPECT_EQ(MusicOf(score), "C, C c c' | =C,,,,, =g'''' z2 |");
}

TEST(AbcWriterTest, AccidentalsAreThoseTheKeyDoesNotHave) {
  const Score score = MakeScore(1, {MakeNote(0, 1, 66), MakeNote(1, 1, 65), MakeNote(2, 1, 65),
                                    MakeNote(3, 1, 66), MakeNote(4, 1, 65)});
  EXPECT_EQ(MusicOf(InKey(score, 1)), "F =F F ^F | =F z3 |");
}

TEST(AbcWriterTest, AnAccidentalIsRepeatedInAnotherOctave) {
  const Score score = MakeScore(
      1, {MakeNote(0, 1, 66), MakeNote(1, 1, 78), MakeNote(2, 1, 77), MakeNote(3, 1, 66)});
  EXPECT_EQ(MusicOf(score), "^F ^f =f ^F |");
}

TEST(AbcWriterTest, NotesAreTiedOverBarLinesWithTheirAccidental) {
  EXPECT_EQ(MusicOf(MakeScore(1, {MakeNote(3, 3, 61)})), "z6 ^C2- | ^C4 z4 |");
}

TEST(AbcWriterTest, LengthsWithoutANoteValueAreTied) {
  EXPECT_EQ(MusicOf(MakeScore(4, {MakeNote(0, 5), MakeNote(5, 11)})), "C4- CC3- C8 |");
}

TEST(AbcWriterTest, ChordsAreBracketed) {
  const Score score = MakeScore(4, {MakeNote(0, 8), MakeNote(0, 8, 64), MakeNote(8, 8, 67)});
  EXPECT_EQ(MusicOf(score), "[CE]4 G4 |");
}

TEST(AbcWriterTest, TripletsAreThreeInTheTimeOfTwo) {
  const Score score = MakeScore(12, {MakeNote(0, 4), MakeNote(4, 4), MakeNote(8, 4),
                                     MakeNote(12, 8), MakeNote(20, 4), MakeNote(24, 12)});
  EXPECT_EQ(MusicOf(score), "(3CCC (3:2:2C2C C2 z2 |");
}

TEST(AbcWriterTest, QuarterTripletsFillAHalf) {
  const Score score = MakeScore(3, {MakeNote(0, 2), MakeNote(2, 2), MakeNote(4, 2)});
  EXPECT_EQ(MusicOf(score), "(3CCC z2 |");
}

TEST(AbcWriterTest, ANoteFromATripletIntoTheNextBeatIsTied) {
  const Score score = MakeScore(12, {MakeNote(0, 4), MakeNote(4, 4), MakeNote(8, 16)});
  EXPECT_EQ(MusicOf(score), "(3CCC- C2 z4 |");
}

TEST(AbcWriterTest, OverlappingNotesGetALineOfTheirOwn) {
  const Score score = MakeScore(1, {MakeNote(0, 4, 48), MakeNote(0, 2, 72), MakeNote(2, 2, 71)});
  EXPECT_EQ(*WriteAbc(score),
            "X:1\nM:4/4\nL:1/8\nK:C\nV:1\n%%MIDI program 0\nc4 B4 |\n"
            "V:2\n%%MIDI program 0\nC,8 |\n");
}

TEST(AbcWriterTest, PercussionIsChannelTenWithItsInstrumentsAsPitches) {
  Score score = MakeScore(1, {MakeNote(0, 1, 36), MakeNote(0, 1, 42), MakeNote(2, 2, 38)});
  score.voices[0].drums = true;
  EXPECT_EQ(*WriteAbc(score),
            "X:1\nM:4/4\nL:1/4\nK:C\nV:1 clef=perc\n%%MIDI channel 10\n[C,,^F,,] z D,,2 |\n");
}

TEST(AbcWriterTest, MetersAndKeysChangeAtBarLines) {
  Score score = InKey(MakeScore(1, {MakeNote(0, 4, 66), MakeNote(4, 3, 66)}), 1);
  score.meters = {{.at = 0, .beats = 4, .unit = 4}, {.at = 4, .beats = 3, .unit = 4}};
  score.keys.push_back({.at = 4, .key = {.fifths = 0}});
  score.tempos = {{.at = 0, .us_per_quarter = 500'000}, {.at = 6, .us_per_quarter = 1'000'000}};
  EXPECT_EQ(MusicOf(score), "F8 | [M:3/4][K:C][Q:1/4=90] ^F6 |");
}

TEST(AbcWriterTest, NoMoreVoicesThanProgramsRead) {
  Score score = MakeScore(4, {});
  for (int voice = 0; voice < 200; ++voice) {
    score.voices.push_back({.name = {}, .program = voice % 128, .notes = {MakeNote(voice, 4)}});
  }
  const std::string text = *WriteAbc(score);
  EXPECT_NE(text.find("V:30"), std::string::npos);
  EXPECT_EQ(text.find("V:31"), std::string::npos);
}

TEST(AbcWriterTest, AScoreOffTheGridIsRefused) {
  EXPECT_FALSE(WriteAbc(MakeScore(480, {MakeNote(0, 480)})).ok());
}

TEST(AbcLayoutTest, EachLayoutComesBackFromTheOther) {
  Score score = MakeScore(1, {MakeNote(0, 4, 48), MakeNote(1, 8, 72), MakeNote(12, 30, 71)});
  score.voices.push_back({.name = {}, .drums = true, .notes = {MakeNote(7, 1, 36)}});
  score.meters = {{.at = 0, .beats = 4, .unit = 4}, {.at = 8, .beats = 3, .unit = 4}};
  const std::string voices = *WriteAbc(score);
  const std::string bars = *WriteAbc(score, {.layout = AbcLayout::kBars});
  EXPECT_NE(bars.find("\n[V:1] C,4 | [V:2] z c3- | [V:3] z4 |\n"), std::string::npos) << bars;
  EXPECT_EQ(Deinterleave(bars), voices);
  EXPECT_EQ(Interleave(voices), bars);
}

TEST(AbcLayoutTest, OtherTextIsNoTuneOfOurs) {
  EXPECT_EQ(Interleave("no music"), std::nullopt);
  EXPECT_EQ(Interleave("X:1\nK:C\nCDE|\n"), std::nullopt);
  EXPECT_EQ(Interleave("X:1\nK:C\nV:1\nCDE\n"), std::nullopt);
  EXPECT_EQ(Deinterleave("X:1\nK:C\nV:1\n[V:2] C |\n"), std::nullopt);
  EXPECT_EQ(Interleave("X:1\nK:C\n"), "X:1\nK:C\n");
}

}  // namespace
}  // namespace etude
