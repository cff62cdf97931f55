#include "coordinator/corpus_manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using nlohmann::json;

const std::string kHash(64, 'a');

json MakeManifest() {
  json root = {{"format_version", "1.0"},
               {"tokenizer", "char"},
               {"vocab", 37},
               {"chars_per_token", 1.0},
               {"doc_token", 0}};
  root["split"] = {{"rule", "as given"}};
  root["split"]["train"] = {{"tokens", 900}, {"documents", 9}, {"unknown_tokens", 0}};
  root["split"]["val"] = {{"tokens", 50}, {"documents", 1}, {"unknown_tokens", 0}};
  root["split"]["test"] = {{"tokens", 60}, {"documents", 1}, {"unknown_tokens", 0}};
  for (const char* name : {"train.npy", "val.npy", "test.npy", "vocab.json"}) {
    root["files"].push_back({{"name", name}, {"sha256", kHash}, {"bytes", 10}});
  }
  return root;
}

std::vector<ArtifactFile> FilesWith(const std::string& text) {
  return {{"train.npy", kHash, 10},
          {"val.npy", kHash, 10},
          {"test.npy", kHash, 10},
          {"vocab.json", kHash, 10},
          {"corpus.json", Sha256Hex(text), static_cast<std::int64_t>(text.size())}};
}

absl::StatusOr<Corpus> Read(const std::string& text) {
  return CorpusFromManifest(text, FilesWith(text));
}

TEST(CorpusManifestTest, TheCorpusIsWhatTheManifestCounts) {
  const std::string text = MakeManifest().dump();
  const auto corpus = Read(text);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->id.text(), Sha256Hex(text));
  EXPECT_EQ(corpus->vocab, 37);
  EXPECT_EQ(corpus->train_tokens, 900);
  EXPECT_EQ(corpus->val_tokens, 50);
  EXPECT_EQ(corpus->test_tokens, 60);
  EXPECT_EQ(corpus->tokenizer, "char");
  EXPECT_EQ(corpus->files.size(), 5u);
}

TEST(CorpusManifestTest, AFileOtherThanListedIsRefused) {
  const std::string text = MakeManifest().dump();
  for (const auto& change : std::vector<std::function<void(std::vector<ArtifactFile>&)>>{
           [](auto& files) { files[0].bytes = 11; },
           [](auto& files) { files[1].sha256 = std::string(64, 'b'); },
           [](auto& files) { files[3].name = "other.json"; },
           [](auto& files) { files[4].sha256 = std::string(64, 'b'); },
           [](auto& files) { files.pop_back(); },
           [](auto& files) {
             files.push_back({"extra", std::string(64, 'e'), 1});
           }}) {
    std::vector<ArtifactFile> files = FilesWith(text);
    change(files);
    EXPECT_EQ(CorpusFromManifest(text, files).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(CorpusManifestTest, AMissingOrWrongKeyIsNamed) {
  for (const char* key :
       {"format_version", "tokenizer", "vocab", "chars_per_token", "split", "files"}) {
    json missing = MakeManifest();
    missing.erase(key);
    json wrong = MakeManifest();
    wrong[key] = true;
    for (const json& root : {missing, wrong}) {
      const absl::Status status = Read(root.dump()).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
      EXPECT_NE(MessageOf(status).find(key), std::string::npos) << MessageOf(status);
    }
  }
}

TEST(CorpusManifestTest, HostileTextIsRefused) {
  const std::vector<std::string> texts = {"",
                                          "[]",
                                          "{",
                                          std::string(1 << 20, '['),
                                          "{\"a\":" + std::string(100, '[') + "}",
                                          "{\"vocab\": 1e999}",
                                          "\"\\"};
  for (const std::string& text : texts) {
    EXPECT_EQ(Read(text).status().code(), absl::StatusCode::kInvalidArgument);
  }
  json negative = MakeManifest();
  negative["split"]["val"]["tokens"] = -1;
  EXPECT_FALSE(Read(negative.dump()).ok());
  json huge = MakeManifest();
  huge["vocab"] = 1 << 30;
  EXPECT_FALSE(Read(huge.dump()).ok());
}

TEST(CorpusManifestTest, BracketsInsideTextsAreNotNesting) {
  json root = MakeManifest();
  root["licence_notes"] = {std::string(100, '['), "a \\\" {{{{{{{{{{{{{{{{{{{{{{{"};
  EXPECT_TRUE(Read(root.dump()).ok());
}

}  // namespace
}  // namespace etude
