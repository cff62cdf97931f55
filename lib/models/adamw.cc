#include "lib/models/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace etude {
namespace {

constexpr double kNormGuard = 1e-6;  // as torch.nn.utils.clip_grad_norm_

}  // namespace

AdamW::AdamW(const OptimizerConfig& config, const Weights& weights)
    : config_(config),
      weights_(weights),
      mean_(at::zeros_like(weights.values())),
      variance_(at::zeros_like(weights.values())),
      step_(at::zeros({}, weights.values().options())) {}

at::Tensor AdamW::GradientNorm() const { return at::linalg_vector_norm(weights_.gradients()); }

void AdamW::Update(std::int64_t step, double learning_rate, double gradient_norm) {
  const at::NoGradGuard no_grad;
  const double shrink = config_.clip / (gradient_norm + kNormGuard);
  if (config_.clip > 0 && shrink < 1) weights_.gradients().mul_(shrink);
  step_.fill_(step);
  const std::int64_t decayed = weights_.decayed_size(), size = weights_.values().numel();
  const auto update = [&](std::int64_t begin, std::int64_t end, double weight_decay) {
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, begin, end - begin); };
    at::_fused_adamw_({part(weights_.values())}, {part(weights_.gradients())}, {part(mean_)},
                      {part(variance_)}, {}, {step_}, learning_rate, config_.beta1, config_.beta2,
                      weight_decay, config_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  };
  update(0, decayed, config_.weight_decay);
  update(decayed, size, 0.0);
}

}  // namespace etude
