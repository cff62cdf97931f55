// Losses of fixed windows with dropout off: probes of the curve, the whole split, sums by document.
#ifndef ETUDE_LIB_MODELS_EVALUATION_H_
#define ETUDE_LIB_MODELS_EVALUATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lib/models/network.h"
#include "lib/models/windows.h"

namespace etude {

struct LossSum {
  double nats = 0;
  std::int64_t targets = 0;
  double mean() const { return nats / static_cast<double>(targets); }
};

// Fills row `row` of inputs and targets, int64 [B, T] on the CPU, with the window at `start`.
// Places past the end of the tokens hold input 0 and target kNoTarget.
inline constexpr std::int64_t kNoTarget = -100;
void FillWindow(std::span<const Token> tokens, std::int64_t start, std::int64_t row,
                at::Tensor& inputs, at::Tensor& targets);

// Evaluates one network on one split. The split and the network must outlive it.
class Evaluation {
 public:
  Evaluation(std::span<const Token> tokens, int context, const Network& network, at::Device device);
  const EvaluationWindows& windows() const { return windows_; }

  // Over the given windows, summed in double in the order of their targets.
  LossSum Over(std::span<const std::int64_t> windows) const;
  // Over the whole split, one sum for each document that starts at `starts` (the first 0); a target
  // belongs to the document it lies in. The sums cover every token of the split but the first
  // exactly once.
  std::vector<LossSum> ByDocument(std::span<const std::int64_t> starts) const;

 private:
  // Calls `use` with the place of each target in the split and its loss in nats, in order.
  void ForEachTarget(std::span<const std::int64_t> windows,
                     const std::function<void(std::int64_t, double)>& use) const;

  std::span<const Token> tokens_;
  int context_;
  EvaluationWindows windows_;
  const Network& network_;
  at::Device device_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_EVALUATION_H_
