#include "lib/models/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <span>

#include "lib/base/random.h"

namespace etude {
namespace {

constexpr std::int64_t kLowWord = 0xFFFFFFFF;
constexpr std::int64_t kGroupsPerTask = 256;

// 32-bit words live in int64 tensors; a product wraps modulo 2^64, so its upper word survives shift
// and mask.
at::Tensor LowOfProduct(const at::Tensor& word, std::int64_t factor) {
  return (word * factor) & kLowWord;
}
at::Tensor HighOfProduct(const at::Tensor& word, std::int64_t factor) {
  return (word * factor).bitwise_right_shift(32) & kLowWord;
}

at::Tensor MaskOnCpu(const DropoutSite& site, std::uint32_t threshold, float kept_value,
                     std::int64_t elements) {
  at::Tensor mask = at::empty({elements}, at::kFloat);
  float* data = mask.mutable_data_ptr<float>();
  const std::int64_t groups = (elements + kDropoutGroup - 1) / kDropoutGroup;
  at::parallel_for(0, groups, kGroupsPerTask, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * kDropoutGroup;
    const std::int64_t last = std::min(end * kDropoutGroup, elements);
    FillDropoutMask(site, threshold, kept_value, first, std::span(data + first, last - first));
  });
  return mask;
}

}  // namespace

at::Tensor DropoutMaskByTensorOps(const DropoutSite& site, std::uint32_t threshold,
                                  float kept_value, std::int64_t elements, at::Device device) {
  const std::int64_t groups = (elements + kDropoutGroup - 1) / kDropoutGroup;
  const at::TensorOptions options = at::TensorOptions().dtype(at::kLong).device(device);
  at::Tensor c0 = at::arange(groups * kDropoutLanes, options);
  at::Tensor c1 = at::full_like(c0, static_cast<std::int64_t>(site.site));
  at::Tensor c2 = at::full_like(c0, static_cast<std::int64_t>(site.step));
  at::Tensor c3 = at::full_like(c0, static_cast<std::int64_t>(RandomStream::kDropout));
  std::int64_t key0 = static_cast<std::int64_t>(site.seed & kLowWord);
  std::int64_t key1 = static_cast<std::int64_t>(site.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const at::Tensor next0 = (HighOfProduct(c2, 0xCD9E8D57) ^ c1) ^ key0;
    const at::Tensor next2 = (HighOfProduct(c0, 0xD2511F53) ^ c3) ^ key1;
    c1 = LowOfProduct(c2, 0xCD9E8D57);
    c3 = LowOfProduct(c0, 0xD2511F53);
    c0 = next0;
    c2 = next2;
    key0 = (key0 + 0x9E3779B9) & kLowWord;
    key1 = (key1 + 0xBB67AE85) & kLowWord;
  }
  const at::Tensor words =
      at::stack({c0, c1, c2, c3}).view({4, groups, kDropoutLanes}).transpose(0, 1);
  const at::Tensor kept =
      words.reshape({-1}).narrow(0, 0, elements).ge(static_cast<std::int64_t>(threshold));
  return kept.to(at::kFloat).mul_(kept_value);
}

Dropout::Dropout(double probability, std::uint64_t seed, std::int64_t step)
    : probability_(probability), seed_(seed), step_(static_cast<std::uint32_t>(step)) {}

at::Tensor Dropout::operator()(const at::Tensor& x, std::uint32_t site) const {
  return active() ? x * MaskLike(x, site) : x;
}

at::Tensor Dropout::MaskLike(const at::Tensor& x, std::uint32_t site) const {
  const DropoutSite key{seed_, step_, site};
  const std::uint32_t threshold = DropoutThreshold(probability_);
  const auto kept_value = static_cast<float>(1.0 / (1.0 - probability_));
  const at::Tensor mask = x.device().is_cpu() ? MaskOnCpu(key, threshold, kept_value, x.numel())
                                              : DropoutMaskByTensorOps(key, threshold, kept_value,
                                                                       x.numel(), x.device());
  return mask.view(x.sizes());
}

}  // namespace etude
