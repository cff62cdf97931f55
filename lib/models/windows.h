// Which tokens a run sees, and when. A window is `context` inputs and the `context` targets one
// token later. Everything here is a pure function of its arguments; no generator state exists.
#ifndef ETUDE_LIB_MODELS_WINDOWS_H_
#define ETUDE_LIB_MODELS_WINDOWS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/random.h"

namespace etude {

using Token = std::uint16_t;

// Starts of the documents of a split, ascending, the first 0; {0} when no token starts documents.
std::vector<std::int64_t> DocumentStarts(std::span<const Token> tokens,
                                         std::optional<Token> document_token);

// The first `unique` tokens of the split with its documents in a fixed random order, so a smaller
// pool is a prefix of a larger one, whatever the run's seed. A split without documents is cut into
// blocks of `context` tokens instead. unique >= tokens.size() gives the split as it is.
std::vector<Token> UniquePool(std::span<const Token> tokens, std::optional<Token> document_token,
                              std::int64_t unique, int context);

// The order of training windows over a pool of `unique` tokens. An epoch visits each of its windows
// once, in an order of its own; with stride == context the windows also start at an offset of its
// own. A batch may cross epochs. Not thread-safe.
class TrainingOrder {
 public:
  // unique > context, stride >= 1.
  TrainingOrder(std::int64_t unique, int context, int stride, std::uint64_t seed);

  // First token of the `index`-th window ever visited, from 0; step s of batch b visits (s-1)*b ..
  // s*b-1.
  std::int64_t WindowStart(std::int64_t index);

 private:
  struct Epoch {
    std::uint32_t number = 0;
    std::int64_t first = 0;  // index of its first window
    std::int64_t windows = 0;
    std::int64_t offset = 0;
  };
  Epoch MakeEpoch(std::uint32_t number, std::int64_t first) const;

  std::int64_t unique_;
  int context_;
  int stride_;
  std::uint64_t seed_;
  Epoch epoch_;
};

// A bijection on [0, size), fixed by `random`: four Feistel rounds on the next even number of bits,
// walked until it falls inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
// No state, any index at once.
std::int64_t Permute(std::int64_t index, std::int64_t size, const CounterRandom& random);

// Non-overlapping windows over a whole split, for evaluation: each of its size - 1 targets belongs
// to exactly one.
class EvaluationWindows {
 public:
  EvaluationWindows(std::int64_t tokens, int context) : tokens_(tokens), context_(context) {}
  std::int64_t count() const { return (tokens_ - 1 + context_ - 1) / context_; }
  std::int64_t start(std::int64_t window) const { return window * context_; }
  // Targets of the window; below context only for the last one.
  std::int64_t targets(std::int64_t window) const;
  // The windows of a probe of about `targets` targets, spread evenly over the split; all of them if
  // it has fewer.
  std::vector<std::int64_t> Spread(std::int64_t targets) const;

 private:
  std::int64_t tokens_;
  int context_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_WINDOWS_H_
