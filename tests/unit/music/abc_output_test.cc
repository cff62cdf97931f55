// What is written can be read: by our reader, by abc2midi and by abcjs.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/music/abc_reader.h"
#include "lib/music/abc_writer.h"
#include "lib/music/midi_convert.h"
#include "lib/music/midi_writer.h"
#include "lib/music/note_f1.h"
#include "lib/music/quantize.h"
#include "tests/unit/music/corpus_fixture.h"
#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

// A draw from [low, high] that is the same on every machine.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  int Roll(int low, int high) {
    return low + static_cast<int>(random_() % static_cast<unsigned>(high - low + 1));
  }

 private:
  std::mt19937 random_;
};

std::vector<Note> AnyNotes(Dice& dice, int steps, bool drums) {
  std::vector<Note> notes;
  std::int64_t onset = dice.Roll(0, 4 * steps);
  const int count = dice.Roll(1, 60);
  for (int i = 0; i < count; ++i) {
    const int chord = dice.Roll(1, 3);
    const int duration = dice.Roll(1, 3 * steps);
    for (int n = 0; n < chord; ++n) {
      const int pitch = drums ? dice.Roll(35, 81) : dice.Roll(0, 127);
      notes.push_back(
          MakeNote(onset, dice.Roll(0, 3) == 0 ? dice.Roll(1, steps) : duration, pitch));
    }
    onset += dice.Roll(0, 2) == 0 ? dice.Roll(1, 2 * steps) : duration;
  }
  return notes;
}

// Any music that a file may hold, on the grid that its meters need.
Score AnyScore(unsigned seed) {
  constexpr std::array<int, 9> kSteps = {1, 2, 3, 4, 6, 8, 12, 16, 24};
  constexpr std::array<int, 5> kUnits = {2, 4, 4, 8, 16};
  Dice dice(seed);
  Score score;
  score.ticks_per_quarter = kSteps[seed % kSteps.size()];
  const int voices = dice.Roll(1, seed % 10 == 0 ? 40 : 5);
  for (int voice = 0; voice < voices; ++voice) {
    const bool drums = dice.Roll(0, 4) == 0;
    score.voices.push_back({.name = "T:\n%%bad",
                            .program = dice.Roll(0, 127),
                            .drums = drums,
                            .notes = AnyNotes(dice, score.ticks_per_quarter, drums)});
  }
  for (int change = dice.Roll(0, 3); change > 0; --change) {
    const std::int64_t at = dice.Roll(0, 40) * score.ticks_per_quarter;
    score.meters.push_back(
        {at, dice.Roll(1, 13), kUnits[static_cast<std::size_t>(dice.Roll(0, 4))]});
    score.keys.push_back(
        {at, {.fifths = dice.Roll(-7, 7), .mode = static_cast<Mode>(dice.Roll(0, 6))}});
    score.tempos.push_back({at + dice.Roll(0, 3), dice.Roll(100'000, 2'000'000)});
  }
  Normalize(score);
  return Quantize(score, score.ticks_per_quarter);
}

// All voices share thirty lines: notes may be shortened, and of equal ones a few lost.
bool IsCrowded(const Score& score) { return score.voices.size() > 3; }

TEST(AbcOutputTest, OurReaderFindsEveryNote) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    const Score score = AnyScore(seed);
    const std::string text = *WriteAbc(score);
    const AbcReading reading = ReadAbc(text);
    const NoteMatch match = MatchNotes(score, reading.score).All();
    EXPECT_GE(match.DurationF1(), IsCrowded(score) ? 0.5 : 1) << "seed " << seed << "\n" << text;
    EXPECT_GE(match.F1(), IsCrowded(score) ? 0.98 : 1) << "seed " << seed << "\n" << text;
    EXPECT_TRUE(reading.bars_right) << "seed " << seed << "\n" << text;
    EXPECT_EQ(reading.warning_count, 0) << reading.warnings.front().message << "\n" << text;
  }
}

TEST(AbcOutputTest, BothLayoutsAreOneMusic) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    const Score score = AnyScore(seed);
    const std::string voices = *WriteAbc(score);
    const std::string bars = *WriteAbc(score, {.layout = AbcLayout::kBars});
    EXPECT_EQ(Deinterleave(bars), voices);
    EXPECT_EQ(Interleave(voices), bars);
    EXPECT_EQ(MatchNotes(ReadAbc(voices).score, ReadAbc(bars).score).All().DurationF1(), 1);
  }
}

TEST(AbcOutputTest, AMidiFileCutAnywhereIsConvertedOrRefused) {
  const std::string whole = WriteMidi(AnyScore(4));
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const MidiConversion conversion = ConvertMidi(whole.substr(0, size));
    EXPECT_FALSE(conversion.reason.empty()) << size;
    EXPECT_EQ(conversion.abc.empty(), conversion.notes_in == 0) << size;
    if (!conversion.abc.empty()) {
      EXPECT_EQ(conversion.agreement.All().F1(), 1) << size;
    }
  }
}

TEST(AbcOutputTest, ADamagedMidiFileIsConvertedOrRefused) {
  const std::string whole = WriteMidi(AnyScore(5));
  Dice dice(1);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 5; ++i) {
      damaged[static_cast<std::size_t>(dice.Roll(0, static_cast<int>(damaged.size()) - 1))] =
          static_cast<char>(dice.Roll(0, 255));
    }
    const MidiConversion conversion = ConvertMidi(damaged);
    if (!conversion.abc.empty()) {
      EXPECT_GT(conversion.agreement.All().F1(), 0.9) << round;
    }
  }
}

class AbcOutputOracleTest : public CorpusTest {};

// What abc2midi and abcjs complain of, through tests/oracles/check_abc_output.py.
std::string AskOthers(const std::string& dir) {
  const char* configured = std::getenv("ETUDE_PYTHON");
  const std::string python = configured != nullptr ? configured : "python3";
  const std::string line = python + " tests/oracles/check_abc_output.py \"" + dir + "\"";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(line.c_str(), "r"), pclose);
  std::string answer;
  std::array<char, 4096> buffer;
  while (fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) answer += buffer.data();
  return answer;
}

TEST_F(AbcOutputOracleTest, OtherProgramsHaveNothingToComplainOf) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    const AbcLayout layout = seed % 2 == 0 ? AbcLayout::kVoices : AbcLayout::kBars;
    const std::string path = Path("seed" + std::to_string(seed) + ".abc");
    ASSERT_TRUE(WriteFileAtomically(path, *WriteAbc(AnyScore(seed), {.layout = layout})).ok());
  }
  const std::string answer = AskOthers(Path(""));
  const bool abc2midi = answer.find("no abc2midi\n") == std::string::npos;
  const bool abcjs = answer.find("no abcjs\n") == std::string::npos;
  std::string nothing = std::string(abc2midi ? "" : "no abc2midi\n") + (abcjs ? "" : "no abcjs\n");
  nothing += std::string("checked 60 by") + (abc2midi ? " abc2midi" : "") + (abcjs ? " abcjs" : "");
  EXPECT_EQ(answer, nothing + "\n");
  if (!abc2midi || !abcjs) {
    GTEST_SKIP() << "NOT TESTED: " << answer << "run make setup";
  }
}

}  // namespace
}  // namespace etude
