#include "lib/music/piano_roll_tokenizer.h"

#include <gmock/gmock.h>

#include "lib/base/random.h"

namespace etude {
namespace {

using testing::ElementsAre;

Score Melody(std::vector<Note> notes) {
  Score score;
  score.ticks_per_quarter = 4;
  score.voices.push_back({.name = "", .program = 0, .drums = false, .notes = std::move(notes)});
  return score;
}

std::vector<std::string> Words(const Score& score) {
  const PianoRollTokenizer tokenizer(4);
  std::vector<std::string> words;
  const TokenIds ids = tokenizer.EncodeScore(score).value();
  for (const int id : ids) words.push_back(tokenizer.tokens()[id]);
  return words;
}

TEST(PianoRollTokenizerTest, AHeldNoteAndOneStruckAgainDiffer) {
  EXPECT_THAT(Words(Melody({{0, 8, 60}})), ElementsAre("On_60", "Step_8"));
  EXPECT_THAT(Words(Melody({{0, 4, 60}, {4, 4, 60}})),
              ElementsAre("On_60", "Step_4", "On_60", "Step_4"));
  EXPECT_THAT(Words(Melody({{0, 8, 60}, {4, 4, 64}})),
              ElementsAre("On_60", "Step_4", "Held_60", "On_64", "Step_4"));
}

TEST(PianoRollTokenizerTest, SilenceIsAFrameWithoutPitches) {
  EXPECT_THAT(Words(Melody({{6, 2, 60}})), ElementsAre("Step_6", "On_60", "Step_2"));
  EXPECT_THAT(Words(Melody({{0, 40, 60}})), ElementsAre("On_60", "Step_32", "Held_60", "Step_8"));
}

TEST(PianoRollTokenizerTest, DrumsAreStruckOnly) {
  Score score = Melody({{0, 2, 60}});
  score.voices.push_back({.name = "", .program = 0, .drums = true, .notes = {{1, 9, 36}}});
  EXPECT_THAT(Words(score), ElementsAre("On_60", "Step_1", "Held_60", "Drum_36", "Step_1"));
}

TEST(PianoRollTokenizerTest, NotesOnTheGridSurvive) {
  const CounterRandom random(3, RandomStream::kBootstrap);
  std::vector<Note> notes;
  for (int pitch = 40; pitch < 80; ++pitch) {
    std::int64_t at = 0;
    for (int i = 0; i < 20; ++i) {
      at += static_cast<std::int64_t>(random.Below(pitch * 100 + 2 * i, 5));
      const auto duration =
          static_cast<std::int64_t>(1 + random.Below(pitch * 100 + 2 * i + 1, 50));
      notes.push_back({.onset = at, .duration = duration, .pitch = pitch});
      at += duration;
    }
  }
  Score score = Melody(notes);
  Normalize(score);
  const PianoRollTokenizer tokenizer(4);
  const Score again = tokenizer.DecodeScore(*tokenizer.EncodeScore(score));
  ASSERT_EQ(again.voices.size(), 1u);
  EXPECT_EQ(again.voices[0].notes, score.voices[0].notes);
}

TEST(PianoRollTokenizerTest, AnyIdsCanBeDecoded) {
  const CounterRandom random(5, RandomStream::kBootstrap);
  TokenIds ids;
  for (int i = 0; i < 20'000; ++i) {
    ids.push_back(static_cast<std::uint16_t>(random.Below(i, 600)));
  }
  const PianoRollTokenizer tokenizer(12);
  EXPECT_TRUE(tokenizer.EncodeScore(tokenizer.DecodeScore(ids)).ok());
}

TEST(PianoRollTokenizerTest, SilenceWithoutEndIsRefused) {
  const Score score = Melody({{kMaxScoreTicks, 1, 60}});
  EXPECT_TRUE(absl::IsResourceExhausted(PianoRollTokenizer(12).EncodeScore(score).status()));
}

}  // namespace
}  // namespace etude
