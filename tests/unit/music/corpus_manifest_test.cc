#include "lib/music/corpus_manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace etude {
namespace {

using nlohmann::json;

CorpusManifest MakeManifest() {
  CorpusManifest manifest;
  manifest.tokenizer = "char";
  manifest.vocab = 69;
  manifest.doc_token = 0;
  manifest.chars_per_token = 1;
  manifest.sources = {{.file = "a/b.abc", .sha256 = std::string(64, 'a'), .bytes = 12}};
  manifest.counts.tunes_found = 7;
  manifest.split_rule = "by version group";
  manifest.shares = SplitShares{.train = 90, .val = 9, .test = 1};
  manifest.seed = 18446744073709551615u;
  manifest.split(Split::kVal) = {.tokens = 5, .documents = 2, .unknown_tokens = 1};
  for (const char* name : {"train.npy", "val.npy", "test.npy", "vocab.json"}) {
    manifest.files.push_back({.name = name, .sha256 = std::string(64, 'b'), .bytes = 3});
  }
  manifest.licence_notes = {"public domain"};
  return manifest;
}

absl::Status Parse(const json& root) {
  return ManifestFromJson(root.dump(), "corpus.json").status();
}

TEST(CorpusManifestTest, SurvivesJson) {
  const std::string text = ManifestToJson(MakeManifest());
  const auto again = ManifestFromJson(text, "corpus.json");
  ASSERT_TRUE(again.ok()) << MessageOf(again.status());
  EXPECT_EQ(ManifestToJson(*again), text);
  EXPECT_EQ(again->seed, 18446744073709551615u);
  EXPECT_EQ(again->split(Split::kVal).documents, 2);
  EXPECT_FALSE(again->split(Split::kTest).documents);
}

TEST(CorpusManifestTest, EveryKeyThatIsMissingIsNamed) {
  const json whole = json::parse(ManifestToJson(MakeManifest()));
  for (const auto& [key, value] : whole.items()) {
    json root = whole;
    root.erase(key);
    EXPECT_TRUE(absl::IsDataLoss(Parse(root))) << key;
    EXPECT_NE(MessageOf(Parse(root)).find("'" + key + "'"), std::string::npos) << key;
  }
}

TEST(CorpusManifestTest, EveryKeyOfAWrongTypeIsDataLoss) {
  const json whole = json::parse(ManifestToJson(MakeManifest()));
  for (const auto& [key, value] : whole.items()) {
    for (const json& wrong : {json(true), json(-1), json::array({1}), json::object()}) {
      json root = whole;
      root[key] = wrong;
      EXPECT_FALSE(Parse(root).ok()) << key << " " << wrong;
    }
  }
}

TEST(CorpusManifestTest, FileNamesAreFixedSoThatNonePointsElsewhere) {
  json root = json::parse(ManifestToJson(MakeManifest()));
  root["files"][0]["name"] = "../../etc/passwd";
  EXPECT_TRUE(absl::IsDataLoss(Parse(root)));
}

TEST(CorpusManifestTest, TextThatIsNoManifestIsDataLoss) {
  for (const char* text : {"", "null", "[]", "{", "\xFF", "{\"vocab\":1e999}"}) {
    EXPECT_TRUE(absl::IsDataLoss(ManifestFromJson(text, "x").status())) << text;
  }
  const std::string deep(100'000, '[');
  EXPECT_TRUE(absl::IsDataLoss(ManifestFromJson(deep, "x").status()));
}

}  // namespace
}  // namespace etude
