#include "lib/music/corpus_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lib/base/status.h"

namespace etude {
namespace {

// Substream 0 orders the groups (AssignSplits), 2 the pieces of each split.
constexpr std::uint32_t kPieceOrderSubstream = 2;
constexpr double kDefaultHeldOutPercent = 1;

std::int64_t PartOf(std::int64_t tokens, double percent) {
  return static_cast<std::int64_t>(static_cast<double>(tokens) * percent / 100);
}

// Tokens of each split, none of them less for a larger `max_tokens`.
std::array<std::int64_t, 3> Budgets(std::int64_t max_tokens,
                                    const std::optional<SplitShares>& shares) {
  if (shares) {
    return {PartOf(max_tokens, shares->train), PartOf(max_tokens, shares->val),
            PartOf(max_tokens, shares->test)};
  }
  const std::int64_t test = PartOf(max_tokens, kDefaultHeldOutPercent);
  const std::int64_t most = PartOf(max_tokens, 100 - kMinTrainPercent - kDefaultHeldOutPercent);
  const std::int64_t val = std::max(test, std::min(kMinValTokens, most));
  return {max_tokens - val - test, val, test};
}

class Limiter {
 public:
  Limiter(std::span<const PlannedPiece> pieces, CorpusPlan& plan) : pieces_(pieces), plan_(plan) {}

  void Limit(std::array<std::int64_t, 3> budgets) {
    for (const Split split : {Split::kVal, Split::kTest}) {
      std::vector<int>& kept = plan_.pieces[static_cast<std::size_t>(split)];
      const std::int64_t budget = budgets[static_cast<std::size_t>(split)];
      const std::int64_t least = std::max(budget, pieces_[kept.front()].tokens);
      budgets[0] -= least - budget;
      Cut(kept, least);
    }
    Cut(plan_.pieces[0], budgets[0]);
  }

 private:
  void Cut(std::vector<int>& kept, std::int64_t budget) {
    std::size_t count = 0;
    for (std::int64_t used = 0; count < kept.size(); ++count) {
      used += pieces_[kept[count]].tokens;
      if (used > budget) break;
    }
    plan_.left_out += static_cast<std::int64_t>(kept.size() - count);
    kept.resize(count);
  }

  std::span<const PlannedPiece> pieces_;
  CorpusPlan& plan_;
};

}  // namespace

absl::StatusOr<CorpusPlan> PlanCorpus(std::span<const PlannedPiece> pieces,
                                      const CorpusPlanOptions& options) {
  std::vector<std::vector<std::string>> keys;
  std::int64_t total = 0;
  for (const PlannedPiece& piece : pieces) {
    keys.push_back(piece.version_keys);
    total += piece.tokens;
  }
  const std::vector<int> groups = GroupVersions(keys);
  std::vector<std::int64_t> weights;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    weights.resize(std::max<std::size_t>(weights.size(), groups[i] + 1));
    weights[groups[i]] += pieces[i].weight;
  }
  CorpusPlan plan;
  plan.shares = options.shares.value_or(DefaultShares(total));
  ASSIGN_OR_RETURN(const std::vector<Split> splits,
                   AssignSplits(weights, plan.shares, options.seed));
  const int count = static_cast<int>(pieces.size());
  for (const int i : ShuffledOrder(count, options.seed, kPieceOrderSubstream)) {
    plan.pieces[static_cast<std::size_t>(splits[groups[i]])].push_back(i);
  }
  if (options.max_tokens && *options.max_tokens < total) {
    Limiter(pieces, plan).Limit(Budgets(*options.max_tokens, options.shares));
    if (plan.pieces[0].empty()) {
      return InvalidArgument(
          fmt::format("max-tokens {}: no training piece fits beside validation and test; give "
                      "more, or leave it out",
                      *options.max_tokens));
    }
  }
  std::set<int> kept_groups;
  for (const std::vector<int>& of_split : plan.pieces) {
    for (const int i : of_split) kept_groups.insert(groups[i]);
  }
  plan.groups = static_cast<std::int64_t>(kept_groups.size());
  return plan;
}

}  // namespace etude
