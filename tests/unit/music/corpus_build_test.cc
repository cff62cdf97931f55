#include "lib/music/corpus_build.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/corpus_load.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

class CorpusBuildTest : public CorpusTest {
 protected:
  CorpusBuildOptions Options() const { return {.src = Path("src"), .dst = Path("dst")}; }
  CorpusReport Build(const CorpusBuildOptions& options) const {
    const auto report = BuildCorpus(options);
    EXPECT_TRUE(report.ok()) << MessageOf(report.status());
    return report.ok() ? *report : CorpusReport();
  }
  std::string TextOf(Split split) const {
    const auto tokens = ReadCorpusTokens(Path("dst"), split);
    const auto vocabulary = ReadVocabulary(Path("dst"));
    return tokens.ok() && vocabulary.ok() ? (*vocabulary)->Decode(*tokens) : "unreadable";
  }
};

TEST_F(CorpusBuildTest, CountsSayWhatHappenedToEveryTune) {
  WriteTunes(20);
  Write("src/more/other.abc", NumberedTune(3) + "X:1\nT:no key\nABC\n\nX:2\nK:D\nz4\n");
  Write("src/readme.txt", "X:1\nK:D\nnot searched\n");
  const BuildCounts counts = Build(Options()).manifest.counts;
  EXPECT_EQ(counts.files, 2);
  EXPECT_EQ(counts.tunes_found, 23);
  EXPECT_EQ(counts.duplicates_removed, 1);
  EXPECT_EQ(counts.dropped_no_key, 1);
  EXPECT_EQ(counts.dropped_no_music, 1);
  EXPECT_EQ(counts.tunes_kept, 20);
  EXPECT_EQ(counts.chars_before, static_cast<std::int64_t>(Read("src/tunes.abc").size() +
                                                           Read("src/more/other.abc").size()));
}

TEST_F(CorpusBuildTest, EveryTuneIsInOneSplitAfterItsDocToken) {
  WriteTunes(50);
  const CorpusReport report = Build(Options());
  std::multiset<std::string> heads;
  std::int64_t tokens = 0, documents = 0;
  for (const Split split : kSplits) {
    const auto ids = *ReadCorpusTokens(Path("dst"), split);
    EXPECT_EQ(ids[0], 0);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 0), *report.manifest.split(split).documents);
    documents += *report.manifest.split(split).documents;
    tokens += static_cast<std::int64_t>(ids.size());
  }
  EXPECT_EQ(documents, 50);
  EXPECT_EQ(tokens, report.manifest.counts.chars_after + 50);
}

TEST_F(CorpusBuildTest, EqualInputsGiveEqualBytes) {
  WriteTunes(30);
  CorpusBuildOptions options = Options();
  const CorpusReport first = Build(options);
  options.dst = Path("again");
  EXPECT_EQ(Build(options).id, first.id);
  for (const char* name : {"train.npy", "val.npy", "test.npy", "vocab.json", "corpus.json"}) {
    EXPECT_EQ(Read(std::string("dst/") + name), Read(std::string("again/") + name)) << name;
  }
  options.dst = Path("other seed");
  options.seed = 2;
  EXPECT_NE(Build(options).id, first.id);
}

TEST_F(CorpusBuildTest, TheIdIsTheHashOfTheManifest) {
  WriteTunes(10);
  const CorpusReport report = Build(Options());
  EXPECT_EQ(report.id.text(), Sha256Hex(Read("dst/corpus.json")));
}

TEST_F(CorpusBuildTest, VersionsOfOneTuneShareASplit) {
  WriteTunes(60);
  Write("src/a.abc", "X:1\nT:The Rock\nK:D\nDEFGFEDEFGFED [1 z|\n");
  Write("src/b.abc", "X:1\nT:Rock, The\nK:G\nBcdBcdBcdBcdBc [2 z|\n");
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::filesystem::remove_all(Path("dst"));
    CorpusBuildOptions options = Options();
    options.seed = seed;
    Build(options);
    for (const Split split : kSplits) {
      const std::string text = TextOf(split);
      EXPECT_EQ(text.find("DEFGFED") == std::string::npos, text.find("BcdBcd") == std::string::npos)
          << seed;
    }
  }
}

TEST_F(CorpusBuildTest, VocabularyComesFromTheTrainingSplitAlone) {
  std::string abc;
  const std::string marks =
      "HLMOPSTuv~.";  // each in one tune only, so that val or test has one to itself
  for (std::size_t i = 0; i < marks.size(); ++i) {
    abc += "X:1\nK:D\n" + std::string(1, marks[i]) + "A" + std::string(i + 1, 'B') + "\n";
  }
  Write("src/marks.abc", abc);
  const CorpusReport report = Build(Options());
  const auto vocabulary = *ReadVocabulary(Path("dst"));
  const std::string train = TextOf(Split::kTrain);
  for (int id = 2; id < vocabulary->vocab(); ++id) {
    EXPECT_NE(train.find(vocabulary->tokens()[id]), std::string::npos) << vocabulary->tokens()[id];
  }
  EXPECT_EQ(report.manifest.split(Split::kTrain).unknown_tokens, 0);
  EXPECT_GE(report.manifest.split(Split::kVal).unknown_tokens, 1);
}

TEST_F(CorpusBuildTest, SharesAsked) {
  WriteTunes(400);
  CorpusBuildOptions options = Options();
  options.shares = SplitShares{.train = 50, .val = 30, .test = 20};
  const CorpusManifest manifest = Build(options).manifest;
  const double total = manifest.counts.chars_after + 400;
  EXPECT_NEAR(manifest.split(Split::kVal).tokens / total, 0.3, 0.01);
  EXPECT_NEAR(manifest.split(Split::kTest).tokens / total, 0.2, 0.01);
  EXPECT_EQ(manifest.shares->val, 30);
}

TEST_F(CorpusBuildTest, MaxTokensKeepsWholeTunes) {
  WriteTunes(100);
  CorpusBuildOptions options = Options();
  options.max_tokens = 1000;
  const BuildCounts counts = Build(options).manifest.counts;
  EXPECT_LE(counts.chars_after + counts.tunes_kept, 1000);
  EXPECT_GT(counts.chars_after + counts.tunes_kept, 900);
  EXPECT_EQ(counts.over_max_tokens, 100 - counts.tunes_kept);
}

TEST_F(CorpusBuildTest, NoTitleNoFileNameIsInTheTokens) {
  WriteTunes(20);
  Build(Options());
  for (const Split split : kSplits) {
    EXPECT_EQ(TextOf(split).find("T:"), std::string::npos);
    EXPECT_EQ(TextOf(split).find("une"), std::string::npos);
  }
}

TEST_F(CorpusBuildTest, ASecondBuildChangesNothingAndAnotherCorpusIsRefused) {
  WriteTunes(20);
  EXPECT_FALSE(Build(Options()).unchanged);
  EXPECT_TRUE(Build(Options()).unchanged);
  CorpusBuildOptions other = Options();
  other.seed = 2;
  EXPECT_TRUE(absl::IsAlreadyExists(BuildCorpus(other).status()));
}

TEST_F(CorpusBuildTest, ADamagedCorpusIsRepairedByBuildingItAgain) {
  WriteTunes(20);
  Build(Options());
  Write("dst/val.npy", "damaged");
  EXPECT_FALSE(Build(Options()).unchanged);
  EXPECT_TRUE(LoadCorpus(Path("dst")).ok());
}

TEST_F(CorpusBuildTest, ADirectoryWithOtherFilesIsNeverWritten) {
  WriteTunes(20);
  Write("dst/thesis.tex", "precious");
  EXPECT_TRUE(absl::IsAlreadyExists(BuildCorpus(Options()).status()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("dst")), {}), 1);
}

TEST_F(CorpusBuildTest, RefusalsSayWhatToType) {
  EXPECT_TRUE(absl::IsNotFound(BuildCorpus(Options()).status()));
  Write("src/empty.abc", "no tune here");
  const absl::Status none = BuildCorpus(Options()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(none));
  EXPECT_NE(MessageOf(none).find("etude corpus fetch folk"), std::string::npos);
  CorpusBuildOptions options = Options();
  options.tokenizer = "word";
  EXPECT_TRUE(absl::IsInvalidArgument(BuildCorpus(options).status()));
  EXPECT_FALSE(FileExists(Path("dst")));
}

TEST_F(CorpusBuildTest, LicenceNotesTravelFromTheFetchedSource) {
  WriteTunes(10);
  Write("src/SOURCE.json", R"({"licence_notes":["non-commercial", 7]})");
  EXPECT_THAT(Build(Options()).manifest.licence_notes, testing::ElementsAre("non-commercial"));
}

}  // namespace
}  // namespace etude
