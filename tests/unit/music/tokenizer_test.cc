#include "lib/music/tokenizer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::string_view kTune =
    "M:6/8\nL:1/8\nK:Gm\n|: {c}[^GB]3/2 z2 ^f'/ (3abc d2>e2 ~D- | D :|\nK:D\nD4|]\n";

std::unique_ptr<const Tokenizer> Learned(const std::string& name, std::string_view text = kTune) {
  const auto builder = NewVocabularyBuilder(*ParseTokenizerName(name));
  builder->Add(text, /*sample=*/true);
  auto tokenizer = builder->Finish();
  EXPECT_TRUE(tokenizer.ok()) << MessageOf(tokenizer.status());
  return *std::move(tokenizer);
}

TEST(TokenizerTest, NamesAreReadAndWritten) {
  for (const char* name : {"char", "note", "remi", "pianoroll:4", "bpe:512:char", "bpe:512:note"}) {
    const auto parsed = ParseTokenizerName(name);
    ASSERT_TRUE(parsed.ok()) << name;
    EXPECT_EQ(parsed->text(), name);
  }
  EXPECT_EQ(ParseTokenizerName("bpe:512")->text(), "bpe:512:char");
  EXPECT_EQ(ParseTokenizerName("pianoroll")->text(), "pianoroll:24");
}

TEST(TokenizerTest, OtherNamesAreRefusedWithThoseAllowed) {
  for (const char* name : {"", "word", "bpe", "bpe:", "bpe:x", "bpe:5", "bpe:70000", "bpe:512:remi",
                           "pianoroll:0", "pianoroll:97", "char:1", "remi:8"}) {
    const auto parsed = ParseTokenizerName(name);
    ASSERT_TRUE(absl::IsInvalidArgument(parsed.status())) << name;
    EXPECT_NE(MessageOf(parsed.status()).find("bpe:SIZE"), std::string::npos);
  }
}

TEST(TokenizerTest, TextSurvivesEverySchemeOfText) {
  for (const char* name : {"char", "note", "bpe:60", "bpe:60:note"}) {
    const auto tokenizer = Learned(name);
    EXPECT_EQ(tokenizer->form(), MusicForm::kText);
    const auto ids = tokenizer->Encode(kTune);
    ASSERT_TRUE(ids.ok()) << name;
    EXPECT_EQ(tokenizer->Decode(*ids), kTune) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(tokenizer->EncodeScore({}).status()));
  }
}

TEST(TokenizerTest, VocabJsonCarriesTheScheme) {
  for (const char* name : {"char", "note", "remi", "pianoroll:4", "bpe:60:char", "bpe:60:note"}) {
    const auto tokenizer = Learned(name);
    const auto again = TokenizerFromJson(tokenizer->ToJson(), "vocab.json");
    ASSERT_TRUE(again.ok()) << MessageOf(again.status());
    EXPECT_EQ((*again)->scheme(), name);
    EXPECT_EQ((*again)->tokens(), tokenizer->tokens());
    EXPECT_EQ((*again)->doc_token(), tokenizer->doc_token());
    EXPECT_EQ((*again)->ToJson(), tokenizer->ToJson());
    if ((*again)->form() == MusicForm::kText) {
      EXPECT_EQ(*(*again)->Encode(kTune), *tokenizer->Encode(kTune));
    }
  }
}

TEST(TokenizerTest, AVocabularyWithoutSchemeIsOfCharacters) {
  const auto tokenizer = TokenizerFromJson(R"({"char_to_id":{"a":0,"b":1}})", "v");
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ((*tokenizer)->scheme(), "char");
}

TEST(TokenizerTest, DamagedVocabulariesAreDataLoss) {
  const std::string bpe = Learned("bpe:60")->ToJson();
  nlohmann::json forward = nlohmann::json::parse(bpe);
  forward["merges"][0][0] = 59;
  nlohmann::json odds = nlohmann::json::parse(bpe);
  odds["tokens"].back() = "x";
  nlohmann::json remi = nlohmann::json::parse(Learned("remi")->ToJson());
  remi["tokens"].erase(7);
  for (const std::string& text :
       {std::string("[]"), std::string(R"({"scheme":"word"})"), std::string(R"({"scheme":3})"),
        std::string(R"({"scheme":"note","tokens":["<doc>"]})"), forward.dump(), odds.dump(),
        remi.dump(), std::string(R"({"scheme":"bpe:60:char","tokens":["a"]})")}) {
    EXPECT_TRUE(absl::IsDataLoss(TokenizerFromJson(text, "v").status())) << text.substr(0, 80);
  }
}

TEST(TokenizerTest, NoteTokensAreLexemesWithoutTheirLengths) {
  const auto tokenizer = Learned("note");
  const auto& tokens = tokenizer->tokens();
  for (const char* token :
       {"K:Gm", "\n", "^G", "B", "]", "3/2", "z", "2", "^f'", "(3", "~", "|]"}) {
    EXPECT_TRUE(std::ranges::find(tokens, token) != tokens.end()) << token;
  }
}

TEST(TokenizerTest, AnUnseenLexemeIsSpelledAndAnUnseenCharacterIsUnknown) {
  const auto tokenizer = Learned("note");
  const TokenIds ids = tokenizer->Encode("K:D/2m\n").value();
  EXPECT_EQ(ids.size(), 7u);
  EXPECT_EQ(tokenizer->Decode(ids), "K:D/2m\n");
  const std::string unseen = tokenizer->Decode(*tokenizer->Encode("K:Gm\nE2"));
  EXPECT_EQ(unseen,
            "K:Gm\n\xEF\xBF\xBD"
            "2");
}

TEST(TokenizerTest, NoBpeTokenHoldsALineEndBesidesItself) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "K:D\nABAB\n";
  const auto tokenizer = Learned("bpe:40", text);
  EXPECT_EQ(tokenizer->vocab(), 12);  // <doc>, <unk>, 6 characters, AB, ABAB, K:, K:D
  for (const std::string& token : tokenizer->tokens()) {
    EXPECT_TRUE(token == "\n" || token.find('\n') == std::string::npos) << token;
  }
}

TEST(TokenizerTest, ABpeVocabularyHasRoomForItsBase) {
  const auto builder = NewVocabularyBuilder(*ParseTokenizerName("bpe:16"));
  builder->Add(kTune, true);
  const auto refused = builder->Finish();
  ASSERT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_NE(MessageOf(refused.status()).find("--tokenizer bpe:"), std::string::npos);
}

}  // namespace
}  // namespace etude
