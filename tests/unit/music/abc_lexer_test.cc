#include "lib/music/abc_lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace etude {
namespace {

using testing::ElementsAre;
using Kind = AbcLexKind;
using Kinds = std::vector<AbcLexKind>;
using Texts = std::vector<std::string_view>;

std::vector<AbcLexeme> LexMusic(std::string_view text) {
  return LexAbc(text, AbcLexer::Start::kMusic);
}

Texts TextsOf(const std::vector<AbcLexeme>& lexemes) {
  Texts texts;
  for (const AbcLexeme& lexeme : lexemes) texts.push_back(lexeme.text);
  return texts;
}

Kinds KindsOf(const std::vector<AbcLexeme>& lexemes) {
  Kinds kinds;
  for (const AbcLexeme& lexeme : lexemes) kinds.push_back(lexeme.kind);
  return kinds;
}

std::string Joined(const std::vector<AbcLexeme>& lexemes) {
  std::string text;
  for (const AbcLexeme& lexeme : lexemes) text += lexeme.text;
  return text;
}

TEST(AbcLexerTest, ANoteIsOneLexemeWithItsAccidentalOctaveAndLength) {
  EXPECT_THAT(TextsOf(LexMusic("^f'3/2_B,,2=c//__Ed/^^g4/")),
              ElementsAre("^f'3/2", "_B,,2", "=c//", "__E", "d/", "^^g4/"));
}

TEST(AbcLexerTest, HeaderMusicAndWhatFollowsTheEmptyLineAreToldApart) {
  EXPECT_EQ(KindsOf(LexAbc("X:1\nsome words\nK:G % sic\n%%MIDI program 3\nA\n\nA\n")),
            (Kinds{Kind::kField, Kind::kLineEnd, Kind::kText, Kind::kLineEnd, Kind::kField,
                   Kind::kComment, Kind::kLineEnd, Kind::kDirective, Kind::kLineEnd, Kind::kNote,
                   Kind::kLineEnd, Kind::kLineEnd, Kind::kText, Kind::kLineEnd}));
}

TEST(AbcLexerTest, BarsAndEndings) {
  EXPECT_THAT(TextsOf(LexMusic("|A:|2B|]c::d|1,3e[2-4[|]||:.|[|:")),
              ElementsAre("|", "A", ":|", "2", "B", "|]", "c", "::", "d", "|", "1,3", "e", "[2-4",
                          "[|]", "||:", ".|", "[|:"));
}

TEST(AbcLexerTest, ASectionsEndAtALinesStartIsNoField) {
  EXPECT_EQ(KindsOf(LexMusic("A:|\nd::")),
            (Kinds{Kind::kNote, Kind::kBar, Kind::kLineEnd, Kind::kNote, Kind::kBar}));
  EXPECT_EQ(KindsOf(LexMusic("w:|la")), Kinds{Kind::kField});
}

TEST(AbcLexerTest, Groups) {
  EXPECT_EQ(KindsOf(LexMusic("[CE]2{/g}(3:2:4(A.(B).-)[K:D]")),
            (Kinds{Kind::kChordOpen, Kind::kNote, Kind::kNote, Kind::kChordClose, Kind::kGraceOpen,
                   Kind::kNote, Kind::kGraceClose, Kind::kTuplet, Kind::kSlurOpen, Kind::kNote,
                   Kind::kSlurOpen, Kind::kNote, Kind::kSlurClose, Kind::kTie, Kind::kSlurClose,
                   Kind::kInlineField}));
}

TEST(AbcLexerTest, NamesQuotesAndBreaks) {
  EXPECT_THAT(
      TextsOf(LexMusic("\"Am\"!trill!A!+p+B$c&\\ \n")),
      ElementsAre("\"Am\"", "!trill!", "A", "!", "+p+", "B", "$", "c", "&", "\\", " ", "\n"));
}

TEST(AbcLexerTest, WhatMeansNothingIsUnknownCharacterByCharacter) {
  EXPECT_EQ(KindsOf(LexMusic("C#")), (Kinds{Kind::kNote, Kind::kUnknown}));
  EXPECT_THAT(TextsOf(LexMusic("^z\xC3\xA9\"")), ElementsAre("^", "z", "\xC3\xA9", "\""));
}

TEST(AbcLexerTest, LengthsAreExactFractions) {
  EXPECT_EQ(ParseAbcLength(""), Rational(1));
  EXPECT_EQ(ParseAbcLength("3/2"), Rational(3, 2));
  EXPECT_EQ(ParseAbcLength("/"), Rational(1, 2));
  EXPECT_EQ(ParseAbcLength("3//"), Rational(3, 4));
  EXPECT_EQ(ParseAbcLength("/8"), Rational(1, 8));
  EXPECT_FALSE(ParseAbcLength("1/0").exact());
  EXPECT_FALSE(ParseAbcLength("99999999999999999999").exact());
  EXPECT_FALSE(ParseAbcLength(std::string(100, '/')).exact());
}

TEST(AbcLexerTest, NotesAreTakenApart) {
  const AbcNote note = ParseAbcNote("^^f''3/2");
  EXPECT_EQ(note.accidental, 2);
  EXPECT_EQ(note.NaturalPitch(), 60 + 5 + 36);
  EXPECT_EQ(note.length, "3/2");
  EXPECT_EQ(ParseAbcNote("B,").NaturalPitch(), 59);
  EXPECT_EQ(ParseAbcNote("=c").accidental, 0);
  EXPECT_EQ(ParseAbcNote("c").accidental, std::nullopt);
}

TEST(AbcLexerTest, LexemesOfAnyBytesGiveTheTextAgain) {
  constexpr std::string_view kAlphabet =
      "ABcdzZxXy^_=,'0123456789/<>|:[](){}-.~!+\"$&%\\ \n\rKVMw#\xC3\xA9";
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t i = random() % 60; i > 0; --i) text += kAlphabet[random() % kAlphabet.size()];
    ASSERT_EQ(Joined(LexAbc(text)), text);
    ASSERT_EQ(Joined(LexMusic(text)), text);
  }
}

TEST(AbcLexerTest, ALongLineOfOpenGroupsTakesNoLongTime) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += "[A:!a\\";
  EXPECT_EQ(Joined(LexMusic(text)), text);
}

}  // namespace
}  // namespace etude
