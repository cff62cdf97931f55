#include "lib/music/corpus_plan.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "lib/base/status.h"

namespace etude {
namespace {

// Pieces of 50 to 149 tokens, each fifth a version of the one before.
std::vector<PlannedPiece> Pieces(int count) {
  std::vector<PlannedPiece> pieces;
  for (int i = 0; i < count; ++i) {
    const std::int64_t tokens = 50 + i * 37 % 100;
    pieces.push_back({.tokens = tokens,
                      .weight = tokens,
                      .version_keys = {"tune " + std::to_string(i % 5 == 4 ? i - 1 : i)}});
  }
  return pieces;
}

CorpusPlan Plan(std::span<const PlannedPiece> pieces, const CorpusPlanOptions& options) {
  const auto plan = PlanCorpus(pieces, options);
  EXPECT_TRUE(plan.ok()) << MessageOf(plan.status());
  return plan.ok() ? *plan : CorpusPlan();
}

std::int64_t TokensOf(std::span<const PlannedPiece> pieces, const CorpusPlan& plan) {
  std::int64_t tokens = 0;
  for (const auto& of_split : plan.pieces) {
    for (const int piece : of_split) tokens += pieces[piece].tokens;
  }
  return tokens;
}

TEST(CorpusPlanTest, SubsetsNestInEverySplit) {
  const std::vector<PlannedPiece> pieces = Pieces(20'000);  // 2M tokens
  for (const std::optional<SplitShares>& shares :
       {std::optional<SplitShares>(), std::optional<SplitShares>({90, 9, 1})}) {
    CorpusPlan smaller;
    for (std::int64_t tokens = 3'000; tokens < 2'500'000; tokens = tokens * 5 / 4) {
      const CorpusPlan larger = Plan(pieces, {.shares = shares, .max_tokens = tokens});
      EXPECT_LE(TokensOf(pieces, larger), tokens);
      EXPECT_GT(TokensOf(pieces, larger), std::min<std::int64_t>(tokens, 1'900'000) - 600);
      for (const Split split : kSplits) {
        const auto& few = smaller.pieces[static_cast<std::size_t>(split)];
        const auto& many = larger.pieces[static_cast<std::size_t>(split)];
        ASSERT_LE(few.size(), many.size()) << tokens << SplitName(split);
        EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
      }
      smaller = larger;
    }
  }
}

TEST(CorpusPlanTest, VersionsOfATuneShareASplit) {
  const std::vector<PlannedPiece> pieces = Pieces(1'000);
  const CorpusPlan plan = Plan(pieces, {});
  for (const auto& of_split : plan.pieces) {
    const std::set<int> split(of_split.begin(), of_split.end());
    for (const int piece : split) {
      EXPECT_TRUE(piece % 5 != 4 || split.contains(piece - 1));
    }
  }
  EXPECT_EQ(plan.groups, 800);
  EXPECT_EQ(plan.left_out, 0);
}

TEST(CorpusPlanTest, EqualWeightsGiveEqualSplitsWhateverTheTokens) {
  std::vector<PlannedPiece> pieces = Pieces(1'000);
  const CorpusPlanOptions options = {.shares = SplitShares{90, 9, 1}};
  const CorpusPlan in_chars = Plan(pieces, options);
  for (PlannedPiece& piece : pieces) piece.tokens = piece.tokens / 3 + 1;
  EXPECT_EQ(Plan(pieces, options).pieces, in_chars.pieces);
}

TEST(CorpusPlanTest, ALimitWithoutRoomForTrainingIsRefused) {
  const auto plan = PlanCorpus(Pieces(100), {.max_tokens = 60});
  ASSERT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_NE(MessageOf(plan.status()).find("max-tokens 60"), std::string::npos);
}

}  // namespace
}  // namespace etude
