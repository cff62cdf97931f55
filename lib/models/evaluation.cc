#include "lib/models/evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::int64_t kTokensPerBatch =
    2048;  // part of the numerics: products round by their shape

}  // namespace

void FillWindow(std::span<const Token> tokens, std::int64_t start, std::int64_t row,
                at::Tensor& inputs, at::Tensor& targets) {
  const std::int64_t length = inputs.size(1);
  const std::int64_t known = std::min(length, static_cast<std::int64_t>(tokens.size()) - 1 - start);
  std::int64_t* input = inputs.mutable_data_ptr<std::int64_t>() + row * length;
  std::int64_t* target = targets.mutable_data_ptr<std::int64_t>() + row * length;
  for (std::int64_t i = 0; i < known; ++i) {
    input[i] = tokens[start + i];
    target[i] = tokens[start + i + 1];
  }
  std::fill(input + known, input + length, 0);
  std::fill(target + known, target + length, kNoTarget);
}

Evaluation::Evaluation(std::span<const Token> tokens, int context, const Network& network,
                       at::Device device)
    : tokens_(tokens),
      context_(context),
      windows_(static_cast<std::int64_t>(tokens.size()), context),
      network_(network),
      device_(device) {
  ENSURE(tokens.size() >= 2);
}

void Evaluation::ForEachTarget(std::span<const std::int64_t> windows,
                               const std::function<void(std::int64_t, double)>& use) const {
  const at::NoGradGuard no_grad;
  const auto batch =
      static_cast<std::size_t>(std::max<std::int64_t>(1, kTokensPerBatch / context_));
  for (std::size_t first = 0; first < windows.size(); first += batch) {
    const auto some = windows.subspan(first, std::min(batch, windows.size() - first));
    const auto rows = static_cast<std::int64_t>(some.size());
    at::Tensor inputs = at::empty({rows, context_}, at::kLong), targets = at::empty_like(inputs);
    for (std::int64_t row = 0; row < rows; ++row) {
      FillWindow(tokens_, windows_.start(some[row]), row, inputs, targets);
    }
    const at::Tensor losses =
        at::cross_entropy_loss(network_.Logits(inputs.to(device_), Dropout()),
                               targets.to(device_).view({-1}), {}, at::Reduction::None, kNoTarget)
            .cpu();
    const float* loss = losses.const_data_ptr<float>();
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t start = windows_.start(some[row]);
      for (std::int64_t i = 0; i < windows_.targets(some[row]); ++i) {
        use(start + i + 1, static_cast<double>(loss[row * context_ + i]));
      }
    }
  }
}

LossSum Evaluation::Over(std::span<const std::int64_t> windows) const {
  LossSum sum;
  ForEachTarget(windows, [&](std::int64_t, double nats) {
    sum.nats += nats;
    ++sum.targets;
  });
  return sum;
}

std::vector<LossSum> Evaluation::ByDocument(std::span<const std::int64_t> starts) const {
  ENSURE(!starts.empty() && starts.front() == 0);
  std::vector<std::int64_t> all(windows_.count());
  std::iota(all.begin(), all.end(), 0);
  std::vector<LossSum> sums(starts.size());
  std::size_t document = 0;
  ForEachTarget(all, [&](std::int64_t place, double nats) {
    while (document + 1 < starts.size() && place >= starts[document + 1]) ++document;
    sums[document].nats += nats;
    ++sums[document].targets;
  });
  return sums;
}

}  // namespace etude
