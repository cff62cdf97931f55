#include "lib/music/corpus_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace etude {
namespace {

using testing::ElementsAre;

std::int64_t TokensOf(Split split, const std::vector<Split>& splits,
                      const std::vector<std::int64_t>& tokens) {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < splits.size(); ++i) total += splits[i] == split ? tokens[i] : 0;
  return total;
}

TEST(DefaultSharesTest, ASmallCorpusGivesValidationNinetyThousandTokens) {
  EXPECT_EQ(DefaultShares(1'020'000).val, 9);
  EXPECT_EQ(DefaultShares(1'020'000).train, 90);
  EXPECT_EQ(DefaultShares(2'380'000).val, 4);
}

TEST(DefaultSharesTest, ALargeCorpusIsSplit98To1To1) {
  EXPECT_EQ(DefaultShares(9'000'000).train, 98);
  EXPECT_EQ(DefaultShares(9'000'000).val, 1);
  EXPECT_EQ(DefaultShares(8'999'999).val, 2);
}

TEST(DefaultSharesTest, TrainingNeverGetsLessThanEightyPerCent) {
  EXPECT_EQ(DefaultShares(1000).train, 80);
  EXPECT_EQ(DefaultShares(1000).val, 19);
  EXPECT_EQ(DefaultShares(0).train, 80);
}

TEST(ParseSplitSharesTest, ReadsThreePerCents) {
  EXPECT_EQ(ParseSplitShares("90/9/1")->val, 9);
  EXPECT_EQ(ParseSplitShares("98.5/1/0.5")->train, 98.5);
}

TEST(ParseSplitSharesTest, RefusesAnythingElse) {
  for (const char* text : {"", "90", "90/10", "90/9/2", "90/10/0", "-1/100/1", "90/9/1/", "a/b/c",
                           "90/9/1x", "nan/1/1", "inf/1/1", "90//10", "90/9 /1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSplitShares(text).status())) << text;
  }
}

TEST(GroupVersionsTest, SharedKeysJoinTunesDirectlyAndThroughOthers) {
  const std::vector<std::vector<std::string>> keys = {{"a"}, {"x"}, {"b", "c"}, {"a", "b"}, {}, {}};
  EXPECT_THAT(GroupVersions(keys), ElementsAre(0, 1, 0, 0, 2, 3));
}

TEST(ShuffledOrderTest, IsAPermutationFixedBySeedAndSubstream) {
  const std::vector<int> order = ShuffledOrder(100, 7, 0);
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(sorted, expected);
  EXPECT_EQ(ShuffledOrder(100, 7, 0), order);
  EXPECT_NE(ShuffledOrder(100, 8, 0), order);
  EXPECT_NE(ShuffledOrder(100, 7, 1), order);
}

TEST(AssignSplitsTest, SplitsReachTheirSharesAndLittleMore) {
  const std::vector<std::int64_t> tokens(1000, 100);
  const auto splits = *AssignSplits(tokens, {.train = 90, .val = 9, .test = 1}, 1);
  EXPECT_EQ(TokensOf(Split::kVal, splits, tokens), 9000);
  EXPECT_EQ(TokensOf(Split::kTest, splits, tokens), 1000);
  EXPECT_EQ(TokensOf(Split::kTrain, splits, tokens), 90'000);
}

TEST(AssignSplitsTest, SeedDecidesWhichGroups) {
  const std::vector<std::int64_t> tokens(1000, 100);
  EXPECT_EQ(*AssignSplits(tokens, {}, 1), *AssignSplits(tokens, {}, 1));
  EXPECT_NE(*AssignSplits(tokens, {}, 1), *AssignSplits(tokens, {}, 2));
}

TEST(AssignSplitsTest, AGroupThatWouldFillASplitGoesToTrain) {
  std::vector<std::int64_t> tokens(1000, 100);
  tokens[500] = 5000;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ((*AssignSplits(tokens, {.train = 90, .val = 9, .test = 1}, seed))[500],
              Split::kTrain);
  }
}

TEST(AssignSplitsTest, ASmallCorpusDoesNotGiveItsShortestTunesAway) {
  std::vector<std::int64_t> tokens(40);
  std::iota(tokens.begin(), tokens.end(), 100);
  int shortest_in_train = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    shortest_in_train += (*AssignSplits(tokens, DefaultShares(4780), seed))[0] == Split::kTrain;
  }
  EXPECT_GT(shortest_in_train, 60);  // 80 of 100 are expected
  EXPECT_LT(shortest_in_train, 95);
}

TEST(AssignSplitsTest, ThreeGroupsGiveEachSplitOne) {
  const std::vector<std::int64_t> tokens = {10, 1000, 20};
  const auto splits = *AssignSplits(tokens, {.train = 80, .val = 19, .test = 1}, 1);
  EXPECT_THAT(splits, testing::UnorderedElementsAre(Split::kTrain, Split::kVal, Split::kTest));
  EXPECT_EQ(splits[1], Split::kTrain);
  EXPECT_TRUE(
      absl::IsInvalidArgument(AssignSplits(std::vector<std::int64_t>{1, 2}, {}, 1).status()));
}

}  // namespace
}  // namespace etude
