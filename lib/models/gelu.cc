#include "lib/models/gelu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "lib/models/gelu_loop.h"

namespace etude {
namespace {

constexpr std::int64_t kElementsPerTask = 16384;

struct Gelu : torch::autograd::Function<Gelu> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x) {
    const at::Tensor input = x.contiguous();
    at::Tensor y = at::empty_like(input), slope = at::empty_like(input);
    const float* from = input.const_data_ptr<float>();
    float *to = y.mutable_data_ptr<float>(), *slope_to = slope.mutable_data_ptr<float>();
    at::parallel_for(0, input.numel(), kElementsPerTask, [&](std::int64_t begin, std::int64_t end) {
      GeluAndSlope(from + begin, to + begin, slope_to + begin, end - begin);
    });
    context->save_for_backward({slope});
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0] * context->get_saved_variables()[0]};
  }
};

}  // namespace

at::Tensor FusedGelu(const at::Tensor& x) {
  return x.device().is_cpu() ? Gelu::apply(x) : at::gelu(x);
}

}  // namespace etude
