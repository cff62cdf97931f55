#include "lib/music/melody_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lib/base/random.h"
#include "lib/music/abc_transpose.h"

namespace etude {
namespace {

Score RandomMelody(std::uint64_t seed, int notes) {
  const CounterRandom random(seed, RandomStream::kBootstrap);
  Score score;
  score.voices.resize(1);
  for (int i = 0; i < notes; ++i) {
    score.voices[0].notes.push_back(
        {.onset = i * 240, .duration = 240, .pitch = 60 + static_cast<int>(random.Below(i, 12))});
  }
  return score;
}

bool ShareAKey(const Score& a, const Score& b) {
  const std::vector<std::string> keys = MelodyKeys(a);
  const std::set<std::string> of_a(keys.begin(), keys.end());
  return std::ranges::any_of(MelodyKeys(b), [&](const auto& key) { return of_a.contains(key); });
}

TEST(MelodyKeysTest, TranspositionAndInstrumentsChangeNothing) {
  const Score melody = RandomMelody(1, 100);
  Score moved = *TransposeScore(melody, 5);
  moved.voices[0].program = 40;
  moved.ticks_per_quarter *= 2;
  for (Note& note : moved.voices[0].notes) {
    note.onset *= 2;
    note.duration *= 2;
  }
  EXPECT_EQ(MelodyKeys(moved), MelodyKeys(melody));
  EXPECT_EQ(TransposedIdentity(moved), TransposedIdentity(melody));
  moved.voices[0].notes[50].pitch += 1;
  EXPECT_NE(TransposedIdentity(moved), TransposedIdentity(melody));
}

TEST(MelodyKeysTest, AnArrangementThatKeepsMostOfTheTuneSharesAPhrase) {
  const Score melody = RandomMelody(2, 200);
  Score arrangement = melody;
  std::vector<Note>& notes = arrangement.voices[0].notes;
  notes.erase(notes.begin(), notes.begin() + 10);  // without its upbeat
  for (std::size_t i = 120; i < notes.size(); ++i) notes[i].pitch = 60 + (i * 5 % 7);
  EXPECT_TRUE(ShareAKey(melody, arrangement));
}

TEST(MelodyKeysTest, OtherTunesAndCommonFiguresShareNone) {
  for (std::uint64_t seed = 10; seed < 40; ++seed) {
    EXPECT_FALSE(ShareAKey(RandomMelody(seed, 200), RandomMelody(seed + 100, 200)));
  }
  Score trill = RandomMelody(1, 100);
  for (std::size_t i = 0; i < 100; ++i) trill.voices[0].notes[i].pitch = 60 + (i % 2);
  EXPECT_TRUE(MelodyKeys(trill).empty());
}

}  // namespace
}  // namespace etude
