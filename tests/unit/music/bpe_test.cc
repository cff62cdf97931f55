#include "lib/music/bpe.h"

#include <gmock/gmock.h>

#include <map>

#include "lib/base/random.h"

namespace etude {
namespace {

constexpr Symbol kWall = 2;
constexpr BpeRules kRules = {.first = 12, .free = 2, .wall = kWall};

bool MayMerge(Symbol symbol, const BpeRules& rules) {
  return symbol >= rules.free && symbol != rules.wall;
}

std::vector<Symbol> MergedPlainly(const std::vector<Symbol>& text, const BpeMerge& pair,
                                  Symbol merged) {
  std::vector<Symbol> result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && text[i] == pair.left && text[i + 1] == pair.right) {
      result.push_back(merged);
      ++i;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// The definition, in quadratic time: count all, merge the best, count again.
std::vector<BpeMerge> LearnPlainly(std::vector<Symbol> text, int count, const BpeRules& rules) {
  std::vector<BpeMerge> merges;
  while (static_cast<int>(merges.size()) < count) {
    std::map<std::pair<Symbol, Symbol>, int> counts;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
      if (MayMerge(text[i], rules) && MayMerge(text[i + 1], rules)) {
        ++counts[{text[i], text[i + 1]}];
      }
    }
    auto best = counts.begin();
    for (auto at = counts.begin(); at != counts.end(); ++at) {
      if (at->second > best->second) best = at;
    }
    if (best == counts.end() || best->second < 2) break;
    merges.push_back({best->first.first, best->first.second});
    text = MergedPlainly(text, merges.back(), rules.first + static_cast<Symbol>(merges.size() - 1));
  }
  return merges;
}

std::vector<Symbol> RandomText(std::uint64_t seed, int length, int alphabet) {
  const CounterRandom random(seed, RandomStream::kBootstrap);
  std::vector<Symbol> text;
  for (int i = 0; i < length; ++i) text.push_back(static_cast<Symbol>(random.Below(i, alphabet)));
  return text;
}

TEST(BpeTest, TheMostFrequentPairComesFirstAndTiesGoToTheLowerSymbols) {
  const std::vector<Symbol> text = {5, 6, 3, 4, 5, 6, 3, 4, 5, 6};
  const auto merges = LearnMerges(text, 10, kRules);
  ASSERT_GE(merges.size(), 2u);
  EXPECT_EQ(merges[0], (BpeMerge{5, 6}));
  EXPECT_EQ(merges[1], (BpeMerge{3, 4}));
}

TEST(BpeTest, NoMergeReachesAcrossALineEndOrADocument) {
  const std::vector<Symbol> text = {0, 4, kWall, 5, 0, 4, kWall, 5, 0, 4, kWall, 5};
  EXPECT_TRUE(LearnMerges(text, 10, kRules).empty());
}

TEST(BpeTest, EqualsTheQuadraticDefinition) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const int alphabet = seed % 2 == 0 ? 4 : 10;  // few symbols make runs like "aaaa"
    const std::vector<Symbol> text = RandomText(seed, 400, alphabet);
    const auto expected = LearnPlainly(text, 60, kRules);
    EXPECT_EQ(LearnMerges(text, 60, kRules), expected) << seed;
    std::vector<Symbol> merged = text;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      merged = MergedPlainly(merged, expected[i], kRules.first + static_cast<Symbol>(i));
    }
    EXPECT_EQ(BpeMerger(expected, kRules.first).Apply(text), merged) << seed;
  }
}

TEST(BpeTest, NothingToMergeIsFine) {
  EXPECT_TRUE(LearnMerges({}, 10, kRules).empty());
  EXPECT_TRUE(BpeMerger({}, 12).Apply({}).empty());
}

}  // namespace
}  // namespace etude
