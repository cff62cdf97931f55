#include "lib/music/corpus_stats.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "lib/base/status.h"
#include "lib/music/corpus_build.h"
#include "lib/music/npy.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

using testing::ElementsAre;

class CorpusStatsTest : public CorpusTest {};

TEST(DocumentLengthsTest, EachRunsFromItsDocTokenToBeforeTheNext) {
  EXPECT_THAT(DocumentLengths(std::vector<std::uint16_t>{5, 0, 5, 5, 0, 0, 5}, 0),
              ElementsAre(3, 1, 2));
}

TEST(SummarizeLengthsTest, QuantilesAreNearestRank) {
  std::vector<std::int64_t> lengths(100);
  std::iota(lengths.rbegin(), lengths.rend(), 1);
  const LengthSummary summary = SummarizeLengths(lengths);
  EXPECT_EQ(summary.min, 1);
  EXPECT_EQ(summary.median, 50);
  EXPECT_EQ(summary.p95, 95);
  EXPECT_EQ(summary.max, 100);
  EXPECT_DOUBLE_EQ(summary.mean, 50.5);
  EXPECT_EQ(SummarizeLengths({}).documents, 0);
}

TEST_F(CorpusStatsTest, FrequenciesAndLengthsAddUpToTheTokens) {
  WriteTunes(40);
  ASSERT_TRUE(BuildCorpus({.src = Path("src"), .dst = Path("dst")}).ok());
  const auto stats = ComputeCorpusStats(Path("dst"));
  ASSERT_TRUE(stats.ok()) << MessageOf(stats.status());
  std::int64_t counted = 0;
  for (const TokenCount& token : stats->frequencies) {
    counted += token.count;
    if (token.text == "<doc>") {
      EXPECT_EQ(token.count, 40);
    }
  }
  EXPECT_EQ(counted, stats->manifest.counts.chars_after + 40);
  EXPECT_EQ(std::accumulate(stats->lengths.begin(), stats->lengths.end(), std::int64_t{0}),
            counted);
  EXPECT_EQ(stats->splits[0].lengths->documents, stats->manifest.split(Split::kTrain).documents);
}

TEST_F(CorpusStatsTest, EntropyIsOfTheTrainingSplit) {
  Write("s/vocab.json", R"({"char_to_id":{"A":0,"B":1}})");
  Write("s/train.npy", TokensToNpy(std::vector<std::uint16_t>{0, 1, 1, 1}));
  Write("s/val.npy", TokensToNpy(std::vector<std::uint16_t>{0, 0, 0}));
  Write("s/test.npy", TokensToNpy(std::vector<std::uint16_t>{0}));
  ASSERT_TRUE(BuildCorpus({.src = Path("s"), .dst = Path("dst")}).ok());
  const auto stats = ComputeCorpusStats(Path("dst"));
  ASSERT_TRUE(stats.ok()) << MessageOf(stats.status());
  EXPECT_NEAR(stats->unigram_entropy_nats, -0.25 * std::log(0.25) - 0.75 * std::log(0.75), 1e-12);
  EXPECT_EQ(stats->frequencies[0].text, "A");
  EXPECT_EQ(stats->frequencies[0].count, 5);
  EXPECT_FALSE(stats->splits[0].lengths);
}

}  // namespace
}  // namespace etude
