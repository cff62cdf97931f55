#include "lib/scaling/counts.h"

#include <algorithm>

namespace etude {
namespace {

constexpr std::int64_t kFloatBytes = 4;

std::int64_t WindowPositions(std::int64_t targets, std::int64_t context) {
  return (targets + context - 1) / context * context;
}

// Each token but the first of a split is a target.
std::int64_t TargetsOf(std::int64_t split_tokens) {
  return std::max<std::int64_t>(split_tokens - 1, 0);
}

// Floats that one layer keeps for backward, per position. Transformer: two norms (inputs and
// outputs 4d), query, key and value 3d, attention output and its projection 2d, MLP 4d before and
// after GELU, its output d; and, where the attention matrix is materialised, one row of it per
// head. LSTM: four gates, the cell, its tanh, the output.
std::int64_t LayerActivations(const RunConfig& config) {
  const ModelConfig& m = config.model;
  if (m.family == Family::kLstm) return std::int64_t{7} * m.width;
  const bool materialised = m.dropout > 0 || config.kernels == Kernels::kReference;
  const std::int64_t rows = materialised ? 2 * std::int64_t{m.heads} * m.context : m.heads;
  const std::int64_t dropout_masks = m.dropout > 0 ? 2 * std::int64_t{m.width} : 0;
  return std::int64_t{18} * m.width + rows + dropout_masks;
}

}  // namespace

ParameterCounts CountParameters(const ModelConfig& model) {
  const std::int64_t layers = model.layers, width = model.width, vocab = model.vocab;
  const std::int64_t head = vocab * width;
  ParameterCounts counts;
  if (model.family == Family::kTransformer) {
    // A block: query, key, value 3d^2, output d^2, MLP 4d^2 + 4d^2, two norms of weight and bias.
    counts.body = layers * (12 * width * width + 4 * width) + 2 * width;
    counts.all = counts.body + head + model.context * width;  // the head is the token embedding
  } else {
    // A layer: input and hidden matrices 4h x h, two bias vectors 4h.
    counts.body = layers * (8 * width * width + 8 * width);
    counts.all = head + counts.body + head + vocab;  // embedding, layers, head with bias
  }
  counts.compute = counts.body + head;
  return counts;
}

// Kaplan et al. 2020, table 1 (transformer); a product of [m, k] and [k, n] is 2 m k n.
ForwardFlops CountForwardFlops(const ModelConfig& model) {
  const std::int64_t layers = model.layers, width = model.width, context = model.context;
  ForwardFlops flops;
  if (model.family == Family::kTransformer) {
    flops.projections = layers * 2 * 4 * width * width;
    // Scores and weighted values: 2 * 2 d per pair of positions. Dense: T pairs a position;
    // causal: (T + 1) / 2 on average.
    flops.attention_dense = layers * 4 * context * width;
    flops.attention_causal = layers * 2 * (context + 1) * width;
    flops.mlp = layers * 2 * 8 * width * width;
  } else {
    flops.recurrence = layers * 2 * 8 * width * width;
  }
  flops.head = 2 * width * model.vocab;
  return flops;
}

std::int64_t TrainFlopsPerToken(const ModelConfig& model) {
  return 3 * CountForwardFlops(model).dense();
}

std::int64_t EvaluationPositions(const RunConfig& config, const Corpus& corpus) {
  const std::int64_t context = config.model.context;
  const std::int64_t val = TargetsOf(corpus.val_tokens);
  const std::int64_t probe = WindowPositions(std::min(config.eval.curve_tokens, val), context);
  const std::int64_t train =
      WindowPositions(std::min(config.eval.curve_tokens, TargetsOf(config.unique_tokens)), context);
  const std::int64_t probes = static_cast<std::int64_t>(ProbeSteps(config).size());
  return probes * (probe + train) + WindowPositions(val, context) +
         WindowPositions(TargetsOf(corpus.test_tokens), context) + train;
}

RunFlops CountRunFlops(const RunConfig& config, const Corpus& corpus) {
  const ForwardFlops forward = CountForwardFlops(config.model);
  const double tokens = static_cast<double>(config.tokens());
  RunFlops flops;
  flops.train_dense = 3.0 * static_cast<double>(forward.dense()) * tokens;
  flops.train_causal = 3.0 * static_cast<double>(forward.causal()) * tokens;
  flops.evaluation = static_cast<double>(forward.dense()) *
                     static_cast<double>(EvaluationPositions(config, corpus));
  flops.six_nd = 6.0 * static_cast<double>(CountParameters(config.model).compute) * tokens;
  return flops;
}

TrainingMemory CountTrainingMemory(const RunConfig& config) {
  const ModelConfig& m = config.model;
  const std::int64_t parameters = CountParameters(m).all;
  // Beside the layers: the embedded input, the head's input, and two rows of logits.
  const std::int64_t per_position =
      m.layers * LayerActivations(config) + 2 * std::int64_t{m.width} + 2 * std::int64_t{m.vocab};
  TrainingMemory memory;
  memory.weights_bytes = kFloatBytes * parameters;
  memory.gradients_bytes = kFloatBytes * parameters;
  memory.moments_bytes = 2 * kFloatBytes * parameters;
  memory.activations_estimate_bytes = kFloatBytes * per_position * config.batch * m.context;
  return memory;
}

CheckpointSize CountCheckpoint(const ModelConfig& model) {
  const std::int64_t parameters = CountParameters(model).all;
  return {.model_bytes = kFloatBytes * parameters, .optimizer_bytes = 2 * kFloatBytes * parameters};
}

}  // namespace etude
