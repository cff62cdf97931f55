// A run: one scientific point, from a model, data and hyper-parameters to one final validation
// loss.
#ifndef ETUDE_LIB_SCALING_RUN_H_
#define ETUDE_LIB_SCALING_RUN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/model.h"

namespace etude {

// Bumped whenever a change to lib/models changes the bits of a run; part of every run key.
inline constexpr int kNumericsVersion = 1;

enum class ScheduleKind { kConstant, kWsd, kCosine };
enum class Kernels { kFused, kReference };

struct OptimizerConfig {  // AdamW (Loshchilov and Hutter 2019), decay on matrices only
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.1;
  double clip = 1.0;  // global gradient norm; 0 = no clipping
  friend bool operator==(const OptimizerConfig&, const OptimizerConfig&) = default;
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::kWsd;
  std::int64_t warmup_steps = 64;
  double cooldown = 0.2;        // fraction of the steps; wsd only
  double final_fraction = 0.0;  // learning rate at the last step over the peak; cosine and wsd
  friend bool operator==(const ScheduleConfig&, const ScheduleConfig&) = default;
};

// Everything that changes final weights or loss, and (eval) how the curve is sampled, which changes
// neither.
struct RunConfig {
  ModelConfig model;
  CorpusId corpus;
  std::int64_t steps = 0;
  int batch = 8;                   // sequences per step; D = steps * batch * model.context
  int stride = 64;                 // between window starts
  std::int64_t unique_tokens = 0;  // U: tokens of the sampled pool, at most the training split
  std::int64_t train_tokens = 0;   // tokens of the whole training split U is drawn from
  std::uint64_t seed = 1;
  double lr = 0;  // peak
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  Kernels kernels = Kernels::kFused;
  int threads = 1;
  struct Eval {
    int curve_points = 12;              // log-spaced steps
    std::int64_t curve_tokens = 16000;  // targets of the fixed validation subset
    friend bool operator==(const Eval&, const Eval&) = default;
  } eval;

  std::int64_t tokens() const { return steps * batch * model.context; }  // D, positions trained on
  double epochs() const {
    return unique_tokens > 0 ? static_cast<double>(tokens()) / unique_tokens : 0.0;
  }
  friend bool operator==(const RunConfig&, const RunConfig&) = default;
};

std::string_view ScheduleName(ScheduleKind kind);  // "constant", "wsd", "cosine"
std::optional<ScheduleKind> ScheduleFromName(std::string_view name);
std::string_view KernelsName(Kernels kernels);  // "fused", "reference"
std::optional<Kernels> KernelsFromName(std::string_view name);

// Canonical JSON (sorted keys, no spaces, shortest round-trip doubles): what workers receive and
// checkpoints carry.
std::string RunConfigToJson(const RunConfig& config);
// kInvalidArgument: not JSON, a key missing or unknown, a value out of range.
absl::StatusOr<RunConfig> RunConfigFromJson(std::string_view json);

// SHA-256 of the canonical JSON without `eval`, with kNumericsVersion.
RunKey KeyOf(const RunConfig& config);

// The steps (1-based, strictly increasing, the last is config.steps) after which the validation
// curve is probed: eval.curve_points of them, log-spaced; fewer when steps are fewer.
std::vector<std::int64_t> ProbeSteps(const RunConfig& config);

// queued -> running -> succeeded | failed | cancelled. The last three are terminal and never
// change.
enum class RunState { kQueued, kRunning, kSucceeded, kFailed, kCancelled };
std::string_view RunStateName(RunState state);
std::optional<RunState> RunStateFromName(std::string_view name);
bool IsTerminal(RunState state);

// What a finished run measured. Losses in nats/token; the test loss stays sealed (DESIGN.md section
// 6).
struct RunResult {
  double val_loss = 0;  // whole validation split, final weights
  double best_val_loss =
      0;  // lowest probe or final loss on the probe subset; its weights are kept for sampling
  std::int64_t best_step = 0;
  double train_eval_loss = 0;  // fixed training windows, dropout off, final weights
  double test_loss = 0;
  double train_seconds = 0;  // steps only, all attempts' kept segments
  double eval_seconds = 0;
  double tokens_per_s = 0;      // D of this attempt / its train_seconds
  std::string device;           // "cpu" or "cuda"
  std::string weights_sha256;   // of the final model.safetensors
  bool mixed_numerics = false;  // resumed under another build, CPU kind, thread count or device
  friend bool operator==(const RunResult&, const RunResult&) = default;
};

struct Run {
  RunKey key;
  RunConfig config;
  RunState state = RunState::kQueued;
  std::string reason;  // why failed or cancelled, for people
  std::optional<RunResult> result;
  std::int64_t created_at_us = 0;
  std::int64_t finished_at_us = 0;  // 0 until terminal
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_RUN_H_
