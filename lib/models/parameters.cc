#include "lib/models/parameters.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>
#include <utility>

#include "lib/base/random.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr double kGpt2Deviation = 0.02;

// Appends parameters with the deviations of one model's init rule.
class Builder {
 public:
  explicit Builder(const ModelConfig& model) : model_(model) {}

  void Embedding(const std::string& name, std::int64_t rows) {
    const double width_rule = 0.5 / std::sqrt(static_cast<double>(model_.width));
    Add(name, {rows, model_.width}, model_.init == Init::kGpt2 ? kGpt2Deviation : width_rule);
  }
  void Linear(const std::string& name, std::int64_t out, std::int64_t in) {
    Add(name, {out, in}, HiddenDeviation(in));
  }
  // A projection onto the residual stream, which 2 * layers of them are added to (Radford et al.
  // 2019).
  void Residual(const std::string& name, std::int64_t out, std::int64_t in) {
    Add(name, {out, in}, HiddenDeviation(in) / std::sqrt(2.0 * model_.layers));
  }
  void Bias(const std::string& name, std::int64_t size) { Add(name, {size}, 0.0); }
  void LayerNorm(const std::string& name) {
    Add(name + ".weight", {model_.width}, 0.0, 1.0);
    Add(name + ".bias", {model_.width}, 0.0);
  }
  std::vector<Parameter> Take() { return std::move(parameters_); }

 private:
  double HiddenDeviation(std::int64_t fan_in) const {
    return model_.init == Init::kGpt2 ? kGpt2Deviation
                                      : 1.0 / std::sqrt(static_cast<double>(fan_in));
  }
  void Add(const std::string& name, std::vector<std::int64_t> shape, double deviation,
           double mean = 0.0) {
    parameters_.push_back({name, std::move(shape), mean, deviation});
  }

  const ModelConfig& model_;
  std::vector<Parameter> parameters_;
};

std::vector<Parameter> TransformerParameters(const ModelConfig& model) {
  const std::int64_t width = model.width;
  Builder builder(model);
  builder.Embedding("token_embedding.weight", model.vocab);  // also the head
  builder.Embedding("position_embedding.weight", model.context);
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blocks." + std::to_string(layer);
    builder.LayerNorm(block + ".attention_norm");
    builder.Linear(block + ".attention.qkv.weight", 3 * width, width);
    builder.Residual(block + ".attention.projection.weight", width, width);
    builder.LayerNorm(block + ".mlp_norm");
    builder.Linear(block + ".mlp.up.weight", 4 * width, width);
    builder.Residual(block + ".mlp.down.weight", width, 4 * width);
  }
  builder.LayerNorm("final_norm");
  return builder.Take();
}

std::vector<Parameter> LstmParameters(const ModelConfig& model) {
  const std::int64_t width = model.width;
  Builder builder(model);
  builder.Embedding("token_embedding.weight", model.vocab);
  for (int layer = 0; layer < model.layers; ++layer) {
    // Named as torch.nn.LSTM names them; rows are the gates i, f, g, o.
    const std::string suffix = "_l" + std::to_string(layer);
    builder.Linear("lstm.weight_ih" + suffix, 4 * width, width);
    builder.Linear("lstm.weight_hh" + suffix, 4 * width, width);
    builder.Bias("lstm.bias_ih" + suffix, 4 * width);
    builder.Bias("lstm.bias_hh" + suffix, 4 * width);
  }
  builder.Linear("head.weight", model.vocab, width);
  builder.Bias("head.bias", model.vocab);
  return builder.Take();
}

// In (0, 1], so that its logarithm is finite.
double PositiveUniform(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t word = (std::uint64_t{high} << 32) | low;
  return static_cast<double>((word >> 11) + 1) * 0x1.0p-53;
}

}  // namespace

std::int64_t Parameter::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<Parameter> ParametersOf(const ModelConfig& model) {
  switch (model.family) {
    case Family::kTransformer:
      return TransformerParameters(model);
    case Family::kLstm:
      return LstmParameters(model);
  }
  ENSURE(false);
}

void FillInitialValues(const Parameter& parameter, std::uint32_t index, std::uint64_t seed,
                       std::span<float> values) {
  const CounterRandom random(seed, RandomStream::kInitialWeights, index);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const auto block = random.Block(i / 2);
    const double radius = std::sqrt(-2.0 * std::log(PositiveUniform(block[1], block[0])));
    const double angle = 2.0 * std::numbers::pi * PositiveUniform(block[3], block[2]);
    const double pair[2] = {radius * std::cos(angle), radius * std::sin(angle)};
    for (std::size_t j = i; j < std::min(i + 2, values.size()); ++j) {
      values[j] =
          static_cast<float>(parameter.initial_mean + parameter.initial_deviation * pair[j - i]);
    }
  }
}

}  // namespace etude
