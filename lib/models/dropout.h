// Inverted dropout whose masks are a pure function of (seed, step, site, element), the same on CPU
// and CUDA.
#ifndef ETUDE_LIB_MODELS_DROPOUT_H_
#define ETUDE_LIB_MODELS_DROPOUT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/models/dropout_words.h"

namespace etude {

class Dropout {
 public:
  // The identity: evaluation and sampling.
  Dropout() = default;
  Dropout(double probability, std::uint64_t seed, std::int64_t step);

  bool active() const { return probability_ > 0; }
  // x with elements dropped and the others scaled by 1 / (1 - probability).
  at::Tensor operator()(const at::Tensor& x, std::uint32_t site) const;
  // The factors themselves, of x's shape, type float, on x's device.
  at::Tensor MaskLike(const at::Tensor& x, std::uint32_t site) const;

 private:
  double probability_ = 0;
  std::uint64_t seed_ = 0;
  std::uint32_t step_ = 0;
};

// The mask of `elements` elements in integer tensor operations: slower than FillDropoutMask, runs
// on any device.
at::Tensor DropoutMaskByTensorOps(const DropoutSite& site, std::uint32_t threshold,
                                  float kept_value, std::int64_t elements, at::Device device);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_DROPOUT_H_
