#include <gmock/gmock.h>

#include "lib/base/status.h"
#include "lib/music/corpus_build.h"
#include "lib/music/corpus_load.h"
#include "lib/music/npy.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

using Tokens = std::vector<std::uint16_t>;

class AdoptTokenFilesTest : public CorpusTest {
 protected:
  void SetUp() override {
    CorpusTest::SetUp();
    Write("study/vocab.json",
          R"({"vocab_size":3,"char_to_id":{"\n":0,"A":1,"B":2},"id_to_char":{}})");
    Write("study/train.npy", TokensToNpy(Tokens{0, 1, 2, 1}));
    Write("study/val.npy", TokensToNpy(Tokens{1, 2}));
    Write("study/test.npy", TokensToNpy(Tokens{2}));
  }
  TokenFileOptions Files() const {
    return {.train = Path("study/train.npy"),
            .val = Path("study/val.npy"),
            .test = Path("study/test.npy")};
  }
};

TEST_F(AdoptTokenFilesTest, IdsAreCopiedAndDocumentsUnknown) {
  const auto report = AdoptTokenFiles(Files(), Path("dst"));
  ASSERT_TRUE(report.ok()) << MessageOf(report.status());
  EXPECT_FALSE(report->manifest.doc_token);
  EXPECT_FALSE(report->manifest.split(Split::kTrain).documents);
  EXPECT_EQ(*ReadCorpusTokens(Path("dst"), Split::kTrain), (Tokens{0, 1, 2, 1}));
  const auto corpus = LoadCorpus(Path("dst"));
  ASSERT_TRUE(corpus.ok()) << MessageOf(corpus.status());
  EXPECT_EQ(corpus->vocab, 3);
  EXPECT_EQ(corpus->tokenizer, "adopted");
  EXPECT_EQ(corpus->val_tokens, 2);
}

TEST_F(AdoptTokenFilesTest, ADirectoryInTheStudysLayoutIsAdoptedByBuilding) {
  const auto report = BuildCorpus({.src = Path("study"), .dst = Path("dst")});
  ASSERT_TRUE(report.ok()) << MessageOf(report.status());
  EXPECT_EQ(report->manifest.tokenizer, "adopted");
  EXPECT_EQ(report->id, AdoptTokenFiles(Files(), Path("dst"))->id);
}

TEST_F(AdoptTokenFilesTest, OfOurOwnFilesTheDocumentsAreKnown) {
  Write("study/vocab.json", R"({"char_to_id":{"<doc>":0,"<unk>":1,"A":2}})");
  const auto report = AdoptTokenFiles(Files(), Path("dst"));
  ASSERT_TRUE(report.ok()) << MessageOf(report.status());
  EXPECT_EQ(report->manifest.doc_token, 0);
  EXPECT_EQ(report->manifest.split(Split::kTrain).documents, 1);
}

TEST_F(AdoptTokenFilesTest, TrainingTokensAloneAreRefusedWithTheCommandToType) {
  TokenFileOptions files = Files();
  files.val = files.test = "";
  const absl::Status status = AdoptTokenFiles(files, Path("dst")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(
      MessageOf(status).find("etude corpus build SRC DST --train FILE --val FILE --test FILE"),
      std::string::npos);
}

TEST_F(AdoptTokenFilesTest, AnIdOutsideTheVocabularyIsRefusedWithItsPlace) {
  Write("study/val.npy", TokensToNpy(Tokens{1, 3}));
  const absl::Status status = AdoptTokenFiles(Files(), Path("dst")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(MessageOf(status).find("id 3 at position 1"), std::string::npos);
  EXPECT_FALSE(FileExists(Path("dst")));
}

TEST_F(AdoptTokenFilesTest, EmptySplitsAndMissingOrDamagedFilesAreRefused) {
  Write("study/test.npy", TokensToNpy({}));
  EXPECT_TRUE(absl::IsInvalidArgument(AdoptTokenFiles(Files(), Path("dst")).status()));
  Write("study/test.npy", "garbage");
  EXPECT_TRUE(absl::IsDataLoss(AdoptTokenFiles(Files(), Path("dst")).status()));
  std::filesystem::remove(Path("study/vocab.json"));
  EXPECT_TRUE(absl::IsNotFound(AdoptTokenFiles(Files(), Path("dst")).status()));
}

}  // namespace
}  // namespace etude
