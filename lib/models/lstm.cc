#include "lib/models/lstm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

// B batch, T tokens of a window, C width, V vocabulary.
namespace etude {

Lstm::Lstm(const ModelConfig& model, Kernels kernels, const Weights& weights)
    : kernels_(kernels),
      token_embedding_(weights["token_embedding.weight"]),
      head_weight_(weights["head.weight"]),
      head_bias_(weights["head.bias"]) {
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string suffix = "_l" + std::to_string(layer);
    layers_.push_back({.weight_ih = weights["lstm.weight_ih" + suffix],
                       .weight_hh = weights["lstm.weight_hh" + suffix],
                       .bias_ih = weights["lstm.bias_ih" + suffix],
                       .bias_hh = weights["lstm.bias_hh" + suffix]});
  }
}

at::Tensor Lstm::Logits(const at::Tensor& tokens, const Dropout& dropout) const {
  const std::int64_t rows = tokens.numel(), width = head_weight_.size(1);
  at::Tensor x = at::embedding(token_embedding_, tokens.t().contiguous());  // [T, B, C]
  std::uint32_t site = 0;
  for (const Layer& layer : layers_) {
    x = kernels_ == Kernels::kFused ? FusedLayer(layer, x) : ReferenceLayer(layer, x);
    x = dropout(x, site++);  // [T, B, C]
  }
  x = x.transpose(0, 1).reshape({rows, width});       // [B * T, C]
  return at::addmm(head_bias_, x, head_weight_.t());  // [B * T, V]
}

at::Tensor Lstm::FusedLayer(const Layer& layer, const at::Tensor& x) {
  const at::Tensor zero = at::zeros({1, x.size(1), x.size(2)}, x.options());
  const auto result =
      at::lstm(x, {zero, zero}, {layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh},
               /*has_biases=*/true, /*num_layers=*/1, /*dropout=*/0.0,
               /*train=*/at::GradMode::is_enabled(), /*bidirectional=*/false,
               /*batch_first=*/false);
  return std::get<0>(result);
}

at::Tensor Lstm::ReferenceLayer(const Layer& layer, const at::Tensor& x) {
  at::Tensor h = at::zeros({x.size(1), x.size(2)}, x.options());  // [B, C]
  at::Tensor c = h;                                               // [B, C]
  std::vector<at::Tensor> states;
  for (const at::Tensor& input : x.unbind(0)) {  // [B, C]
    const auto gates = (at::addmm(layer.bias_ih, input, layer.weight_ih.t()) +
                        at::addmm(layer.bias_hh, h, layer.weight_hh.t()))
                           .chunk(4, 1);  // 4 x [B, C]
    c = at::sigmoid(gates[1]) * c + at::sigmoid(gates[0]) * at::tanh(gates[2]);
    h = at::sigmoid(gates[3]) * at::tanh(c);
    states.push_back(h);
  }
  return at::stack(states);  // [T, B, C]
}

}  // namespace etude
