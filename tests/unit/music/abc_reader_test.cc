#include "lib/music/abc_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace etude {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The notes of a voice in eighths: "0+2:60" begins at once, lasts a quarter, is middle C.
std::string NotesOf(const Score& score, std::size_t voice = 0) {
  const double eighth = score.ticks_per_quarter / 2.0;
  std::string text;
  if (voice >= score.voices.size()) return "no such voice";
  for (const Note& note : score.voices[voice].notes) {
    if (!text.empty()) text += ' ';
    text += fmt::format("{}+{}:{}", static_cast<double>(note.onset) / eighth,
                        static_cast<double>(note.duration) / eighth, note.pitch);
  }
  return text;
}

// The pitches alone.
std::string PitchesOf(const AbcReading& reading, std::size_t voice = 0) {
  std::string text;
  if (voice >= reading.score.voices.size()) return "no such voice";
  for (const Note& note : reading.score.voices[voice].notes) {
    text += (text.empty() ? "" : " ") + std::to_string(note.pitch);
  }
  return text;
}

// A tune in C of eighths and 4/4.
AbcReading Read(const std::string& music, const std::string& header = "M:4/4\nL:1/8\nK:C\n") {
  return ReadAbc("X:1\n" + header + music + "\n");
}

std::string Played(const std::string& music, const std::string& header = "M:4/4\nL:1/8\nK:C\n") {
  return NotesOf(Read(music, header).score);
}

std::string Pitches(const std::string& music, const std::string& header = "M:none\nL:1/8\nK:C\n") {
  return PitchesOf(Read(music, header));
}

std::vector<AbcFault> FaultsOf(const AbcReading& reading) {
  std::vector<AbcFault> faults;
  for (const AbcWarning& warning : reading.warnings) faults.push_back(warning.fault);
  return faults;
}

std::vector<AbcFault> Faults(const std::string& music) {
  return FaultsOf(Read(music, "M:none\nL:1/8\nK:C\n"));
}

TEST(AbcReaderTest, NotesAndRestsFollowEachOther) {
  EXPECT_EQ(Played("C2 z E/ G,, c'3/2|"), "0+2:60 3+0.5:64 3.5+1:43 4.5+1.5:84");
  EXPECT_EQ(Played("CxE//y2F"), "0+1:60 2+0.25:64 2.25+1:65");
}

TEST(AbcReaderTest, TheGridIsTheCoarsestThatHoldsAllLengths) {
  EXPECT_EQ(Read("C4").score.ticks_per_quarter, 1);
  EXPECT_EQ(Read("C").score.ticks_per_quarter, 2);
  EXPECT_EQ(Read("(3CDE F/").score.ticks_per_quarter, 12);
}

TEST(AbcReaderTest, TheUnitFollowsTheMeterWhereNoFieldGivesIt) {
  EXPECT_EQ(ReadAbc("M:2/4\nK:C\nC").header.unit, Rational(1, 16));
  EXPECT_EQ(ReadAbc("M:3/4\nK:C\nC").header.unit, Rational(1, 8));
  EXPECT_EQ(ReadAbc("M:none\nK:C\nC").header.unit, Rational(1, 8));
  EXPECT_EQ(Played("C[L:1/4]C\nL:1/16\nC"), "0+1:60 1+2:60 3+0.5:60");
}

TEST(AbcReaderTest, ChordsLastAsTheirFirstNote) {
  EXPECT_EQ(Played("[CEG]2 c"), "0+2:60 0+2:64 0+2:67 2+1:72");
  EXPECT_EQ(Played("[C2E4]/ c"), "0+1:60 0+2:64 1+1:72");
}

TEST(AbcReaderTest, TupletsTakeTheTimeThatTheMeterSays) {
  EXPECT_EQ(Played("(3C/D/E/ F"),
            fmt::format("0+{0}:60 {0}+{0}:62 {1}+{0}:64 1+1:65", 1 / 3.0, 2 / 3.0));
  EXPECT_EQ(Played("(2CD E", "M:6/8\nL:1/8\nK:C\n"), "0+1.5:60 1.5+1.5:62 3+1:64");
  EXPECT_EQ(Read("(5CDEFG A").score.voices[0].notes[5].onset * 2,
            Read("(5CDEFG A").score.ticks_per_quarter * 2);
  EXPECT_EQ(Read("(5CDEFG A", "M:6/8\nL:1/8\nK:C\n").score.voices[0].notes[5].onset * 2,
            Read("(5CDEFG A").score.ticks_per_quarter * 3);
  EXPECT_EQ(Played("(3:2:2C2D F"),
            fmt::format("0+{}:60 {}+{}:62 2+1:65", 4 / 3.0, 4 / 3.0, 2 / 3.0));
}

TEST(AbcReaderTest, BrokenRhythmsDotOneNoteAndCutTheOther) {
  EXPECT_EQ(Played("C>D E<F"), "0+1.5:60 1.5+0.5:62 2+0.5:64 2.5+1.5:65");
  EXPECT_EQ(Played("C>>D"), "0+1.75:60 1.75+0.25:62");
  EXPECT_EQ(Played("[CE] > {g}D"), "0+1.5:60 0+1.5:64 1.5+0.5:62");
  EXPECT_EQ(Played("(3C>DE F"),
            fmt::format("0+1:60 1+{}:62 {}+{}:64 2+1:65", 1 / 3.0, 4 / 3.0, 2 / 3.0));
}

TEST(AbcReaderTest, BetweenUnequalNotesABrokenRhythmChangesNothing) {
  const AbcReading reading = Read("C>D/E/");
  EXPECT_EQ(NotesOf(reading.score), "0+1:60 1+0.5:62 1.5+0.5:64");
  EXPECT_THAT(FaultsOf(reading), ElementsAre(AbcFault::kBadBroken));
}

TEST(AbcReaderTest, TiesJoinNotesOfOnePitch) {
  EXPECT_EQ(Played("C2-C D-|D"), "0+3:60 3+2:62");
  EXPECT_EQ(Played("[CE]2-[CE]"), "0+3:60 0+3:64");
  EXPECT_EQ(Played("[C-E]2[CF]"), "0+2:64 0+3:60 2+1:65");
  EXPECT_EQ(Played("C-(C-C)"), "0+3:60");
}

TEST(AbcReaderTest, ATieToNothingIsReported) {
  const AbcReading reading = Read("C-D E-");
  EXPECT_EQ(NotesOf(reading.score), "0+1:60 1+1:62 2+1:64");
  EXPECT_THAT(FaultsOf(reading), ElementsAre(AbcFault::kBadTie, AbcFault::kBadTie));
  EXPECT_EQ(Faults("z-C"), std::vector{AbcFault::kBadTie});
}

TEST(AbcReaderTest, ATieCarriesItsAccidentalOverTheBarLine) {
  EXPECT_EQ(Played("^F8-|F F"), "0+9:66 9+1:65");
}

TEST(AbcReaderTest, AccidentalsHoldToTheBarLineInAllOctaves) {
  EXPECT_EQ(Pitches("^F F f =F F|F"), "66 66 78 65 65 65");
  EXPECT_EQ(Pitches("__B ^^C"), "69 62");
  EXPECT_EQ(Pitches("%%propagate-accidentals octave\n^F f F|F"), "66 77 66 65");
  EXPECT_EQ(Pitches("[I:propagate-accidentals not]^F F"), "66 65");
}

TEST(AbcReaderTest, KeysGiveAccidentals) {
  EXPECT_EQ(Pitches("FCB", "K:D\n"), "66 61 71");
  EXPECT_EQ(Pitches("FCB", "K:Gm\n"), "65 60 70");
  EXPECT_EQ(Pitches("FCB", "K:D =c\n"), "66 60 71");
  EXPECT_EQ(Pitches("FCB", "K:D exp ^f _b\n"), "66 60 70");
  EXPECT_EQ(Pitches("FCB", "K:none\n"), "65 60 71");
  EXPECT_EQ(Pitches("FCB", "K:HP\n"), "66 61 71");
  EXPECT_EQ(Pitches("F[K:G]F\nK:C\nF"), "65 66 65");
}

TEST(AbcReaderTest, KeysOfTheScoreAreThoseThatTheSignatureMakes) {
  EXPECT_EQ(Read("C", "K:D =c\n").score.keys,
            (std::vector<KeyChange>{{0, {1, Mode::kMixolydian}}}));
  EXPECT_THAT(Read("C", "K:none\n").score.keys, IsEmpty());
  EXPECT_EQ(Read("C8|[K:Em]C8", "M:4/4\nL:1/8\nK:C\n").score.keys,
            (std::vector<KeyChange>{{0, {}},
                                    {4 * Read("C8").score.ticks_per_quarter, {1, Mode::kMinor}}}));
}

TEST(AbcReaderTest, StavesTranspose) {
  EXPECT_EQ(Pitches("C", "K:C transpose=-2\n"), "58");
  EXPECT_EQ(Pitches("C", "K:C clef=treble-8\n"), "48");
  EXPECT_EQ(Pitches("V:1 octave=1\nC", "K:C\n"), "72");
}

TEST(AbcReaderTest, RepeatsArePlayed) {
  EXPECT_EQ(Pitches("|:C:|D"), "60 60 62");
  EXPECT_EQ(Pitches("C::D:|E"), "60 60 62 62 64");
  EXPECT_EQ(Pitches("|::C::|D"), "60 60 60 62");
  EXPECT_EQ(Pitches("A,|:C:|D:|"), "57 60 60 62 62");
}

TEST(AbcReaderTest, ARepeatWithoutAStartGoesBackToTheLastDoubleBar) {
  EXPECT_EQ(Pitches("C|D||E:|F|]G:|"), "60 62 64 64 65 67 67");
  EXPECT_EQ(Pitches("|:C||D:|"), "60 62 60 62");
}

TEST(AbcReaderTest, EndingsAreChosenByThePass) {
  EXPECT_EQ(Pitches("|:C|1D:|2E|F"), "60 62 60 64 65");
  EXPECT_EQ(Pitches("C[1D:|[2E||G:|"), "60 62 60 64 67 67");
  EXPECT_EQ(Pitches("|:C|1,3D:|2,4E:|F"), "60 62 60 64 60 62 60 64 65");
  EXPECT_EQ(Pitches("|:C|1-3D:|4E|]"), "60 62 60 62 60 62 60 64");
  EXPECT_EQ(Pitches("|:C|1D:|E"), "60 62 60 64");
}

TEST(AbcReaderTest, TiesGoOverRepeats) { EXPECT_EQ(Played("|:C-|1C:|2C|"), "0+2:60 2+2:60"); }

TEST(AbcReaderTest, BarRestsLastBars) {
  EXPECT_EQ(Played("Z2|C", "M:3/4\nL:1/8\nK:C\n"), "12+1:60");
  EXPECT_EQ(Read("Z2|C", "M:3/4\nL:1/8\nK:C\n").bars.size(), 3u);
}

TEST(AbcReaderTest, LayersOfABarSoundTogether) {
  EXPECT_EQ(Played("C8&E4 G4|c"), "0+4:64 0+8:60 4+4:67 8+1:72");
  EXPECT_TRUE(Read("C8&E4G4|").bars_right);
  EXPECT_FALSE(Read("C8|C8&E4|C8|").bars_right);
}

TEST(AbcReaderTest, GraceNotesAndDecorationsTakeNoTime) {
  EXPECT_EQ(Played("{gag}C!trill!D\"Am\"~E.F(GA)vB"),
            "0+1:60 1+1:62 2+1:64 3+1:65 4+1:67 5+1:69 6+1:71");
}

TEST(AbcReaderTest, VoicesInBlocksOrLineByLine) {
  for (const char* music :
       {"V:1\nCD|\nEF|\nV:2\nC,D,|\nE,F,|", "V:1\nCD|\nV:2\nC,D,|\nV:1\nEF|\nV:2\nE,F,|",
        "[V:1]CD|[V:2]C,D,|\n[V:1]EF|[V:2]E,F,|"}) {
    const AbcReading reading = Read(music);
    EXPECT_EQ(NotesOf(reading.score, 0), "0+1:60 1+1:62 2+1:64 3+1:65");
    EXPECT_EQ(NotesOf(reading.score, 1), "0+1:48 1+1:50 2+1:52 3+1:53");
  }
}

TEST(AbcReaderTest, VoicesHaveNamesProgramsAndDrums) {
  const AbcReading reading = Read(
      "V:1 name=\"Flute 1\"\n%%MIDI program 73\nC\nV:2\n%%MIDI channel 10\n%%MIDI drummap ^d "
      "42\n^dC\n"
      "V:3\nG\n");
  ASSERT_EQ(reading.score.voices.size(), 3u);
  EXPECT_EQ(reading.score.voices[0].name, "Flute 1");
  EXPECT_EQ(reading.score.voices[0].program, 73);
  EXPECT_TRUE(reading.score.voices[1].drums);
  EXPECT_EQ(PitchesOf(reading, 1), "42 60");
  EXPECT_EQ(reading.score.voices[2].name, "3");
  EXPECT_FALSE(reading.score.voices[2].drums);
}

TEST(AbcReaderTest, FieldsOfTheMusicAreAboutTheirVoice) {
  const AbcReading reading =
      Read("V:1\nF\nK:G\nF\nV:2\nF\nL:1/4\nF\nV:1\nF", "V:1\nV:2\nM:4/4\nL:1/8\nK:C\n");
  EXPECT_EQ(NotesOf(reading.score, 0), "0+1:65 1+1:66 2+1:66");
  EXPECT_EQ(NotesOf(reading.score, 1), "0+1:65 1+2:65");
}

TEST(AbcReaderTest, TemposInAllForms) {
  const auto tempo = [](const std::string& field) {
    return Read("C", "Q:" + field + "\nL:1/8\nK:C\n").header.us_per_quarter;
  };
  EXPECT_EQ(tempo("1/4=120"), 500'000);
  EXPECT_EQ(tempo("\"Allegro\" 3/8=80 \"x\""), 500'000);
  EXPECT_EQ(tempo("120"), 1'000'000);
  EXPECT_EQ(tempo("1/4 3/8=60"), 400'000);
  EXPECT_EQ(tempo("\"Slow\""), std::nullopt);
  EXPECT_EQ(Read("C8|[Q:1/2=60]C8|").score.tempos, (std::vector<TempoChange>{{4, 500'000}}));
}

TEST(AbcReaderTest, MetersInAllForms) {
  const auto meter = [](const std::string& field) {
    return Read("C", "M:" + field + "\nK:C\n").header.meter;
  };
  EXPECT_EQ(meter("C"), "4/4");
  EXPECT_EQ(meter("C|"), "2/2");
  EXPECT_EQ(meter("2+3/8"), "5/8");
  EXPECT_EQ(meter("(2+2+3)/16"), "7/16");
  EXPECT_EQ(meter("none"), "none");
  EXPECT_THAT(FaultsOf(Read("C", "M:7/5\nK:C\n")), ElementsAre(AbcFault::kBadField));
}

TEST(AbcReaderTest, BarsAreMeasuredAgainstTheMeter) {
  const AbcReading reading = Read("C|C8|C6|C9|C8|C2:|C4|");
  std::vector<BarVerdict> verdicts;
  for (const AbcBar& bar : reading.bars) verdicts.push_back(bar.verdict);
  EXPECT_THAT(verdicts, ElementsAre(BarVerdict::kEdge, BarVerdict::kFull, BarVerdict::kShort,
                                    BarVerdict::kLong, BarVerdict::kFull, BarVerdict::kEdge,
                                    BarVerdict::kEdge));
  EXPECT_EQ(reading.bars[3].length, Rational(9, 8));
  EXPECT_EQ(reading.bars[3].expected, Rational(1));
  EXPECT_EQ(reading.bars[3].line, 5);
  EXPECT_EQ(reading.bars[3].column, 9);
  EXPECT_THAT(FaultsOf(reading), ElementsAre(AbcFault::kBarShort, AbcFault::kBarLong));
}

TEST(AbcReaderTest, ALineEndIsNoBarLine) {
  EXPECT_TRUE(Read("C8|C4\\\nE4|C4\nC4|[CE\nG]8|").bars_right);
}

TEST(AbcReaderTest, BarLinesOfTheScoreAreThoseOfTheText) {
  const Score pickup = Read("G2|C8|D8|").score;
  EXPECT_EQ(pickup.pickup, 2 * pickup.ticks_per_quarter / 2);
  EXPECT_THAT(BarLines(pickup), ElementsAre(0, 1, 5, 9));
  // A repeat whose last bar and upbeat make one bar needs no further meter.
  const Score whole = Read("|:G2|C8|D6:|").score;
  EXPECT_THAT(BarLines(whole), ElementsAre(0, 1, 5, 9, 13, 17));
  const Score odd = Read("|:C8|D4:|E8|").score;
  EXPECT_THAT(BarLines(odd), ElementsAre(0, 4, 6, 10, 12, 16));
  const Score changed = Read("C8|[M:3/4]D6|E6|").score;
  EXPECT_THAT(BarLines(changed), ElementsAre(0, 4, 7, 10));
}

TEST(AbcReaderTest, WhatMeansNothingDoesNotLex) {
  const AbcReading reading = Read("C#D|");
  EXPECT_FALSE(reading.lexes);
  EXPECT_EQ(reading.warnings[0].line, 5);
  EXPECT_EQ(reading.warnings[0].column, 2);
  EXPECT_EQ(NotesOf(reading.score), "0+1:60 1+1:62");
  EXPECT_TRUE(Read("U:k=!wedge!\nkCD|").lexes);
}

TEST(AbcReaderTest, NoKeyAndNoMusicAreSaid) {
  EXPECT_THAT(FaultsOf(ReadAbc("X:1\nM:4/4\nCDE|")), ElementsAre(AbcFault::kNoKey));
  EXPECT_THAT(FaultsOf(ReadAbc("X:1\nK:C\nz4|")), ElementsAre(AbcFault::kNoMusic));
  EXPECT_FALSE(ReadAbc("").plays);
  EXPECT_TRUE(ReadAbc("K:C\nC").plays);
}

TEST(AbcReaderTest, FaultyGroupsAreReportedAndPlayedAsFarAsTheyGo) {
  EXPECT_EQ(Faults("[CE|D"), std::vector{AbcFault::kBadChord});
  EXPECT_EQ(Faults("C]D[]"), (std::vector{AbcFault::kBadChord, AbcFault::kBadChord}));
  EXPECT_EQ(Faults("{gC|D"), std::vector{AbcFault::kBadGrace});
  EXPECT_EQ(Faults("(1CD"), std::vector{AbcFault::kBadTuplet});
  EXPECT_EQ(Faults("(3CD"), std::vector{AbcFault::kBadTuplet});
  EXPECT_EQ(Faults(">C>|D"), (std::vector{AbcFault::kBadBroken, AbcFault::kBadBroken}));
  EXPECT_EQ(Faults("C/0D9999999999"), (std::vector{AbcFault::kBadLength, AbcFault::kBadLength}));
  EXPECT_EQ(Faults("C,,,,,,,,D"), std::vector{AbcFault::kOutOfRange});
  EXPECT_EQ(Faults("|99C"), std::vector{AbcFault::kBadRepeat});
  EXPECT_EQ(Faults("C\nX:2\nD"), std::vector{AbcFault::kSecondTune});
}

TEST(AbcReaderTest, LengthsWithoutACommonGridAreRounded) {
  std::string music;
  for (const int prime : {3, 5, 7, 11, 13, 17, 19, 23}) music += fmt::format("C/{}", prime);
  const AbcReading reading = Read(music + "D");
  EXPECT_THAT(FaultsOf(reading), testing::Contains(AbcFault::kTooFine));
  EXPECT_EQ(reading.score.ticks_per_quarter, kMaxTicksPerQuarter);
  EXPECT_EQ(NoteCount(reading.score), 9);
}

TEST(AbcReaderTest, RepeatsOfRepeatsEndAtTheLimit) {
  std::string music = "|:";
  for (int i = 0; i < 40'000; ++i) music += "C";
  const AbcReading reading = Read(music + "|1-63C:|", "M:none\nL:1/8\nK:C\n");
  EXPECT_FALSE(reading.plays);
  EXPECT_EQ(NoteCount(reading.score), kMaxScoreNotes);
  EXPECT_THAT(FaultsOf(reading), ElementsAre(AbcFault::kTooLarge));
}

TEST(AbcReaderTest, WhatIsBeyondALimitIsLeftOutAndSaid) {
  std::string chord = "[";
  for (int i = 0; i < 200; ++i) chord += "C-";
  EXPECT_THAT(Faults(chord + "]C"), testing::Contains(AbcFault::kTooLarge));
  std::string rests;
  for (int i = 0; i < 200; ++i) rests += "Z999|";
  EXPECT_LE(Read(rests + "C").bars.size(), static_cast<std::size_t>(kMaxScoreBars));
  std::string voices;
  for (int i = 0; i < 2 * kMaxScoreVoices; ++i) voices += fmt::format("V:{}\nC|\n", i);
  EXPECT_EQ(Read(voices).score.voices.size(), static_cast<std::size_t>(kMaxScoreVoices));
  EXPECT_FALSE(Read(voices).plays);
}

constexpr char kEverything[] =
    "X:1\nT:All\nM:6/8\nL:1/8\nQ:3/8=80\nK:Gm\nV:1 name=\"A\"\n%%MIDI program 3\n"
    "|:G>A^B (3c/d/e/ {g}f|[G2B-]-[GB]2 z (2cd|1 a<b'c,, Z2:|2 (5abcde[K:D]f|]\n"
    "V:2 clef=bass-8\nM:C|\nL:1/4\nC2-|C&E,//F///[M:3/4]~.G!f!_A=B|1,3x3/2 y X|:: \"Am\"c4::|]\n"
    "w:la la\nI:MIDI channel 10\n[V:1]d>>e[I:x][P:A](f.-f)$!z8\\\nW|\n%c\n\nend\n";

TEST(AbcReaderTest, MutatedTunesNeverCrashAndTakeLittleTime) {
  constexpr std::string_view kAlphabet =
      "ABcdzZxXy^_=,'0123456789/<>|:[](){}-.~!+\"$&%\\ \n\rKVMQLPUIw#\xC3";
  const std::string tune = kEverything;
  std::mt19937 random(7);
  std::int64_t notes = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string text = tune;
    for (int change = static_cast<int>(random() % 8); change >= 0; --change) {
      const std::size_t at = random() % text.size();
      const char letter = kAlphabet[random() % kAlphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.insert(at, 1 + random() % 4, letter);
          break;
        default:
          text.erase(at, 1 + random() % 20);
      }
      if (text.empty()) text = tune;
    }
    notes += NoteCount(ReadAbc(text).score);
  }
  EXPECT_GT(notes, 1'000'000);
}

}  // namespace
}  // namespace etude
