// GELU that keeps its slope for the backward pass, which is then one product.
#ifndef ETUDE_LIB_MODELS_GELU_H_
#define ETUDE_LIB_MODELS_GELU_H_

#include <ATen/core/Tensor.h>

namespace etude {

// at::gelu(x) within 1e-6, differentiable once; x float32. Our own loop on the CPU, LibTorch's
// kernel elsewhere.
at::Tensor FusedGelu(const at::Tensor& x);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_GELU_H_
