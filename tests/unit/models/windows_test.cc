#include "lib/models/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace etude {
namespace {

using testing::ElementsAre;

// Documents `<doc> n n n ...` of growing length, n naming the document.
std::vector<Token> Documents(int count) {
  std::vector<Token> tokens;
  for (int n = 1; n <= count; ++n) {
    tokens.push_back(0);
    tokens.insert(tokens.end(), n + 2, static_cast<Token>(n));
  }
  return tokens;
}

TEST(WindowsTest, DocumentsStartAtTheirToken) {
  EXPECT_THAT(DocumentStarts(Documents(3), Token{0}), ElementsAre(0, 4, 9));
  EXPECT_THAT(DocumentStarts(Documents(3), std::nullopt), ElementsAre(0));
}

TEST(UniquePoolTest, SmallerPoolIsAPrefixOfALargerOne) {
  const std::vector<Token> tokens = Documents(20);
  const std::vector<Token> small = UniquePool(tokens, Token{0}, 40, 8);
  const std::vector<Token> large = UniquePool(tokens, Token{0}, 140, 8);
  ASSERT_EQ(small.size(), 40u);
  ASSERT_EQ(large.size(), 140u);
  EXPECT_TRUE(std::equal(small.begin(), small.end(), large.begin()));
}

TEST(UniquePoolTest, TakesWholeDocumentsInShuffledOrder) {
  const std::vector<Token> tokens = Documents(20);
  const std::vector<Token> pool =
      UniquePool(tokens, Token{0}, static_cast<std::int64_t>(tokens.size()) - 1, 8);
  std::vector<Token> order;
  for (std::size_t i = 0; i + 1 < pool.size(); ++i) {
    if (pool[i] == 0) order.push_back(pool[i + 1]);
  }
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(std::set<Token>(order.begin(), order.end()).size(), order.size());
  EXPECT_GE(order.size(), 19u);
}

TEST(UniquePoolTest, WholeSplitIsLeftAsItIs) {
  const std::vector<Token> tokens = Documents(9);
  EXPECT_EQ(UniquePool(tokens, Token{0}, static_cast<std::int64_t>(tokens.size()), 8), tokens);
}

TEST(UniquePoolTest, WithoutDocumentsTakesBlocksOfTheContext) {
  std::vector<Token> tokens(100);
  std::iota(tokens.begin(), tokens.end(), Token{0});
  const std::vector<Token> pool = UniquePool(tokens, std::nullopt, 30, 10);
  ASSERT_EQ(pool.size(), 30u);
  for (std::size_t i = 0; i < pool.size(); ++i) EXPECT_EQ(pool[i], pool[i / 10 * 10] + i % 10);
  for (std::size_t i = 0; i < pool.size(); i += 10) EXPECT_EQ(pool[i] % 10, 0);
}

TEST(PermuteTest, IsABijectionForEverySize) {
  for (std::int64_t size = 1; size < 300; ++size) {
    const CounterRandom random(7, RandomStream::kWindowOrder, 3);
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < size; ++i) seen.insert(Permute(i, size, random));
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(size));
    ASSERT_EQ(*seen.rbegin(), size - 1);
  }
}

TEST(PermuteTest, EveryPlaceIsAboutEquallyLikely) {
  constexpr int kSize = 5, kTrials = 5000;
  int counts[kSize] = {};
  for (std::uint32_t trial = 0; trial < kTrials; ++trial) {
    ++counts[Permute(2, kSize, CounterRandom(1, RandomStream::kWindowOrder, trial))];
  }
  // Binomial: mean 1000, standard deviation 28.
  for (const int count : counts) EXPECT_NEAR(count, kTrials / kSize, 150);
}

TEST(TrainingOrderTest, AnEpochVisitsEachWindowOnceInAnotherOrderEachTime) {
  TrainingOrder order(100, 8, 3, 42);  // (100 - 8 - 1) / 3 + 1 = 31 windows
  std::vector<std::int64_t> first, second;
  for (int i = 0; i < 31; ++i) first.push_back(order.WindowStart(i));
  for (int i = 31; i < 62; ++i) second.push_back(order.WindowStart(i));
  EXPECT_NE(first, second);
  std::vector<std::int64_t> expected(31);
  for (int i = 0; i < 31; ++i) expected[i] = 3 * i;
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(expected));
  EXPECT_THAT(second, testing::UnorderedElementsAreArray(expected));
}

TEST(TrainingOrderTest, AtStrideContextEveryEpochHasItsOwnOffset) {
  constexpr std::int64_t kUnique = 100, kContext = 8;
  TrainingOrder order(kUnique, kContext, kContext, 42);
  std::set<std::int64_t> offsets;
  std::int64_t index = 0;
  for (int epoch = 0; epoch < 40; ++epoch) {
    const std::int64_t offset = order.WindowStart(index) % kContext;
    const std::int64_t windows = (kUnique - offset - kContext - 1) / kContext + 1;
    for (std::int64_t i = 0; i < windows; ++i) {
      const std::int64_t start = order.WindowStart(index++);
      ASSERT_EQ(start % kContext, offset);
      ASSERT_LE(start + kContext + 1, kUnique);
    }
    offsets.insert(offset);
  }
  EXPECT_EQ(offsets.size(), static_cast<std::size_t>(kContext));
}

TEST(TrainingOrderTest, DependsOnSeedAndIndexOnly) {
  TrainingOrder forward(500, 16, 16, 9), jumping(500, 16, 16, 9), other(500, 16, 16, 10);
  std::vector<std::int64_t> starts, others;
  for (int i = 0; i < 200; ++i) {
    starts.push_back(forward.WindowStart(i));
    others.push_back(other.WindowStart(i));
  }
  EXPECT_NE(starts, others);
  for (const int i : {150, 3, 199, 31, 30, 0}) EXPECT_EQ(jumping.WindowStart(i), starts[i]);
}

TEST(TrainingOrderTest, PoolOfOneWindowRepeatsIt) {
  TrainingOrder order(9, 8, 8, 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(order.WindowStart(i), 0);
}

TEST(EvaluationWindowsTest, EachTargetBelongsToExactlyOneWindow) {
  for (std::int64_t tokens = 2; tokens < 60; ++tokens) {
    const EvaluationWindows windows(tokens, 7);
    std::vector<int> counted(tokens, 0);
    for (std::int64_t window = 0; window < windows.count(); ++window) {
      for (std::int64_t i = 0; i < windows.targets(window); ++i)
        ++counted[windows.start(window) + i + 1];
    }
    EXPECT_EQ(counted[0], 0);
    EXPECT_EQ(std::count(counted.begin() + 1, counted.end(), 1), tokens - 1) << tokens;
  }
}

TEST(EvaluationWindowsTest, ProbeIsSpreadEvenlyAndBounded) {
  const EvaluationWindows windows(1001, 10);  // 100 windows
  EXPECT_THAT(windows.Spread(40), ElementsAre(0, 25, 50, 75));
  EXPECT_EQ(windows.Spread(1'000'000).size(), 100u);
  EXPECT_THAT(windows.Spread(1), ElementsAre(0));
}

}  // namespace
}  // namespace etude
