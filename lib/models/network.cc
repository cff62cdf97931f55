#include "lib/models/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <span>

#include "lib/base/status.h"
#include "lib/models/lstm.h"
#include "lib/models/transformer.h"

namespace etude {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: one cache line

std::int64_t RoundUp(std::int64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Weights::Weights(const ModelConfig& model, at::Device device)
    : parameters_(ParametersOf(model)), offsets_(parameters_.size()) {
  std::int64_t total = 0;
  for (const bool decays : {true, false}) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].decays() != decays) continue;
      offsets_[i] = total;
      total += RoundUp(parameters_[i].size());
    }
    if (decays) decayed_size_ = total;
  }
  const at::NoGradGuard no_grad;
  values_ = at::zeros({total}, at::TensorOptions().dtype(at::kFloat).device(device));
  gradients_ = at::zeros_like(values_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    leaves_.push_back(PartOf(values_, i).detach().requires_grad_(true));
    leaves_.back().mutable_grad() = PartOf(gradients_, i);
  }
}

void Weights::Initialize(std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    at::Tensor host = at::empty(parameter.shape, at::kFloat);
    FillInitialValues(parameter, static_cast<std::uint32_t>(i), seed,
                      std::span(host.mutable_data_ptr<float>(), parameter.size()));
    PartOf(values_, i).copy_(host);
  }
}

const at::Tensor& Weights::operator[](std::string_view name) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].name == name) return leaves_[i];
  }
  ENSURE(!"a parameter of that name");
  return leaves_.front();
}

at::Tensor Weights::PartOf(const at::Tensor& flat, std::size_t index) const {
  return flat.narrow(0, offsets_[index], parameters_[index].size()).view(parameters_[index].shape);
}

std::vector<NamedArray> Weights::ArraysOf(const at::Tensor& flat, const std::string& prefix) const {
  ENSURE(flat.device().is_cpu() && flat.numel() == values_.numel());
  std::vector<NamedArray> arrays;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const std::span values(flat.const_data_ptr<float>() + offsets_[i], parameter.size());
    arrays.push_back(
        {prefix + parameter.name, ElementType::kF32, parameter.shape, std::as_bytes(values)});
  }
  return arrays;
}

absl::Status Weights::Restore(const Safetensors& file, const std::string& prefix,
                              const at::Tensor& flat) const {
  const at::NoGradGuard no_grad;
  at::Tensor host = at::zeros(flat.sizes(), at::kFloat);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const NamedArray* array = file.Find(prefix + parameter.name);
    if (array == nullptr || array->type != ElementType::kF32 || array->shape != parameter.shape) {
      return DataLoss("checkpoint: array '" + prefix + parameter.name +
                      "' is missing or has another shape; resume from a checkpoint of this run");
    }
    std::memcpy(host.mutable_data_ptr<float>() + offsets_[i], array->bytes.data(),
                array->bytes.size());
  }
  flat.copy_(host);
  return absl::OkStatus();
}

std::unique_ptr<Network> MakeNetwork(const ModelConfig& model, Kernels kernels,
                                     const Weights& weights) {
  switch (model.family) {
    case Family::kTransformer:
      return std::make_unique<Transformer>(model, kernels, weights);
    case Family::kLstm:
      return std::make_unique<Lstm>(model, kernels, weights);
  }
  ENSURE(false);
}

}  // namespace etude
