// A pre-norm GPT: learned positions, GELU (erf), no biases in linear layers, the head tied to the
// token embedding. Radford et al. 2019, as trained by nanoGPT; DESIGN.md section 6.
#ifndef ETUDE_LIB_MODELS_TRANSFORMER_H_
#define ETUDE_LIB_MODELS_TRANSFORMER_H_

#include <vector>

#include "lib/models/network.h"

namespace etude {

class Transformer : public Network {
 public:
  Transformer(const ModelConfig& model, Kernels kernels, const Weights& weights);
  at::Tensor Logits(const at::Tensor& tokens, const Dropout& dropout) const override;

 private:
  struct Norm {
    at::Tensor weight, bias;  // [C]
  };
  struct Block {
    Norm attention_norm;
    at::Tensor qkv;         // [3C, C]
    at::Tensor projection;  // [C, C]
    Norm mlp_norm;
    at::Tensor up;    // [4C, C]
    at::Tensor down;  // [C, 4C]
  };
  static Norm NormOf(const Weights& weights, const std::string& name);
  at::Tensor Normalize(const at::Tensor& x, const Norm& norm) const;
  at::Tensor Attention(const at::Tensor& qkv, std::int64_t batch, const Dropout& dropout,
                       std::uint32_t site) const;
  at::Tensor ExplicitAttention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const Dropout& dropout, std::uint32_t site) const;

  ModelConfig model_;
  Kernels kernels_;
  at::Tensor token_embedding_;     // [V, C]
  at::Tensor position_embedding_;  // [context, C]
  std::vector<Block> blocks_;
  Norm final_norm_;
  at::Tensor future_;  // bool [context, context], true where column > row
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_TRANSFORMER_H_
