// AdamW (Loshchilov and Hutter 2019) on flat weights by LibTorch's fused kernel: weight decay on
// matrices only, clipping by the global gradient norm.
#ifndef ETUDE_LIB_MODELS_ADAMW_H_
#define ETUDE_LIB_MODELS_ADAMW_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/models/network.h"
#include "lib/scaling/run.h"

namespace etude {

class AdamW {
 public:
  // `weights` must outlive this.
  AdamW(const OptimizerConfig& config, const Weights& weights);

  // L2 norm of all gradients, before clipping.
  at::Tensor GradientNorm() const;
  // Clips, given that norm, and makes update number `step` (1-based).
  void Update(std::int64_t step, double learning_rate, double gradient_norm);

  // The moments, flat as Weights::values().
  const at::Tensor& mean() const { return mean_; }
  const at::Tensor& variance() const { return variance_; }

 private:
  OptimizerConfig config_;
  const Weights& weights_;
  at::Tensor mean_;
  at::Tensor variance_;
  at::Tensor step_;  // scalar, as the kernel wants it
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_ADAMW_H_
