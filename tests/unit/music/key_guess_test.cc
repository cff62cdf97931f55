#include "lib/music/key_guess.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/music/spelling.h"
#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

Score Melody(const std::vector<int>& pitches) {
  std::vector<Note> notes;
  for (const int pitch : pitches) {
    notes.push_back(MakeNote(static_cast<std::int64_t>(notes.size()), 1, pitch));
  }
  return MakeScore(1, notes);
}

std::string Spelled(const Key& key, int pitch) {
  const SpelledPitch spelled = SpellPitches(key)[static_cast<std::size_t>(pitch)];
  std::string text(1, spelled.letter);
  text += spelled.accidental > 0 ? std::string(static_cast<std::size_t>(spelled.accidental), '#')
                                 : std::string(static_cast<std::size_t>(-spelled.accidental), 'b');
  return text + std::to_string(spelled.octave);
}

TEST(KeyGuessTest, AMelodyOfEachMajorKeyIsInIt) {
  for (int tonic = 0; tonic < 12; ++tonic) {
    std::vector<int> pitches;
    for (const int step : {0, 4, 7, 5, 9, 5, 2, 11, 7, 4, 2, 0})
      pitches.push_back(60 + tonic + step);
    const KeyGuess guess = GuessKey(Melody(pitches));
    EXPECT_EQ(TonicPitchClass(guess.key), tonic);
    EXPECT_EQ(guess.key.mode, Mode::kMajor);
    EXPECT_GT(guess.confidence, 0.3);
  }
}

TEST(KeyGuessTest, AHarmonicMinorMelodyIsMinor) {
  const KeyGuess guess = GuessKey(Melody({69, 72, 76, 74, 72, 71, 69, 68, 69, 76, 77, 76, 69}));
  EXPECT_EQ(KeyName(guess.key), "Am");
}

TEST(KeyGuessTest, WithoutPitchesNothingIsKnown) {
  Score score = Melody({36, 38, 42});
  score.voices[0].drums = true;
  EXPECT_EQ(GuessKey(score).confidence, 0);
  EXPECT_EQ(GuessKey(Score{}).confidence, 0);
}

TEST(SpellingTest, NotesOfTheScaleAreTheSignatures) {
  EXPECT_EQ(Spelled({.fifths = 2}, 66), "F#4");
  EXPECT_EQ(Spelled({.fifths = -3}, 63), "Eb4");
  EXPECT_EQ(Spelled({.fifths = 7}, 60), "B#3");
  EXPECT_EQ(Spelled({.fifths = -7}, 59), "Cb4");
}

TEST(SpellingTest, OthersAreThoseOfNearKeys) {
  EXPECT_EQ(Spelled({}, 66), "F#4");
  EXPECT_EQ(Spelled({}, 70), "Bb4");
  EXPECT_EQ(Spelled({.fifths = 0, .mode = Mode::kMinor}, 68), "G#4");
  EXPECT_EQ(Spelled({.fifths = 0, .mode = Mode::kMajor}, 68), "Ab4");
}

TEST(SpellingTest, EveryPitchOfEveryKeySoundsAsItself) {
  const std::string letters = "C D EF G A B";
  for (int fifths = -7; fifths <= 7; ++fifths) {
    for (const Mode mode : {Mode::kMajor, Mode::kMinor, Mode::kLydian, Mode::kLocrian}) {
      const auto spelled = SpellPitches({.fifths = fifths, .mode = mode});
      for (int pitch = 0; pitch < 128; ++pitch) {
        const SpelledPitch& p = spelled[static_cast<std::size_t>(pitch)];
        const int natural = static_cast<int>(letters.find(p.letter)) + 12 * (p.octave + 1);
        ASSERT_EQ(natural + p.accidental, pitch) << fifths;
        ASSERT_GE(p.octave, -1);
        ASSERT_LE(p.octave, 9);
      }
    }
  }
}

}  // namespace
}  // namespace etude
