// Which pieces a corpus holds, in which split and order. Pure, and a function of its arguments.
#ifndef ETUDE_LIB_MUSIC_CORPUS_PLAN_H_
#define ETUDE_LIB_MUSIC_CORPUS_PLAN_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/corpus_split.h"

namespace etude {

struct PlannedPiece {
  std::int64_t tokens = 0;  // with its <doc>
  // What splits are filled by: the same in every scheme, so that equal shares put a piece into the
  // same split whatever it is written in.
  std::int64_t weight = 0;
  std::vector<std::string> version_keys;  // pieces that share one are versions of one tune
};

struct CorpusPlanOptions {
  std::optional<SplitShares> shares = std::nullopt;  // default: DefaultShares of all tokens
  std::uint64_t seed = 1;
  // Whole pieces, up to this many tokens. Pieces are split first and each split is cut off behind
  // its share, so the training, validation and test pieces of a smaller number are among those of a
  // larger one, and no piece ever changes sides. Val and test keep one piece each at least.
  std::optional<std::int64_t> max_tokens = std::nullopt;
};

struct CorpusPlan {
  std::array<std::vector<int>, 3> pieces;  // by Split: numbers of pieces, in their order
  SplitShares shares;
  std::int64_t groups = 0;    // of versions, among the pieces kept
  std::int64_t left_out = 0;  // pieces beyond max_tokens
};

// kInvalidArgument: fewer than three groups of versions, or no training piece within max_tokens.
absl::StatusOr<CorpusPlan> PlanCorpus(std::span<const PlannedPiece> pieces,
                                      const CorpusPlanOptions& options);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_PLAN_H_
