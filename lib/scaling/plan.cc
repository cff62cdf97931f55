#include "lib/scaling/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_runs.h"
#include "lib/scaling/plan_expand.h"
#include "lib/scaling/quantity.h"
#include "lib/scaling/trunk.h"

namespace etude {
namespace {

constexpr double kOptimalTokensPerParam = 20;  // Hoffmann et al. 2022, as a rule of thumb
constexpr double kHarmlessEpochs = 4;          // Muennighoff et al. 2023
constexpr double kHighEvaluationShare = 0.2;
constexpr std::int64_t kFewSteps = 500;
constexpr double kLongWarmup = 0.2;

// The assumed training speed of one thread. Large products reach kPeakFlopRate, narrow ones the
// share width / (width + kHalfRateWidth) of it. Fitted to plain modules on two threads of a 2-core
// machine at batch 128 x 64: 17.7 GFLOP/s at 30k parameters, 53-58 at 0.8M, 77 at 2.7M.
constexpr double kPeakFlopRate = 60e9;
constexpr double kHalfRateWidth = 140;
constexpr double kStepOverheadSeconds = 0.5e-3;  // dispatch of one step, whatever its size
constexpr double kRecurrentOverheadSeconds =
    10e-6;                                 // one LSTM layer's time step, forward and backward
constexpr double kThreadEfficiency = 0.7;  // of each thread after the first
constexpr std::string_view kAssumedTokenizer = "assumed";

void Warn(std::vector<PlanWarning>& warnings, const char* code, std::string message) {
  warnings.push_back({code, std::move(message)});
}

double EvaluationShare(const RunFlops& flops) {
  const double all = flops.train_dense + flops.evaluation;
  return all > 0 ? flops.evaluation / all : 0;
}

std::optional<double> MeasuredTokensPerSecond(const ModelConfig& model,
                                              const PlanOptions& options) {
  const std::string shape = ShapeText(model);
  for (const MeasuredRate& rate : options.measured) {
    if (rate.family == model.family && rate.shape == shape && rate.tokens_per_s > 0) {
      return rate.tokens_per_s;
    }
  }
  return std::nullopt;
}

// Seconds of one worker, training and evaluation; a position's forward pass is a third of its
// training.
void Cost(PlannedRun& run, const Corpus& corpus, const PlanOptions& options) {
  const RunConfig& config = run.config;
  run.flops = CountRunFlops(config, corpus);
  run.evaluation_share = EvaluationShare(run.flops);
  run.memory = CountTrainingMemory(config);
  run.checkpoint = CountCheckpoint(config.model);
  if (const auto measured = MeasuredTokensPerSecond(config.model, options)) {
    const double positions = static_cast<double>(EvaluationPositions(config, corpus));
    run.eta_s = (static_cast<double>(config.tokens()) + positions / 3) / *measured;
  } else {
    const double threads = 1 + kThreadEfficiency * (config.threads - 1);
    const double flops = run.flops.train_dense + run.flops.evaluation;
    run.eta_s = flops / (AssumedFlopRate(config) * threads);
    run.rate_assumed = true;
  }
}

void WarnOfRun(PlannedRun& run) {
  const RunConfig& config = run.config;
  if (run.tokens_per_param < kOptimalTokensPerParam) {
    Warn(run.warnings, "low_tokens_per_param",
         fmt::format("D/N is {:.3g}, below {:.0f}", run.tokens_per_param, kOptimalTokensPerParam));
  }
  if (run.epochs > kHarmlessEpochs) {
    Warn(run.warnings, "repeated_data",
         fmt::format("D/U is {:.3g}, above {:.0f}: laws without repetition refuse the run",
                     run.epochs, kHarmlessEpochs));
  }
  if (run.evaluation_share > kHighEvaluationShare) {
    Warn(run.warnings, "evaluation_share",
         fmt::format("{:.0f} % of the FLOPs are evaluation: lower eval.curve.points or "
                     "eval.curve.tokens",
                     100 * run.evaluation_share));
  }
  if (config.steps < kFewSteps) {
    Warn(run.warnings, "few_steps",
         fmt::format("{} steps, below {}: a smaller batch gives more", config.steps, kFewSteps));
  }
  const double warmup = static_cast<double>(config.schedule.warmup_steps);
  if (warmup > kLongWarmup * static_cast<double>(config.steps)) {
    Warn(run.warnings, "long_warmup",
         fmt::format("warm-up takes {:.0f} of {} steps", warmup, config.steps));
  }
}

// Longest first, each to the worker that is free first (Graham 1969).
double MakespanOf(std::vector<double> seconds, int workers) {
  std::sort(seconds.begin(), seconds.end(), std::greater<>());
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int i = 0; i < std::min<int>(workers, static_cast<int>(seconds.size())); ++i) {
    free_at.push(0);
  }
  double last = 0;
  for (const double run_s : seconds) {
    const double end = free_at.top() + run_s;
    free_at.pop();
    free_at.push(end);
    last = std::max(last, end);
  }
  return last;
}

// The part of the run that is trained for it alone.
double OwnShare(const PlannedRun& run) {
  return 1 - static_cast<double>(run.shared_steps) / static_cast<double>(run.config.steps);
}

// As the coordinator makes their jobs: the longest first, held-out runs last, each from the
// furthest step that it shares with one before it that is fitted.
void ShareTrunks(std::vector<PlannedRun>& runs) {
  std::vector<PlannedRun*> order;
  for (PlannedRun& run : runs) order.push_back(&run);
  std::stable_sort(order.begin(), order.end(), [](const PlannedRun* a, const PlannedRun* b) {
    return std::tuple(a->held_out, -a->config.steps) < std::tuple(b->held_out, -b->config.steps);
  });
  std::unordered_map<std::uint64_t, std::vector<const PlannedRun*>> fitted;
  for (PlannedRun* run : order) {
    std::vector<const PlannedRun*>& others = fitted[TrunkHash(run->config)];
    for (const PlannedRun* other : others) {
      if (!ShareTrunk(run->config, other->config)) continue;
      const std::int64_t step = std::min(BranchStep(run->config), BranchStep(other->config));
      run->shared_steps = std::max(run->shared_steps, step);
    }
    if (!run->held_out) others.push_back(run);
  }
}

// Held-out runs start when all others have ended. No run ends before its trunk and its own part
// have been trained one after the other.
double EtaOf(const std::vector<PlannedRun>& runs, int workers) {
  std::vector<double> fitted;
  std::vector<double> held_out;
  double longest = 0;
  for (const PlannedRun& run : runs) {
    (run.held_out ? held_out : fitted).push_back(run.eta_s * OwnShare(run));
    if (!run.held_out) longest = std::max(longest, run.eta_s);
  }
  return std::max(MakespanOf(std::move(fitted), workers), longest) +
         MakespanOf(std::move(held_out), workers);
}

PlanTotals TotalsOf(const std::vector<PlannedRun>& runs, int workers) {
  PlanTotals totals;
  totals.runs = static_cast<int>(runs.size());
  for (const PlannedRun& run : runs) {
    const double own = OwnShare(run);
    totals.tokens += static_cast<double>(run.config.tokens());
    totals.flops.train_dense += own * run.flops.train_dense;
    totals.flops.train_causal += own * run.flops.train_causal;
    totals.flops.evaluation += run.flops.evaluation;
    totals.flops.six_nd += own * run.flops.six_nd;
    totals.worker_s += own * run.eta_s;
    totals.peak_memory_estimate_bytes =
        std::max(totals.peak_memory_estimate_bytes, run.memory.total_estimate_bytes());
    totals.kept_checkpoint_bytes += run.checkpoint.kept_bytes();
  }
  totals.evaluation_share = EvaluationShare(totals.flops);
  totals.eta_s = EtaOf(runs, workers);
  return totals;
}

std::vector<FamilyDesign> DesignsOf(const std::vector<PlannedRun>& runs) {
  std::vector<FamilyDesign> designs;
  for (const Family family : {Family::kTransformer, Family::kLstm}) {
    std::vector<DesignPoint> points;
    for (const PlannedRun& run : runs) {
      if (run.config.model.family != family || run.held_out) continue;
      points.push_back(
          {static_cast<double>(run.counts.compute), static_cast<double>(run.config.tokens())});
    }
    if (!points.empty()) designs.push_back(JudgeDesign(family, points));
  }
  return designs;
}

// What keeps two runs that differ in D from sharing a trunk; empty if nothing does.
std::vector<std::string> TrunkObstacles(const RunConfig& a, const RunConfig& b) {
  std::vector<std::string> obstacles;
  if (a.schedule.kind == ScheduleKind::kCosine) {
    obstacles.push_back("a cosine schedule depends on D from its first step");
  }
  if (a.lr != b.lr) obstacles.push_back("an lr rule with d != 0 gives each D its own rate");
  if (a.schedule.warmup_steps != b.schedule.warmup_steps) {
    obstacles.push_back("a fractional warm-up gives each D its own length");
  }
  if (a.model.dropout != b.model.dropout) {
    obstacles.push_back("dropout differs: its default is 0.1 above 4 epochs");
  }
  return obstacles;
}

TrunkSharing SharingOf(const std::vector<PlannedRun>& runs) {
  TrunkSharing sharing;
  std::map<std::string, std::vector<const PlannedRun*>> groups;
  double all_flops = 0;
  for (const PlannedRun& run : runs) {
    groups[TrunkName(run.config)].push_back(&run);
    all_flops += run.flops.train_dense;
    sharing.saved_flops += (1 - OwnShare(run)) * run.flops.train_dense;
  }
  std::set<std::string> obstacles;
  for (auto& [trunk, members] : groups) {
    const PlannedRun& longest = **std::max_element(
        members.begin(), members.end(),
        [](const PlannedRun* a, const PlannedRun* b) { return a->config.steps < b->config.steps; });
    bool shares = false;
    for (const PlannedRun* member : members) {
      shares = shares || member->shared_steps > 0;
      if (member->config.steps == longest.config.steps) continue;
      const auto found = TrunkObstacles(member->config, longest.config);
      obstacles.insert(found.begin(), found.end());
    }
    sharing.trunks += shares ? 1 : 0;
  }
  sharing.saved_share = all_flops > 0 ? sharing.saved_flops / all_flops : 0;
  sharing.forbidden_by.assign(obstacles.begin(), obstacles.end());
  return sharing;
}

// The canonical text that the sweep's id hashes; run configs are canonical already.
std::string Resolve(const Plan& plan) {
  std::string runs;
  std::string held_out;
  for (const PlannedRun& run : plan.runs) {
    std::string& list = run.held_out ? held_out : runs;
    list += (list.empty() ? "" : ",") + RunConfigToJson(run.config);
  }
  // A sweep that holds nothing out has the id that it had before there were [[holdout]] tables.
  if (!held_out.empty()) held_out = fmt::format(R"("held_out":[{}],)", held_out);
  return fmt::format(
      R"({{"corpus":"{}",{}"limits":{{"max_failed_runs":{},"max_hours":{},"max_runs":{}}},)"
      R"("numerics":{},"runs":[{}]}})",
      plan.corpus.id.text(), held_out, plan.limits.max_failed_runs, plan.limits.max_hours,
      plan.limits.max_runs, kNumericsVersion, runs);
}

void WarnOfPlan(Plan& plan) {
  const double hours = plan.totals.worker_s / 3600;
  if (hours > plan.limits.max_hours) {
    Warn(plan.warnings, "max_hours",
         fmt::format("about {:.3g} hours of worker time, over limits.max_hours = {}: the sweep "
                     "would stop early",
                     hours, plan.limits.max_hours));
  }
  if (plan.totals.evaluation_share > kHighEvaluationShare) {
    Warn(plan.warnings, "evaluation_share",
         fmt::format("{:.0f} % of all FLOPs are evaluation", 100 * plan.totals.evaluation_share));
  }
  if (plan.corpus_assumed) {
    Warn(plan.warnings, "assumed_corpus",
         fmt::format("planned on an assumed corpus: vocabulary {}, {} training, {} validation and "
                     "{} test tokens",
                     plan.corpus.vocab, plan.corpus.train_tokens, plan.corpus.val_tokens,
                     plan.corpus.test_tokens));
  }
}

}  // namespace

absl::StatusOr<Plan> PlanSweep(const SweepSpec& spec, const Corpus& corpus,
                               const PlanOptions& options, std::vector<SpecDiagnostic>* errors) {
  if (errors != nullptr) errors->clear();
  Plan plan;
  plan.name = spec.name;
  plan.corpus = corpus;
  plan.corpus_assumed = corpus.tokenizer == kAssumedTokenizer;
  plan.limits = spec.limits;
  plan.spec_file = spec.file;
  plan.spec_toml = spec.toml;
  plan.workers = std::max(options.workers, 1);
  ASSIGN_OR_RETURN(plan.runs, ExpandSpec(spec, corpus, errors));
  plan.resolved_json = Resolve(plan);
  plan.id = SweepId(Sha256Hex(plan.resolved_json));
  if (options.runs_only) return plan;
  for (PlannedRun& run : plan.runs) {
    Cost(run, corpus, options);
    WarnOfRun(run);
  }
  ShareTrunks(plan.runs);
  plan.totals = TotalsOf(plan.runs, plan.workers);
  plan.designs = DesignsOf(plan.runs);
  plan.trunk_sharing = SharingOf(plan.runs);
  WarnOfPlan(plan);
  return plan;
}

Corpus AssumedCorpus(int vocab, std::int64_t tokens) {
  Corpus corpus;
  corpus.id = CorpusId(Sha256Hex(fmt::format("assumed corpus {} {}", vocab, tokens)));
  corpus.vocab = vocab;
  corpus.val_tokens = tokens / 100;
  corpus.test_tokens = tokens / 100;
  corpus.train_tokens = tokens;
  corpus.tokenizer = std::string(kAssumedTokenizer);
  return corpus;
}

double AssumedFlopRate(const RunConfig& config) {
  const ModelConfig& model = config.model;
  const double width = model.width;
  const double step_flops = static_cast<double>(TrainFlopsPerToken(model)) *
                            static_cast<double>(config.batch) * model.context;
  const double product_s = step_flops / (kPeakFlopRate * width / (width + kHalfRateWidth));
  const double recurrent_s =
      model.family == Family::kLstm ? kRecurrentOverheadSeconds * model.context * model.layers : 0;
  return step_flops / (product_s + kStepOverheadSeconds + recurrent_s);
}

}  // namespace etude
