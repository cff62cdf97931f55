#include "lib/models/transformer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "lib/models/gelu.h"

// B batch, T tokens of a window, C width, H heads, D = C / H, V vocabulary; N = B * T rows.
namespace etude {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr std::uint32_t kEmbeddingSite = 0;
constexpr std::uint32_t kSitesPerBlock = 3;  // attention weights, attention projection, MLP

// residual + dropout(x weight^T), the product and the sum in one call where nothing is dropped.
at::Tensor AddProjection(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                         const Dropout& dropout, std::uint32_t site) {
  if (!dropout.active()) return at::addmm(residual, x, weight.t());
  return residual + dropout(at::mm(x, weight.t()), site);
}

}  // namespace

Transformer::Norm Transformer::NormOf(const Weights& weights, const std::string& name) {
  return {weights[name + ".weight"], weights[name + ".bias"]};
}

Transformer::Transformer(const ModelConfig& model, Kernels kernels, const Weights& weights)
    : model_(model),
      kernels_(kernels),
      token_embedding_(weights["token_embedding.weight"]),
      position_embedding_(weights["position_embedding.weight"]),
      final_norm_(NormOf(weights, "final_norm")) {
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string name = "blocks." + std::to_string(layer);
    blocks_.push_back({.attention_norm = NormOf(weights, name + ".attention_norm"),
                       .qkv = weights[name + ".attention.qkv.weight"],
                       .projection = weights[name + ".attention.projection.weight"],
                       .mlp_norm = NormOf(weights, name + ".mlp_norm"),
                       .up = weights[name + ".mlp.up.weight"],
                       .down = weights[name + ".mlp.down.weight"]});
  }
  const at::TensorOptions options = at::TensorOptions().dtype(at::kBool).device(weights.device());
  future_ = at::ones({model.context, model.context}, options).triu(1);
}

at::Tensor Transformer::Normalize(const at::Tensor& x, const Norm& norm) const {
  return at::layer_norm(x, {model_.width}, norm.weight, norm.bias, kNormEpsilon);
}

at::Tensor Transformer::Logits(const at::Tensor& tokens, const Dropout& dropout) const {
  const std::int64_t batch = tokens.size(0), length = tokens.size(1);
  const at::Tensor positions =
      length == model_.context ? position_embedding_ : position_embedding_.narrow(0, 0, length);
  at::Tensor x = at::embedding(token_embedding_, tokens) + positions;   // [B, T, C]
  x = dropout(x, kEmbeddingSite).view({batch * length, model_.width});  // [N, C]
  std::uint32_t site = kEmbeddingSite + 1;
  for (const Block& block : blocks_) {
    at::Tensor h = Normalize(x, block.attention_norm);             // [N, C]
    h = at::mm(h, block.qkv.t());                                  // [N, 3C]
    h = Attention(h, batch, dropout, site);                        // [N, C]
    x = AddProjection(x, h, block.projection, dropout, site + 1);  // [N, C]
    h = Normalize(x, block.mlp_norm);                              // [N, C]
    h = at::mm(h, block.up.t());                                   // [N, 4C]
    h = kernels_ == Kernels::kFused ? FusedGelu(h) : at::gelu(h);
    x = AddProjection(x, h, block.down, dropout, site + 2);  // [N, C]
    site += kSitesPerBlock;
  }
  return at::mm(Normalize(x, final_norm_), token_embedding_.t());  // [N, V]
}

at::Tensor Transformer::Attention(const at::Tensor& qkv, std::int64_t batch, const Dropout& dropout,
                                  std::uint32_t site) const {
  const std::int64_t rows = qkv.size(0), length = rows / batch, heads = model_.heads;
  const auto parts = qkv.view({batch, length, 3, heads, model_.width / heads})
                         .permute({2, 0, 3, 1, 4})
                         .unbind(0);  // 3 x [B, H, T, D]
  const bool fused = kernels_ == Kernels::kFused && !dropout.active();
  const at::Tensor mixed =
      fused ? at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0,
                                               /*is_causal=*/true)
            : ExplicitAttention(parts[0], parts[1], parts[2], dropout, site);  // [B, H, T, D]
  return mixed.transpose(1, 2).reshape({rows, model_.width});                  // [N, C]
}

at::Tensor Transformer::ExplicitAttention(const at::Tensor& q, const at::Tensor& k,
                                          const at::Tensor& v, const Dropout& dropout,
                                          std::uint32_t site) const {
  const std::int64_t length = q.size(2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  const at::Tensor future = future_.narrow(0, 0, length).narrow(1, 0, length);
  at::Tensor scores = at::matmul(q * scale, k.transpose(2, 3));  // [B, H, T, T]
  scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
  const at::Tensor weights = dropout(at::softmax(scores, -1), site);  // [B, H, T, T]
  return at::matmul(weights, v);                                      // [B, H, T, D]
}

}  // namespace etude
