#include "lib/music/corpus_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "lib/base/random.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::uint32_t kGroupOrderSubstream = 0;
constexpr double kTestPercent = 1;
constexpr double kSumTolerance = 1e-9;
// A group above this part of a split's share would make the split mostly one tune; in a small
// corpus every group is, so twice the mean is always let in: taking the smallest would fill val and
// test with the shortest tunes.
constexpr std::int64_t kLargestGroupDivisor = 10;
constexpr std::int64_t kMeansAlwaysLetIn = 2;

std::int64_t Total(std::span<const std::int64_t> tokens) {
  return std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0});
}

// Fills splits from the shuffled groups that no split has taken yet.
class Filler {
 public:
  Filler(std::span<const std::int64_t> group_tokens, std::uint64_t seed)
      : group_tokens_(group_tokens),
        order_(ShuffledOrder(static_cast<int>(group_tokens.size()), seed, kGroupOrderSubstream)),
        splits_(group_tokens.size(), Split::kTrain),
        left_(group_tokens.size()),
        mean_(Total(group_tokens) / static_cast<std::int64_t>(group_tokens.size())) {}

  // At least one group; leaves `keep` groups untouched.
  void Fill(Split split, std::int64_t target, std::size_t keep) {
    const std::int64_t largest = std::max(target / kLargestGroupDivisor, kMeansAlwaysLetIn * mean_);
    std::int64_t filled = 0;
    for (const int group : order_) {
      if (filled >= target) return;
      if (group_tokens_[group] <= largest) Take(group, split, keep, filled);
    }
    std::vector<int> by_size = order_;
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](int a, int b) { return group_tokens_[a] < group_tokens_[b]; });
    for (const int group : by_size) {
      if (filled >= target && filled > 0) return;
      Take(group, split, keep, filled);
    }
  }
  const std::vector<Split>& splits() const { return splits_; }

 private:
  void Take(int group, Split split, std::size_t keep, std::int64_t& filled) {
    if (splits_[group] != Split::kTrain || left_ <= keep) return;
    splits_[group] = split;
    --left_;
    filled += group_tokens_[group];
  }

  std::span<const std::int64_t> group_tokens_;
  std::vector<int> order_;
  std::vector<Split> splits_;
  std::size_t left_;
  std::int64_t mean_;
};

std::int64_t TokensAt(double percent, std::int64_t total) {
  return static_cast<std::int64_t>(std::ceil(percent / 100 * static_cast<double>(total)));
}

int RootOf(std::vector<int>& parents, int tune) {
  while (parents[tune] != tune) tune = parents[tune] = parents[parents[tune]];
  return tune;
}

}  // namespace

std::string_view SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kVal:
      return "val";
    case Split::kTest:
      return "test";
  }
  ENSURE(false);
}

std::string SplitFile(Split split) { return std::string(SplitName(split)) + ".npy"; }

absl::StatusOr<SplitShares> ParseSplitShares(std::string_view text) {
  std::array<double, 3> shares{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  bool ok = true;
  for (std::size_t i = 0; ok && i < shares.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, shares[i], std::chars_format::fixed);
    ok = error == std::errc() && shares[i] > 0 &&
         (i == 2 ? next == end : next != end && *next == '/');
    at = next + 1;
  }
  if (!ok || std::abs(shares[0] + shares[1] + shares[2] - 100) > kSumTolerance) {
    return InvalidArgument(fmt::format(
        "split '{}': three per cents above 0 that sum to 100 are needed, train/val/test, as in "
        "--split 90/9/1",
        text));
  }
  return SplitShares{.train = shares[0], .val = shares[1], .test = shares[2]};
}

SplitShares DefaultShares(std::int64_t total_tokens) {
  const double needed = total_tokens > 0 ? std::ceil(100.0 * kMinValTokens / total_tokens) : 100;
  const double val = std::clamp(needed, 1.0, 100 - kTestPercent - kMinTrainPercent);
  return {.train = 100 - kTestPercent - val, .val = val, .test = kTestPercent};
}

std::vector<int> GroupVersions(std::span<const std::vector<std::string>> keys_of_tunes) {
  const int count = static_cast<int>(keys_of_tunes.size());
  std::vector<int> parents(keys_of_tunes.size());
  std::iota(parents.begin(), parents.end(), 0);
  std::unordered_map<std::string_view, int> first_with;
  for (int tune = 0; tune < count; ++tune) {
    for (const std::string& key : keys_of_tunes[tune]) {
      const auto [found, is_new] = first_with.try_emplace(key, tune);
      if (!is_new) parents[RootOf(parents, tune)] = RootOf(parents, found->second);
    }
  }
  std::vector<int> groups(keys_of_tunes.size());
  std::unordered_map<int, int> number_of;
  for (int tune = 0; tune < count; ++tune) {
    const int next = static_cast<int>(number_of.size());
    groups[tune] = number_of.try_emplace(RootOf(parents, tune), next).first->second;
  }
  return groups;
}

std::vector<int> ShuffledOrder(int count, std::uint64_t seed, std::uint32_t substream) {
  const CounterRandom random(seed, RandomStream::kCorpusSplit, substream);
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i + 1 < count; ++i) {
    std::swap(order[i], order[i + random.Below(i, static_cast<std::uint64_t>(count - i))]);
  }
  return order;
}

absl::StatusOr<std::vector<Split>> AssignSplits(std::span<const std::int64_t> group_tokens,
                                                const SplitShares& shares, std::uint64_t seed) {
  if (group_tokens.size() < kSplits.size()) {
    return InvalidArgument(fmt::format(
        "{} different tunes (versions of one tune count once); at least 3 are needed, one for each "
        "of train, val and test: add tunes to SRC",
        group_tokens.size()));
  }
  const std::int64_t total = Total(group_tokens);
  Filler filler(group_tokens, seed);
  filler.Fill(Split::kTest, TokensAt(shares.test, total), /*keep=*/2);
  filler.Fill(Split::kVal, TokensAt(shares.val, total), /*keep=*/1);
  return filler.splits();
}

}  // namespace etude
