#include "lib/music/char_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace etude {
namespace {

using testing::ElementsAre;

CharTokenizer Make(const std::vector<std::string>& texts) {
  return *CharTokenizer::FromTexts(texts);
}

TEST(CharTokenizerTest, SpecialTokensComeFirstThenCharactersInByteOrder) {
  const CharTokenizer tokenizer = Make({"ba\n", "ac"});
  EXPECT_THAT(tokenizer.tokens(), ElementsAre("<doc>", "<unk>", "\n", "a", "b", "c"));
  EXPECT_EQ(tokenizer.doc_token(), 0);
  EXPECT_EQ(tokenizer.unknown_token(), 1);
}

TEST(CharTokenizerTest, TextSurvivesEncodingAndDecoding) {
  const CharTokenizer tokenizer = Make({"M:6/8\nK:Gm\nAB\xC3\xBC|"});
  const std::string text = "A\xC3\xBC|B\n";
  const auto ids = *tokenizer.Encode(text);
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_EQ(tokenizer.Decode(ids), text);
}

TEST(CharTokenizerTest, CharactersNotSeenInTrainingBecomeUnknown) {
  const CharTokenizer tokenizer = Make({"ab"});
  EXPECT_THAT(*tokenizer.Encode("axb\xFF"), ElementsAre(2, 1, 3, 1));
  EXPECT_EQ(tokenizer.Decode(std::vector<std::uint16_t>{0, 2, 1, 3, 99}),
            "a\xEF\xBF\xBD"
            "b");
}

TEST(CharTokenizerTest, VocabularySurvivesJson) {
  const CharTokenizer tokenizer = Make({"\"\\\n\xC3\xBC"});
  const auto again = CharTokenizer::FromJson(tokenizer.ToJson(), "vocab.json");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->tokens(), tokenizer.tokens());
}

TEST(CharTokenizerTest, TheCourseStudysReaderFindsItsKey) {
  const auto root = nlohmann::json::parse(Make({"ab"}).ToJson());
  EXPECT_EQ(root["char_to_id"]["a"], 2);
  EXPECT_EQ(root["format_version"], "1.0");
  EXPECT_EQ(root["tokens"][0], "<doc>");
}

TEST(CharTokenizerTest, TheCourseStudysLayoutIsReadAndHasNoDocument) {
  const auto tokenizer = CharTokenizer::FromJson(R"({"char_to_id":{"\n":0," ":1,"A":2}})", "v");
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ(tokenizer->vocab(), 3);
  EXPECT_FALSE(tokenizer->doc_token());
  EXPECT_TRUE(absl::IsInvalidArgument(tokenizer->Encode("AB").status()));
}

TEST(CharTokenizerTest, DamagedVocabulariesAreDataLoss) {
  for (const char* json :
       {"", "[]", "{}", R"({"char_to_id":{}})", R"({"char_to_id":{"a":1}})",
        R"({"char_to_id":{"a":0,"b":0}})", R"({"char_to_id":{"a":-1}})",
        R"({"char_to_id":{"a":"0"}})", R"({"char_to_id":{"a":0.5}})", R"({"char_to_id":{"":0}})",
        R"({"char_to_id":{"a":18446744073709551615}})", R"({"char_to_id":[0]})",
        R"({"tokens":["b"],"char_to_id":{"a":0}})", R"({"tokens":7,"char_to_id":{"a":0}})",
        "{\"char_to_id\":{\"\xFF\":0}}"}) {
    EXPECT_TRUE(absl::IsDataLoss(CharTokenizer::FromJson(json, "v").status())) << json;
  }
}

}  // namespace
}  // namespace etude
