#include "lib/music/key.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace etude {
namespace {

TEST(KeyTest, NamesEveryKeyAsItReadsThem) {
  for (int fifths = -7; fifths <= 7; ++fifths) {
    for (int mode = 0; mode < 7; ++mode) {
      const Key key{fifths, static_cast<Mode>(mode)};
      EXPECT_EQ(ParseKeyName(KeyName(key)), key) << KeyName(key);
    }
  }
}

TEST(KeyTest, KnowsTheKeysOfTheStandardsTable) {  // abcnotation.com, 2.1, section 3.1.14
  EXPECT_EQ(ParseKeyName("C#")->fifths, 7);
  EXPECT_EQ(ParseKeyName("A#m")->fifths, 7);
  EXPECT_EQ(ParseKeyName("G#Mix")->fifths, 7);
  EXPECT_EQ(ParseKeyName("D#dorian")->fifths, 7);
  EXPECT_EQ(ParseKeyName("E#Phr")->fifths, 7);
  EXPECT_EQ(ParseKeyName("F#Lyd")->fifths, 7);
  EXPECT_EQ(ParseKeyName("B#Loc")->fifths, 7);
  EXPECT_EQ(ParseKeyName("Cb")->fifths, -7);
  EXPECT_EQ(ParseKeyName("Ebdor")->fifths, -5);
  EXPECT_EQ(ParseKeyName("E minor")->fifths, 1);
  EXPECT_EQ(ParseKeyName("HP")->fifths, 2);
}

TEST(KeyTest, RefusesWhatIsNoKey) {
  EXPECT_EQ(ParseKeyName(""), std::nullopt);
  EXPECT_EQ(ParseKeyName("none"), std::nullopt);
  EXPECT_EQ(ParseKeyName("G# major"), std::nullopt);  // eight sharps
}

TEST(KeyTest, ASignatureAltersItsLetters) {
  const Key e_flat{-3, Mode::kMajor};
  EXPECT_EQ(SignatureAccidental(e_flat, 'B'), -1);
  EXPECT_EQ(SignatureAccidental(e_flat, 'A'), -1);
  EXPECT_EQ(SignatureAccidental(e_flat, 'D'), 0);
  const Key d{2, Mode::kMajor};
  EXPECT_EQ(SignatureAccidental(d, 'C'), 1);
  EXPECT_EQ(SignatureAccidental(d, 'G'), 0);
}

TEST(KeyTest, TheTonicIsTheModesNotTheSignatures) {
  EXPECT_EQ(TonicPitchClass(*ParseKeyName("Am")), 9);
  EXPECT_EQ(TonicPitchClass(*ParseKeyName("Bb")), 10);
  EXPECT_EQ(TonicPitchClass(*ParseKeyName("Ddor")), 2);
}

}  // namespace
}  // namespace etude
