// Which tune goes to train, val or test. Pure, and a function of (sizes, version groups, shares,
// seed) alone.
#ifndef ETUDE_LIB_MUSIC_CORPUS_SPLIT_H_
#define ETUDE_LIB_MUSIC_CORPUS_SPLIT_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

enum class Split { kTrain, kVal, kTest };
inline constexpr std::array<Split, 3> kSplits = {Split::kTrain, Split::kVal, Split::kTest};
std::string_view SplitName(Split split);  // "train"
std::string SplitFile(Split split);       // "train.npy"

// Per cent of all tokens.
struct SplitShares {
  double train = 98;
  double val = 1;
  double test = 1;
};

// From "90/9/1". kInvalidArgument: not three numbers above 0 that sum to 100.
absl::StatusOr<SplitShares> ParseSplitShares(std::string_view text);

// A validation loss over fewer tokens is noisier than the differences a scaling law must resolve.
inline constexpr std::int64_t kMinValTokens = 90'000;
inline constexpr double kMinTrainPercent = 80;

// 98/1/1, or the least whole val per cent that gives kMinValTokens while train keeps
// kMinTrainPercent.
SplitShares DefaultShares(std::int64_t total_tokens);

// A group number for each tune: tunes that share a key, directly or through others, share the
// number; numbers run from 0 in the order of first appearance.
std::vector<int> GroupVersions(std::span<const std::vector<std::string>> keys_of_tunes);

// The numbers 0..count-1 in an order fixed by (seed, substream); kCorpusSplit of lib/base/random.h.
std::vector<int> ShuffledOrder(int count, std::uint64_t seed, std::uint32_t substream);

// A split for each group of `group_tokens`. Groups in shuffled order fill test, then val, until
// each has its share; train gets the rest and every group larger than a tenth of the split it would
// enter, as far as others can fill it. kInvalidArgument: fewer than three groups.
absl::StatusOr<std::vector<Split>> AssignSplits(std::span<const std::int64_t> group_tokens,
                                                const SplitShares& shares, std::uint64_t seed);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_SPLIT_H_
