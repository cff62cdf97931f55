#include "lib/music/corpus_load.h"

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/corpus_build.h"
#include "lib/music/npy.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

class CorpusLoadTest : public CorpusTest {
 protected:
  void SetUp() override {
    CorpusTest::SetUp();
    WriteTunes(30);
    ASSERT_TRUE(BuildCorpus({.src = Path("src"), .dst = Path("c")}).ok());
  }
  // Writes a file of the corpus and makes corpus.json agree with its size and hash.
  void Forge(const std::string& name, const std::string& bytes) const {
    CorpusManifest manifest = *ReadManifest(Path("c"));
    for (ArtifactFile& file : manifest.files) {
      if (file.name != name) continue;
      file.sha256 = Sha256Hex(bytes);
      file.bytes = static_cast<std::int64_t>(bytes.size());
    }
    Write("c/" + name, bytes);
    Write("c/corpus.json", ManifestToJson(manifest));
  }
};

TEST_F(CorpusLoadTest, SaysWhatPlanningNeeds) {
  const Corpus corpus = *LoadCorpus(Path("c"));
  EXPECT_EQ(corpus.id.text(), Sha256Hex(Read("c/corpus.json")));
  EXPECT_EQ(corpus.tokenizer, "char");
  EXPECT_EQ(corpus.chars_per_token, 1);
  EXPECT_EQ(corpus.vocab, (*ReadVocabulary(Path("c")))->vocab());
  EXPECT_EQ(corpus.train_tokens, *ReadTokenCount(Path("c/train.npy")));
  EXPECT_EQ(corpus.val_tokens, *ReadTokenCount(Path("c/val.npy")));
  EXPECT_EQ(corpus.test_tokens, *ReadTokenCount(Path("c/test.npy")));
  ASSERT_EQ(corpus.files.size(), 6u);
  for (const ArtifactFile& file : corpus.files) {
    EXPECT_EQ(file.sha256, Sha256Hex(Read("c/" + file.name))) << file.name;
    EXPECT_EQ(file.bytes, static_cast<std::int64_t>(Read("c/" + file.name).size())) << file.name;
  }
}

TEST_F(CorpusLoadTest, ADirectoryWithoutManifestSaysHowToMakeOne) {
  const absl::Status status = LoadCorpus(Path("src")).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(MessageOf(status), Path("src") +
                                   ": no corpus.json; make one with: etude corpus build "
                                   "SRC " +
                                   Path("src"));
}

TEST_F(CorpusLoadTest, OneFlippedBitIsDataLossWhenVerified) {
  for (const std::string name : {"train.npy", "val.npy", "test.npy", "vocab.json"}) {
    const std::string good = Read("c/" + name);
    std::string bad = good;
    bad[bad.size() - 2] ^= 1;
    Write("c/" + name, bad);
    EXPECT_TRUE(absl::IsDataLoss(LoadCorpus(Path("c")).status())) << name;
    Write("c/" + name, good);
  }
  EXPECT_TRUE(LoadCorpus(Path("c")).ok());
}

TEST_F(CorpusLoadTest, WrongSizesAreDataLossEvenUnverified) {
  Write("c/val.npy", Read("c/val.npy") + "x");
  EXPECT_TRUE(absl::IsDataLoss(LoadCorpus(Path("c"), /*verify=*/false).status()));
  std::filesystem::remove(Path("c/val.npy"));
  EXPECT_TRUE(absl::IsNotFound(LoadCorpus(Path("c"), /*verify=*/false).status()));
}

TEST_F(CorpusLoadTest, ATokenCountOtherThanTheManifestsIsDataLoss) {
  Forge("val.npy", TokensToNpy(std::vector<std::uint16_t>(5)));
  EXPECT_TRUE(absl::IsDataLoss(LoadCorpus(Path("c"), /*verify=*/false).status()));
}

TEST_F(CorpusLoadTest, AnIdOutsideTheVocabularyIsDataLoss) {
  std::vector<std::uint16_t> tokens = *ReadCorpusTokens(Path("c"), Split::kVal);
  tokens.back() = static_cast<std::uint16_t>(ReadManifest(Path("c"))->vocab);
  Forge("val.npy", TokensToNpy(tokens));
  EXPECT_TRUE(absl::IsDataLoss(LoadCorpus(Path("c")).status()));
  EXPECT_TRUE(absl::IsDataLoss(ReadCorpusTokens(Path("c"), Split::kVal).status()));
}

TEST_F(CorpusLoadTest, AnotherNumberOfDocumentsIsDataLoss) {
  std::vector<std::uint16_t> tokens = *ReadCorpusTokens(Path("c"), Split::kVal);
  tokens.back() = 0;
  Forge("val.npy", TokensToNpy(tokens));
  EXPECT_TRUE(absl::IsDataLoss(ReadCorpusTokens(Path("c"), Split::kVal).status()));
}

TEST_F(CorpusLoadTest, AVocabularyOfAnotherSizeIsDataLoss) {
  Forge("vocab.json", R"({"char_to_id":{"a":0}})");
  EXPECT_TRUE(absl::IsDataLoss(LoadCorpus(Path("c"), /*verify=*/false).status()));
  EXPECT_TRUE(absl::IsDataLoss(ReadVocabulary(Path("c")).status()));
}

}  // namespace
}  // namespace etude
