#include "lib/music/leakage.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

#include "lib/base/random.h"

namespace etude {
namespace {

using Ids = std::vector<std::uint16_t>;

Ids Ascending(int first, int count) {
  Ids ids(count);
  std::iota(ids.begin(), ids.end(), static_cast<std::uint16_t>(first));
  return ids;
}

TEST(LeakageTest, ACopyIsAllSharedAndStrangersShareNothing) {
  const Ids train = Ascending(1, 100);
  EXPECT_EQ(CountSharedGrams(train, Ascending(11, 40), 0).shared, 25);
  EXPECT_EQ(CountSharedGrams(train, Ascending(11, 40), 0).rate(), 1);
  EXPECT_EQ(CountSharedGrams(train, Ascending(500, 40), 0).shared, 0);
  EXPECT_EQ(CountSharedGrams(train, Ascending(1, 15), 0).grams, 0);
  EXPECT_EQ(CountSharedGrams({}, Ascending(1, 20), 0).shared, 0);
}

TEST(LeakageTest, NoGramHoldsADocumentToken) {
  Ids held_out = Ascending(1, 15);
  held_out.push_back(0);
  const Ids next = Ascending(1, 16);
  held_out.insert(held_out.end(), next.begin(), next.end());
  const SharedGrams counts = CountSharedGrams(held_out, held_out, 0);
  EXPECT_EQ(counts.grams, 1);
  EXPECT_EQ(counts.shared, 1);
}

TEST(LeakageTest, EqualsTheCountBySets) {
  const CounterRandom random(1, RandomStream::kBootstrap);
  Ids train, held_out;
  for (int i = 0; i < 30'000; ++i) {
    // Long runs of one token, so that grams repeat.
    train.push_back(static_cast<std::uint16_t>(random.Below(i, 30) == 0));
    held_out.push_back(static_cast<std::uint16_t>(random.Below(50'000 + i, 20) == 0));
  }
  std::set<Ids> known;
  for (std::size_t i = 0; i + kLeakageGram <= train.size(); ++i) {
    known.emplace(train.begin() + i, train.begin() + i + kLeakageGram);
  }
  std::int64_t shared = 0;
  for (std::size_t i = 0; i + kLeakageGram <= held_out.size(); ++i) {
    shared += known.contains(Ids(held_out.begin() + i, held_out.begin() + i + kLeakageGram));
  }
  const SharedGrams counts = CountSharedGrams(train, held_out, std::nullopt);
  EXPECT_EQ(counts.shared, shared);
  EXPECT_EQ(counts.grams, std::ssize(held_out) - kLeakageGram + 1);
}

}  // namespace
}  // namespace etude
