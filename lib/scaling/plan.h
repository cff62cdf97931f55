// The plan: a sweep expanded to runs, counted and costed against a corpus before anything trains.
// Pure: equal specs, corpora and options give equal plans, on the client and on the coordinator.
#ifndef ETUDE_LIB_SCALING_PLAN_H_
#define ETUDE_LIB_SCALING_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/counts.h"
#include "lib/scaling/design.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/run.h"
#include "lib/scaling/spec.h"

namespace etude {

// Training speed of a shape that some worker has measured.
struct MeasuredRate {
  Family family = Family::kTransformer;
  std::string shape;  // ShapeText
  double tokens_per_s = 0;
};

// None of it enters the sweep's id.
struct PlanOptions {
  int workers = 1;                          // slots that train at once
  std::vector<MeasuredRate> measured = {};  // replace the assumed rates of their shapes
  bool runs_only = false;  // no costs, totals, designs and warnings: for submission
};

// Something to know before the run is paid for. Codes are a contract: "low_tokens_per_param" (D/N
// below 20), "repeated_data" (D/U above 4), "evaluation_share" (above 20 % of all FLOPs),
// "few_steps" (below 500), "long_warmup" (above 20 % of the steps); of the whole plan also
// "max_hours" and "assumed_corpus".
struct PlanWarning {
  std::string code;
  std::string message;
  friend bool operator==(const PlanWarning&, const PlanWarning&) = default;
};

struct PlannedRun {
  RunConfig config;
  RunKey key;
  SourcePosition grid_at;   // of the grid that first asks for it
  bool held_out = false;    // of a [[holdout]]
  std::string asked;        // as written: "300k tokens", "20 tokens_per_param"
  double asked_tokens = 0;  // D before rounding; config.tokens() is the actual D
  ParameterCounts counts;
  double tokens_per_param = 0;  // D/N, N = compute
  double epochs = 0;            // D/U
  RunFlops flops;
  double evaluation_share = 0;  // of training (dense) + evaluation FLOPs
  TrainingMemory memory;
  CheckpointSize checkpoint;
  std::int64_t shared_steps = 0;  // its first ones, which another run of the plan trains
  double eta_s = 0;               // of one worker and all of its steps: training and evaluation
  bool rate_assumed = false;      // eta_s rests on AssumedFlopRate
  std::vector<PlanWarning> warnings;
};

// What one constant-rate trunk per (shape, seed, rate), with a cool-down branch for each D, saves.
struct TrunkSharing {
  int trunks = 0;                         // that two or more runs share
  double saved_flops = 0;                 // of training, dense
  double saved_share = 0;                 // of the plan's training FLOPs
  std::vector<std::string> forbidden_by;  // in words; each stands in the way of some group
};

struct PlanTotals {
  int runs = 0;
  double tokens = 0;  // sum of D
  RunFlops flops;     // every shared step once
  double evaluation_share = 0;
  double worker_s = 0;  // sum of the runs' eta_s, every shared step once
  double eta_s = 0;     // longest first on PlanOptions.workers, held-out runs last
  std::int64_t peak_memory_estimate_bytes = 0;  // of the largest run
  std::int64_t kept_checkpoint_bytes = 0;
};

struct Plan {
  SweepId id;  // SHA-256 of resolved_json
  std::string name;
  Corpus corpus;
  bool corpus_assumed = false;  // AssumedCorpus: can be shown, not submitted
  // Canonical JSON: corpus id, limits and every run's whole config; the sweep's name is left out.
  std::string resolved_json;
  SweepLimits limits;
  std::string spec_file;
  std::string spec_toml;
  std::vector<PlannedRun> runs;  // in the order of the spec, equal keys once; held-out ones last
  PlanTotals totals;
  int workers = 1;
  std::vector<FamilyDesign> designs;  // of each family that has runs to fit
  TrunkSharing trunk_sharing;
  std::vector<PlanWarning> warnings;  // of the whole plan
};

// Expands and costs `spec` on `corpus`, whose id must be set. D is rounded to whole steps (nearest,
// at least one; down where rounding up alone would exceed U).
// kInvalidArgument, positions as in SpecError: D > U without repeat, U or context larger than the
// corpus, a stride above the context, a learning rate or D out of range, a run both fitted and held
// out. `errors`, when given, then
// receives them one by one. kResourceExhausted: more runs than limits.max_runs.
absl::StatusOr<Plan> PlanSweep(const SweepSpec& spec, const Corpus& corpus,
                               const PlanOptions& options,
                               std::vector<SpecDiagnostic>* errors = nullptr);

// A corpus of `tokens` training tokens that nobody has, for planning without one; validation and
// test have a hundredth of that each.
Corpus AssumedCorpus(int vocab, std::int64_t tokens);

// FLOP/s that one thread is assumed to sustain in training `config`, until rates are measured.
double AssumedFlopRate(const RunConfig& config);

// JSON with format_version "1.0"; units end the keys. Carries the spec, so it can be submitted.
std::string PlanToJson(const Plan& plan);

// What submitting a saved plan needs: the spec to plan again, and what the plan then must be.
struct SavedPlan {
  SweepId id;
  CorpusId corpus;
  std::string spec_file;
  std::string spec_toml;
};
// kInvalidArgument: not a plan, a plan of another major format version, or one of an assumed
// corpus.
absl::StatusOr<SavedPlan> PlanFromJson(std::string_view json);
// True when `json` looks like a saved plan rather than a TOML spec: its first character is '{'.
bool IsSavedPlan(std::string_view text);
// kFailedPrecondition unless `plan`, made now from saved.spec_toml, is the one that was saved.
absl::Status CheckSavedPlan(const SavedPlan& saved, const Plan& plan);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_PLAN_H_
