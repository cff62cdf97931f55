#include "lib/music/midi_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <sstream>

#include "lib/base/file.h"
#include "lib/music/midi_reader.h"
#include "tests/unit/music/corpus_fixture.h"
#include "tests/unit/music/midi_fixture.h"

namespace etude {
namespace {

void ExpectEqual(const Score& a, const Score& b) {
  EXPECT_EQ(a.ticks_per_quarter, b.ticks_per_quarter);
  EXPECT_EQ(a.meters, b.meters);
  EXPECT_EQ(a.tempos, b.tempos);
  EXPECT_EQ(a.keys, b.keys);
  EXPECT_EQ(a.end, b.end);
  ASSERT_EQ(a.voices.size(), b.voices.size());
  for (std::size_t v = 0; v < a.voices.size(); ++v) {
    EXPECT_EQ(a.voices[v].name, b.voices[v].name) << v;
    EXPECT_EQ(a.voices[v].program, b.voices[v].program) << v;
    EXPECT_EQ(a.voices[v].drums, b.voices[v].drums) << v;
    EXPECT_EQ(a.voices[v].notes, b.voices[v].notes) << v;
  }
}

// Voices of random chords; notes of one pitch never overlap.
Score RandomScore(unsigned seed, int voices) {
  std::mt19937 dice(seed);
  const auto below = [&](unsigned n) { return static_cast<int>(dice() % n); };
  Score score;
  score.ticks_per_quarter = 1 + below(960);
  for (int v = 0; v < voices; ++v) {
    Voice voice{.name = "voice " + std::to_string(v), .program = below(128), .notes = {}};
    voice.drums = below(5) == 0;
    if (voice.drums) voice.program = 0;
    std::int64_t now = below(50);
    for (int i = 0; i < 40; ++i, now += 1 + below(300)) {
      const int lowest = below(100);
      const int longest = 1 + below(300);
      for (int pitch = lowest; pitch < lowest + 1 + below(4); ++pitch) {
        voice.notes.push_back({now, longest, pitch, 1 + below(127)});
      }
      now += longest;
    }
    score.voices.push_back(voice);
  }
  for (int i = 0; i < 3; ++i) {
    score.meters.push_back({below(9000), 1 + below(255), 1 << below(7)});
    score.tempos.push_back({below(9000), 1 + below(1 << 24)});
    score.keys.push_back({below(9000), {below(15) - 7, i == 0 ? Mode::kMinor : Mode::kMajor}});
  }
  for (TempoChange& tempo : score.tempos)
    tempo.us_per_quarter = std::min<std::int64_t>(tempo.us_per_quarter, (1 << 24) - 1);
  score.end = 10'000 + below(100'000);
  Normalize(score);
  return score;
}

TEST(MidiWriterTest, AScoreComesBackAsItWas) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Score score = RandomScore(seed, static_cast<int>(seed % 40));
    const MidiReading reading = ReadMidi(WriteMidi(score));
    for (const MidiFaultCount& fault : reading.faults) {
      EXPECT_EQ(fault.fault, MidiFault::kNoNotes) << MidiFaultName(fault.fault);
    }
    ExpectEqual(reading.score, score);
  }
}

TEST(MidiWriterTest, ARepeatedNoteBeginsWhereTheLastEnded) {
  Score score;
  score.voices = {{.name = "", .notes = {{0, 10, 60, 9}, {10, 10, 60, 8}, {20, 1, 60, 7}}}};
  Normalize(score);
  ExpectEqual(ReadMidi(WriteMidi(score)).score, score);
}

TEST(MidiWriterTest, PausesLongerThanADeltaAreWritten) {
  Score score;
  score.voices = {{.name = "", .notes = {{1'000'000'000'000, 10, 60, 9}}}};
  Normalize(score);
  ExpectEqual(ReadMidi(WriteMidi(score)).score, score);
}

TEST(MidiWriterTest, TooManyTicksAQuarterAreRescaledWithoutDrift) {
  Score score;
  score.ticks_per_quarter = 100'000;
  score.voices = {{.name = "", .notes = {}}};
  for (int i = 0; i < 3000; ++i) {
    score.voices[0].notes.push_back({i * 33'333LL, 33'333, 60 + i % 2, 64});
  }
  Normalize(score);
  const Score read = ReadMidi(WriteMidi(score)).score;
  EXPECT_EQ(read.ticks_per_quarter, kRescaledMidiTicks);
  EXPECT_EQ(read.voices[0].notes.back().onset, (2999 * 33'333LL * 30720 + 50'000) / 100'000);
}

TEST(MidiWriterTest, SixteenChannelsAreShared) {
  const auto channels = [](const std::string& file) {
    std::set<int> used;
    for (int channel = 0; channel < 16; ++channel) {
      if (file.find(static_cast<char>(0x90 | channel)) != std::string::npos) used.insert(channel);
    }
    return used;
  };
  Score score;
  for (int i = 0; i < 40; ++i) {
    score.voices.push_back({.name = "", .program = i % 3, .notes = {{i, 1, 60, 64}}});
  }
  EXPECT_EQ(channels(WriteMidi(score)), (std::set<int>{0, 1, 2}));
  for (int i = 0; i < 40; ++i) score.voices[static_cast<std::size_t>(i)].program = i;
  EXPECT_EQ(channels(WriteMidi(score)).size(), 15u);
  EXPECT_EQ(channels(WriteMidi(score)).count(kDrumChannel), 0u);
}

// "ONSET DURATION PITCH VELOCITY CHANNEL" of all notes, sorted, as check_midi.py prints them.
std::string Listing(const Score& score) {
  std::vector<Note> notes;
  for (const Voice& voice : score.voices) {
    notes.insert(notes.end(), voice.notes.begin(), voice.notes.end());
  }
  std::ranges::sort(notes);
  std::ostringstream out;
  out << "ticks " << score.ticks_per_quarter << "\n";
  for (const TempoChange& tempo : score.tempos) {
    out << "tempo " << tempo.at << " " << tempo.us_per_quarter << "\n";
  }
  for (const MeterChange& meter : score.meters) {
    out << "meter " << meter.at << " " << meter.beats << "/" << meter.unit << "\n";
  }
  for (const Note& note : notes) {
    out << note.onset << " " << note.duration << " " << note.pitch << " " << note.velocity << "\n";
  }
  return out.str();
}

// mido's answer, through tests/oracles/check_midi.py; empty where mido is not installed.
std::string AskMido(const std::string& path) {
  const char* configured = std::getenv("ETUDE_PYTHON");
  const std::string python = configured != nullptr ? configured : ".deps/venv/bin/python3";
  const std::string line = python + " tests/oracles/check_midi.py \"" + path + "\"";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(line.c_str(), "r"), pclose);
  std::string answer;
  char buffer[4096];
  while (fgets(buffer, sizeof(buffer), pipe.get()) != nullptr) answer += buffer;
  return answer;
}

class MidiOracleTest : public CorpusTest {};

TEST_F(MidiOracleTest, MidoReadsTheSameFromWhatWeWrite) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const Score score = RandomScore(seed, 20);
    const std::string path = Path("score.mid");
    ASSERT_TRUE(WriteFileAtomically(path, WriteMidi(score)).ok());
    const std::string answer = AskMido(path);
    if (answer == "no mido\n") GTEST_SKIP() << "NOT TESTED: mido is not installed; run make setup";
    EXPECT_EQ(answer, Listing(score));
  }
}

// ETUDE_MIDI_FILES names a directory of real files, such as what `etude corpus fetch game-midi`
// makes.
TEST_F(MidiOracleTest, MidoReadsTheSameFromRealFiles) {
  const char* files = std::getenv("ETUDE_MIDI_FILES");
  if (files == nullptr) GTEST_SKIP() << "NOT TESTED: ETUDE_MIDI_FILES names no directory";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(files)) {
    if (entry.path().extension() != ".mid") continue;
    const auto bytes = ReadFile(entry.path().string());
    const std::string answer = AskMido(entry.path().string());
    if (answer == "no mido\n") GTEST_SKIP() << "NOT TESTED: mido is not installed; run make setup";
    if (answer.empty()) continue;  // mido gave up
    const MidiReading reading = ReadMidi(*bytes);
    const bool guessed = std::ranges::find(reading.faults, MidiFault::kUnendedNotes,
                                           &MidiFaultCount::fault) != reading.faults.end();
    if (guessed) continue;  // where a note without off ends is a matter of taste
    EXPECT_TRUE(answer == Listing(reading.score)) << entry.path();
  }
}

}  // namespace
}  // namespace etude
