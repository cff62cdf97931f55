// A stacked LSTM language model: embedding as wide as the hidden state, two bias vectors a layer,
// dropout between layers and before an untied head with bias. The state is zero at each window's
// start. Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates in
// PyTorch's order i, f, g, o; DESIGN.md section 6.
#ifndef ETUDE_LIB_MODELS_LSTM_H_
#define ETUDE_LIB_MODELS_LSTM_H_

#include <vector>

#include "lib/models/network.h"

namespace etude {

class Lstm : public Network {
 public:
  Lstm(const ModelConfig& model, Kernels kernels, const Weights& weights);
  at::Tensor Logits(const at::Tensor& tokens, const Dropout& dropout) const override;

 private:
  struct Layer {
    at::Tensor weight_ih;  // [4C, C]
    at::Tensor weight_hh;  // [4C, C]
    at::Tensor bias_ih;    // [4C]
    at::Tensor bias_hh;    // [4C]
  };
  // x [T, B, C] -> hidden states [T, B, C].
  static at::Tensor FusedLayer(const Layer& layer, const at::Tensor& x);
  static at::Tensor ReferenceLayer(const Layer& layer, const at::Tensor& x);

  Kernels kernels_;
  at::Tensor token_embedding_;  // [V, C]
  std::vector<Layer> layers_;
  at::Tensor head_weight_;  // [V, C]
  at::Tensor head_bias_;    // [V]
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_LSTM_H_
