// What the trainer and the sampler know of a model: its weights in one flat buffer, and logits.
#ifndef ETUDE_LIB_MODELS_NETWORK_H_
#define ETUDE_LIB_MODELS_NETWORK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/models/dropout.h"
#include "lib/models/parameters.h"
#include "lib/models/safetensors.h"
#include "lib/scaling/model.h"
#include "lib/scaling/run.h"

namespace etude {

// The parameters of one model as float32 views of one buffer, their gradients as views of another,
// so that clipping and the optimizer touch two arrays instead of dozens. Parameters that decay come
// first.
class Weights {
 public:
  Weights(const ModelConfig& model, at::Device device);
  void Initialize(std::uint64_t seed);

  // The leaf of that name, whose gradient accumulates into gradients(). It must exist.
  const at::Tensor& operator[](std::string_view name) const;
  const std::vector<Parameter>& parameters() const { return parameters_; }
  at::Device device() const { return values_.device(); }

  const at::Tensor& values() const { return values_; }         // flat
  const at::Tensor& gradients() const { return gradients_; }   // flat, laid out as values()
  std::int64_t decayed_size() const { return decayed_size_; }  // values()[0:this] decay

  // The parts of `flat`, laid out as values() and on the CPU, as arrays named prefix + parameter
  // name. They point into `flat`.
  std::vector<NamedArray> ArraysOf(const at::Tensor& flat, const std::string& prefix) const;
  // The inverse: fills `flat` on any device. kDataLoss: an array is missing or has another type or
  // shape.
  absl::Status Restore(const Safetensors& file, const std::string& prefix,
                       const at::Tensor& flat) const;

 private:
  at::Tensor PartOf(const at::Tensor& flat, std::size_t index) const;

  std::vector<Parameter> parameters_;
  std::vector<std::int64_t> offsets_;
  std::vector<at::Tensor> leaves_;
  std::int64_t decayed_size_ = 0;
  at::Tensor values_;
  at::Tensor gradients_;
};

class Network {
 public:
  virtual ~Network() = default;
  // tokens: int64 [B, T], T at most the context. Returns [B * T, V], row b * T + t for token (b,
  // t).
  virtual at::Tensor Logits(const at::Tensor& tokens, const Dropout& dropout) const = 0;
};

// The network shares storage with `weights`: an optimizer step shows at the next call.
std::unique_ptr<Network> MakeNetwork(const ModelConfig& model, Kernels kernels,
                                     const Weights& weights);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_NETWORK_H_
