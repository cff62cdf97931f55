// Sizes and costs of a model and of a run, as closed forms: plan, training and fit share these
// numbers, and lib/models' tests hold the real modules to them. Pure functions.
#ifndef ETUDE_LIB_SCALING_COUNTS_H_
#define ETUDE_LIB_SCALING_COUNTS_H_

#include <cstdint>

#include "lib/scaling/corpus.h"
#include "lib/scaling/model.h"
#include "lib/scaling/run.h"

namespace etude {

// N, three ways (DESIGN.md section 2).
struct ParameterCounts {
  std::int64_t all = 0;      // every stored parameter; a tied matrix once
  std::int64_t body = 0;     // transformer: blocks + final norm; LSTM: the recurrent layers
  std::int64_t compute = 0;  // body + the head's matrix once, even when tied; fits default to it
  friend bool operator==(const ParameterCounts&, const ParameterCounts&) = default;
};
ParameterCounts CountParameters(const ModelConfig& model);

// FLOPs of one forward pass per position, operation by operation. A multiply-add is 2 FLOPs.
// Counted are matrix products, whose backward pass costs exactly twice the forward pass; norms,
// softmax, GELU, gates, biases and residuals are not, as in Kaplan et al. 2020, section 2.1.
struct ForwardFlops {
  std::int64_t embedding = 0;         // token and position embeddings are gathers
  std::int64_t projections = 0;       // transformer: query, key, value and output matrices
  std::int64_t attention_dense = 0;   // scores and weighted values over the whole context
  std::int64_t attention_causal = 0;  // the same over a position's past only, mean over positions
  std::int64_t mlp = 0;               // transformer: both matrices
  std::int64_t recurrence = 0;        // LSTM: input and hidden matrices of the four gates
  std::int64_t head = 0;
  std::int64_t dense() const {
    return embedding + projections + attention_dense + mlp + recurrence + head;
  }
  std::int64_t causal() const { return dense() - attention_dense + attention_causal; }
  friend bool operator==(const ForwardFlops&, const ForwardFlops&) = default;
};
ForwardFlops CountForwardFlops(const ModelConfig& model);

// FLOPs of training on one position: forward + backward = 3 forward passes.
std::int64_t TrainFlopsPerToken(const ModelConfig& model);  // attention dense

// FLOPs of a whole run. Doubles, because 2^63 is within reach of a large plan.
struct RunFlops {
  double train_dense = 0;   // attention over the whole context, masked or not: the default C
  double train_causal = 0;  // what a kernel that skips the masked half computes
  double evaluation = 0;    // forward passes of probes and final scores, dense; apart from training
  double six_nd = 0;        // 6 N D with N = compute, beside the exact counts
  friend bool operator==(const RunFlops&, const RunFlops&) = default;
};
// Evaluation: at every probe eval.curve_tokens of the validation split and as many of the training
// split (train_eval); at the end the whole validation and test splits and train_eval once. Windows
// are whole, so a masked last one counts in full.
RunFlops CountRunFlops(const RunConfig& config, const Corpus& corpus);

// Positions that the evaluations of a run compute, by the same rule.
std::int64_t EvaluationPositions(const RunConfig& config, const Corpus& corpus);

// Memory of training in float32, without the trainer process itself.
struct TrainingMemory {
  std::int64_t weights_bytes = 0;
  std::int64_t gradients_bytes = 0;
  std::int64_t moments_bytes = 0;               // both moments of AdamW
  std::int64_t activations_estimate_bytes = 0;  // what backward keeps; within a factor of about two
  std::int64_t total_estimate_bytes() const {
    return weights_bytes + gradients_bytes + moments_bytes + activations_estimate_bytes;
  }
  friend bool operator==(const TrainingMemory&, const TrainingMemory&) = default;
};
TrainingMemory CountTrainingMemory(const RunConfig& config);

// Tensor bytes of the files of a checkpoint in float32; the headers add a few kB.
struct CheckpointSize {
  std::int64_t model_bytes = 0;
  std::int64_t optimizer_bytes = 0;
  // What a finished run keeps: `last` (model and optimizer) and `best` (model).
  std::int64_t kept_bytes() const { return 2 * model_bytes + optimizer_bytes; }
  friend bool operator==(const CheckpointSize&, const CheckpointSize&) = default;
};
CheckpointSize CountCheckpoint(const ModelConfig& model);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_COUNTS_H_
