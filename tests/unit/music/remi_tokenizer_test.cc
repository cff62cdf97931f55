#include "lib/music/remi_tokenizer.h"

#include <gmock/gmock.h>
#include <stdio.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lib/base/random.h"
#include "lib/music/midi_reader.h"
#include "lib/music/midi_writer.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

using nlohmann::json;
using testing::ElementsAre;

Score OneNote(const Note& note) {
  Score score;
  score.voices.push_back({.name = "", .program = 0, .drums = false, .notes = {note}});
  return score;
}

std::vector<std::string> Words(const RemiTokenizer& tokenizer, const Score& score) {
  std::vector<std::string> words;
  const TokenIds ids = tokenizer.EncodeScore(score).value();
  for (const int id : ids) words.push_back(tokenizer.tokens()[id]);
  return words;
}

TEST(RemiTokenizerTest, VocabulariesHaveMiditoksSizes) {
  EXPECT_EQ(RemiTokenizer().vocab(), 518);
  EXPECT_EQ(RemiTokenizer({.programs = false, .tempos = false}).vocab(), 357);
}

TEST(RemiTokenizerTest, ANoteIsBarMeterPositionTempoProgramPitchVelocityDuration) {
  const Score score = OneNote({.onset = 480, .duration = 240, .pitch = 60, .velocity = 64});
  EXPECT_THAT(Words(RemiTokenizer(), score),
              ElementsAre("Bar_None", "TimeSig_4/4", "Position_0", "Tempo_121.29", "Position_8",
                          "Program_0", "Pitch_60", "Velocity_63", "Duration_0.4.8"));
}

TEST(RemiTokenizerTest, AnIncompleteFirstBarIsFilledWithRest) {
  Score score = OneNote({.onset = 0, .duration = 480, .pitch = 60});
  score.pickup = 480;
  score.meters = {{0, 3, 4}};
  const auto words = Words(RemiTokenizer({.programs = false, .tempos = false}), score);
  EXPECT_THAT(words, ElementsAre("Bar_None", "TimeSig_3/4", "Position_16", "Pitch_60",
                                 "Velocity_63", "Duration_1.0.8"));
}

TEST(RemiTokenizerTest, DecodingGivesTheNotesOnTheGrid) {
  Score score = OneNote({.onset = 960, .duration = 480, .pitch = 67, .velocity = 100});
  score.meters = {{0, 6, 8}};
  score.voices.push_back({.name = "",
                          .program = 0,
                          .drums = true,
                          .notes = {{.onset = 0, .duration = 60, .pitch = 36}}});
  const RemiTokenizer tokenizer;
  const Score again = tokenizer.DecodeScore(*tokenizer.EncodeScore(score));
  ASSERT_EQ(again.voices.size(), 2u);
  EXPECT_TRUE(again.voices[0].drums);
  EXPECT_EQ(again.voices[1].notes[0],
            (Note{.onset = 32, .duration = 16, .pitch = 67, .velocity = 99}));
  EXPECT_EQ(again.meters, score.meters);
}

TEST(RemiTokenizerTest, AnyIdsCanBeDecoded) {
  const CounterRandom random(7, RandomStream::kCorpusSplit);
  TokenIds ids;
  for (int i = 0; i < 20'000; ++i) {
    ids.push_back(static_cast<std::uint16_t>(random.Below(i, 530)));
  }
  for (const RemiTokenizer& tokenizer : {RemiTokenizer(), RemiTokenizer({false, false})}) {
    const Score score = tokenizer.DecodeScore(ids);
    EXPECT_TRUE(tokenizer.EncodeScore(score).ok());
  }
}

TEST(RemiTokenizerTest, SilenceWithoutEndIsRefused) {
  const Score score = OneNote({.onset = kMaxScoreTicks, .duration = 1, .pitch = 60});
  EXPECT_TRUE(absl::IsResourceExhausted(RemiTokenizer().EncodeScore(score).status()));
}

// Random music, some of it odd: several meters, meters miditok does not know, tracks of one
// program, performed times, pitches and durations beyond the ranges.
class RandomScore {
 public:
  explicit RandomScore(std::uint64_t seed) : random_(seed, RandomStream::kBootstrap) {
    constexpr int kDivisions[] = {480, 96, 8, 16, 89, 1024, 220, 7};
    score_.ticks_per_quarter = kDivisions[Draw(8)];
    const bool performed = Draw(2) == 0;
    const int voices = 1 + Draw(5);
    for (int i = 0; i < voices; ++i) AddVoice(performed);
    AddChanges();
    Normalize(score_);
  }
  const Score& score() const { return score_; }

 private:
  int Draw(int bound) { return static_cast<int>(random_.Below(at_++, bound)); }

  void AddVoice(bool performed) {
    constexpr int kPrograms[] = {0, 0, 24, 24, 40, 127};
    Voice voice{.name = "", .program = kPrograms[Draw(6)], .drums = Draw(5) == 0, .notes = {}};
    const int quarter = score_.ticks_per_quarter;
    const int unit = performed ? 1 : std::max(1, quarter / 4);
    std::int64_t at = 0;
    const int notes = Draw(40);
    for (int i = 0; i < notes; ++i) {
      at += std::int64_t{unit} * Draw(2 * quarter / unit + 1);
      voice.notes.push_back({.onset = at,
                             .duration = 1 + Draw(Draw(8) == 0 ? 20 * quarter : 2 * quarter),
                             .pitch = Draw(128),
                             .velocity = 1 + Draw(127)});
    }
    score_.voices.push_back(std::move(voice));
  }

  void AddChanges() {
    constexpr MeterChange kMeters[] = {{0, 4, 4}, {0, 3, 4}, {0, 6, 8}, {0, 12, 8},
                                       {0, 2, 4}, {0, 7, 8}, {0, 2, 2}, {0, 3, 8}};
    const int kinds = Draw(3) == 0 ? 2 : 8;  // often quarters alone
    for (int i = Draw(5); i > 0; --i) {
      MeterChange meter = kMeters[Draw(kinds)];
      meter.at = Draw(3) == 0 ? 0 : Draw(40 * score_.ticks_per_quarter);
      score_.meters.push_back(meter);
    }
    for (int i = Draw(6); i > 0; --i) {
      score_.tempos.push_back(
          {Draw(3) == 0 ? 0 : Draw(40 * score_.ticks_per_quarter), 150'000 + Draw(1'500'000)});
    }
  }

  CounterRandom random_;
  std::uint64_t at_ = 0;
  Score score_;
};

// Leaves out notes that begin while their pitch sounds: which off ends which is every reader's own
// choice.
void Separate(Voice& voice) {
  std::map<int, std::int64_t> ends;
  std::erase_if(voice.notes, [&](const Note& note) {
    std::int64_t& end = ends[note.pitch];
    if (note.onset < end) return true;
    end = note.onset + note.duration;
    return false;
  });
}

json ToJson(const Score& score) {
  json tracks = json::array();
  for (const Voice& voice : score.voices) {
    json notes = json::array();
    for (const Note& note : voice.notes) {
      notes.push_back({note.onset, note.duration, note.pitch, note.velocity});
    }
    tracks.push_back({{"program", voice.program}, {"drums", voice.drums}, {"notes", notes}});
  }
  json meters = json::array();
  for (const MeterChange& meter : score.meters) {
    meters.push_back({meter.at, meter.beats, meter.unit});
  }
  json tempos = json::array();
  for (const TempoChange& tempo : score.tempos) {
    tempos.push_back({tempo.at, tempo.us_per_quarter});
  }
  return {{"ticks_per_quarter", score.ticks_per_quarter},
          {"tracks", tracks},
          {"meters", meters},
          {"tempos", tempos}};
}

class RemiOracleTest : public CorpusTest {
 protected:
  void SetUp() override {
    CorpusTest::SetUp();
    const char* configured = std::getenv("ETUDE_PYTHON");
    python_ = configured != nullptr ? configured : ".deps/venv/bin/python3";
    if (std::system((python_ + " -c 'import miditok' 2>/dev/null").c_str()) != 0) {
      GTEST_SKIP() << "NOT TESTED: REMI against miditok, which " << python_
                   << " does not have; run make setup, or set ETUDE_PYTHON";
    }
  }

  json Ask(const json& scores) {
    Write("scores.json", scores.dump());
    const std::vector<std::string> lines = LinesFor(Path("scores.json"));
    return lines.size() == 1 ? json::parse(lines[0], nullptr, false) : json();
  }

  // What the oracle prints, by lines.
  std::vector<std::string> LinesFor(const std::string& arguments) {
    const std::string command =
        python_ + " tests/oracles/check_remi.py " + arguments + " 2>/dev/null";
    FILE* pipe = popen(command.c_str(), "r");
    std::string answer;
    char buffer[65536];
    while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) {
      answer.append(buffer, got);
    }
    EXPECT_EQ(pclose(pipe), 0);
    std::vector<std::string> lines;
    std::istringstream stream(answer);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  std::string python_;
};

TEST_F(RemiOracleTest, IdsEqualMiditoks) {
  constexpr int kScores = 400;
  std::vector<Score> scores;
  json asked = json::array();
  for (int seed = 0; seed < kScores; ++seed) {
    scores.push_back(RandomScore(seed).score());
    asked.push_back(ToJson(scores.back()));
  }
  const json answer = Ask(asked);
  const RemiTokenizer remi;
  const RemiTokenizer plain({.programs = false, .tempos = false});
  ASSERT_EQ(answer["tokens"], json(remi.tokens()));
  ASSERT_EQ(answer["plain_tokens"], json(plain.tokens()));
  for (int i = 0; i < kScores; ++i) {
    const json& expected = answer["scores"][i];
    EXPECT_EQ(json(*remi.EncodeScore(scores[i])), expected["remi"]) << asked[i];
    json concatenated = json::array();
    for (const json& track : expected["plain"]) {
      concatenated.insert(concatenated.end(), track.begin(), track.end());
    }
    EXPECT_EQ(json(*plain.EncodeScore(scores[i])), concatenated) << asked[i];
  }
}

TEST_F(RemiOracleTest, IdsOfMidiFilesEqualMiditoks) {
  constexpr int kFiles = 60;
  std::string paths;
  std::vector<std::string> files;
  for (int seed = 0; seed < kFiles; ++seed) {
    Score score = RandomScore(1'000 + seed).score();
    for (Voice& voice : score.voices) Separate(voice);
    files.push_back(WriteMidi(score));
    Write(std::to_string(seed) + ".mid", files.back());
    paths += " " + Path(std::to_string(seed) + ".mid");
  }
  const std::vector<std::string> lines = LinesFor(paths);
  ASSERT_EQ(lines.size(), files.size());
  for (int i = 0; i < kFiles; ++i) {
    const Score score = ReadMidiAsWritten(files[i]).score;
    EXPECT_EQ(json(*RemiTokenizer().EncodeScore(score)), json::parse(lines[i])) << i;
  }
}

}  // namespace
}  // namespace etude
