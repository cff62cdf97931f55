// The parameters of a model: names, shapes and initial values, in one place for training, counting
// and checkpoints.
#ifndef ETUDE_LIB_MODELS_PARAMETERS_H_
#define ETUDE_LIB_MODELS_PARAMETERS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/scaling/model.h"

namespace etude {

struct Parameter {
  std::string name;                 // as in model.safetensors: "blocks.0.attention.qkv.weight"
  std::vector<std::int64_t> shape;  // matrices [out, in]; vectors [n]
  double initial_mean = 0;
  double initial_deviation = 0;

  std::int64_t size() const;
  // Weight decay applies to matrices, embeddings among them, and not to biases and LayerNorm.
  bool decays() const { return shape.size() >= 2; }
};

// The parameters of `model` in the order of the forward pass (DESIGN.md section 6 and its init
// rules). The order numbers their random streams, so it is part of the numerics.
std::vector<Parameter> ParametersOf(const ModelConfig& model);

// Fills `values`, row-major, with parameter number `index` of ParametersOf: normal numbers (Box and
// Muller 1958) that depend only on (seed, index).
void FillInitialValues(const Parameter& parameter, std::uint32_t index, std::uint64_t seed,
                       std::span<float> values);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_PARAMETERS_H_
