#include "lib/scaling/plan_expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/quantity.h"

namespace etude {
namespace {

constexpr double kMaxPlannedTokens = 1e13;  // of one run
constexpr double kMaxPeakRate = 1e6;
// Shape x amount x seed of a whole spec before equal runs are merged: bounds the work of a plan.
constexpr double kMaxCombinations = 10.0 * kMaxRunsLimit;
// Above as many epochs a run that does not say otherwise trains with dropout (DESIGN.md section 5).
constexpr double kEpochsWithoutDropout = 4.0;
constexpr double kRepeatedDropout = 0.1;
// threads = "auto": another thread pays for itself from about these FLOPs of one step on.
constexpr double kTwoThreadFlops = 4e9;
constexpr double kFourThreadFlops = 4e10;

std::string CorpusText(const Corpus& corpus) {
  return corpus.name.empty() ? "the corpus" : fmt::format("corpus {}", corpus.name);
}

int AutoThreads(const ModelConfig& model, int batch) {
  const double step =
      static_cast<double>(TrainFlopsPerToken(model)) * static_cast<double>(batch) * model.context;
  return step < kTwoThreadFlops ? 1 : step < kFourThreadFlops ? 2 : 4;
}

std::int64_t WarmupSteps(const Warmup& warmup, std::int64_t steps, double positions_a_step) {
  switch (warmup.unit) {
    case Warmup::Unit::kSteps:
      return std::llround(warmup.value);
    case Warmup::Unit::kTokens:
      return static_cast<std::int64_t>(std::ceil(warmup.value / positions_a_step));
    case Warmup::Unit::kFraction:
      return std::llround(warmup.value * static_cast<double>(steps));
  }
  ENSURE(!"a unit of warm-up");
  return 0;
}

// D as asked, before rounding.
double AskedTokens(AmountKind kind, double value, const PlannedRun& run) {
  switch (kind) {
    case AmountKind::kTokens:
      return value;
    case AmountKind::kEpochs:
      return value * static_cast<double>(run.config.unique_tokens);
    case AmountKind::kTokensPerParam:
      return value * static_cast<double>(run.counts.compute);
    case AmountKind::kFlops:
      return value / static_cast<double>(TrainFlopsPerToken(run.config.model));
  }
  ENSURE(!"an amount kind");
  return 0;
}

// Whole steps nearest to `asked`, at least one; down where only the rounding would exceed U.
std::int64_t StepsFor(double asked, double positions_a_step, double unique) {
  const double nearest = std::max(std::round(asked / positions_a_step), 1.0);
  const bool rounding_exceeds = nearest * positions_a_step > unique && asked <= unique;
  if (!rounding_exceeds) return static_cast<std::int64_t>(nearest);
  return static_cast<std::int64_t>(std::max(std::floor(asked / positions_a_step), 1.0));
}

std::string AskedText(AmountKind kind, const Amount& amount) {
  const bool has_unit = amount.text.find(' ') != std::string::npos;
  if (has_unit) return amount.text;
  return fmt::format("{} {}", amount.text,
                     kind == AmountKind::kFlops ? "FLOP" : AmountKindName(kind));
}

class Expansion {
 public:
  Expansion(const SweepSpec& spec, const Corpus& corpus) : spec_(spec), corpus_(corpus) {}

  absl::Status CheckSize() const {
    double combinations = 0;
    for (const Grid& grid : spec_.grids) {
      combinations += static_cast<double>(grid.shapes.size()) *
                      static_cast<double>(grid.amounts.size()) *
                      static_cast<double>(grid.seeds.size());
    }
    if (combinations <= kMaxCombinations) return absl::OkStatus();
    return TooMany(fmt::format("{:.0f} combinations of shape, amount and seed", combinations));
  }

  absl::Status AddGrid(const Grid& grid) {
    for (const GridShape& shape : grid.shapes) {
      const TrainSettings& settings = grid.settings(shape.shape.family);
      if (!CheckCorpus(grid, settings)) continue;
      for (const Amount& amount : grid.amounts) {
        std::optional<PlannedRun> run = MakeRun(grid, settings, shape, amount);
        if (!run) continue;
        for (const std::uint64_t seed : grid.seeds) {
          run->config.seed = seed;
          run->key = KeyOf(run->config);
          AddRun(grid, shape, *run);
        }
        if (runs_.size() > static_cast<std::size_t>(spec_.limits.max_runs) && errors_.empty()) {
          return TooMany(fmt::format("more than {} runs", spec_.limits.max_runs));
        }
      }
    }
    return absl::OkStatus();
  }

  std::vector<PlannedRun> TakeRuns() { return std::move(runs_); }
  std::vector<SpecDiagnostic> TakeErrors() { return std::move(errors_); }

 private:
  absl::Status TooMany(const std::string& what) const {
    const SweepLimits& limits = spec_.limits;
    return ResourceExhausted(fmt::format(
        "{}:{}:{}: sweep {} expands to {}, over limits.max_runs = {}: ask for fewer, or raise "
        "max_runs (at most {}), then: etude plan {}",
        spec_.file, limits.max_runs_at.line, limits.max_runs_at.column, spec_.name, what,
        limits.max_runs, kMaxRunsLimit, spec_.file));
  }

  void AddRun(const Grid& grid, const GridShape& shape, const PlannedRun& run) {
    const auto [known, fresh] = held_out_.try_emplace(run.key, grid.held_out);
    if (fresh) {
      runs_.push_back(run);
    } else if (known->second != grid.held_out) {
      Fail(shape.at, fmt::format("{} at {}, seed {}, is in a [[grid]] too: a held-out run never "
                                 "enters the fit, so take it out of one of them",
                                 ShapeText(run.config.model), run.asked, run.config.seed));
    }
  }

  // Each complaint once, however many runs share it.
  void Fail(SourcePosition at, const std::string& message) {
    if (errors_.size() >= kMaxSpecErrors) return;
    if (!said_.emplace(at.line, at.column, message).second) return;
    errors_.push_back(DiagnosticAt(spec_, at, message));
  }

  bool CheckCorpus(const Grid& grid, const TrainSettings& settings) {
    const std::size_t before = said_.size();
    const std::int64_t unique = settings.unique.value_or(corpus_.train_tokens);
    const std::string where = fmt::format("[[grid]] of line {}", grid.at.line);
    if (unique > corpus_.train_tokens) {
      Fail(settings.unique_at,
           fmt::format("unique is {} tokens, but the training split of {} has {}: lower unique, or "
                       "write \"all\" ({})",
                       unique, CorpusText(corpus_), corpus_.train_tokens, where));
      return false;
    }
    // A window is its inputs and the target of the last one.
    const std::int64_t window = settings.context + std::int64_t{1};
    if (corpus_.val_tokens < window || corpus_.test_tokens < window || unique < window) {
      Fail(settings.context_at,
           fmt::format("context {} needs {} tokens in every split; {} has {} unique training, {} "
                       "validation and {} test tokens ({})",
                       settings.context, window, CorpusText(corpus_), unique, corpus_.val_tokens,
                       corpus_.test_tokens, where));
      return false;
    }
    return said_.size() == before;
  }

  PlannedRun Base(const Grid& grid, const TrainSettings& settings, const GridShape& shape) const {
    PlannedRun run;
    RunConfig& config = run.config;
    config.model = shape.shape;
    config.model.vocab = corpus_.vocab;
    config.model.context = settings.context;
    config.model.init =
        settings.init.value_or(IsNamedShape(shape.shape) ? Init::kGpt2 : Init::kWidth);
    config.corpus = corpus_.id;
    config.batch = settings.batch;
    config.stride = settings.stride.value_or(settings.context);
    config.unique_tokens = settings.unique.value_or(corpus_.train_tokens);
    config.train_tokens = corpus_.train_tokens;
    config.optimizer = settings.optimizer;
    config.schedule = settings.schedule;
    config.kernels = settings.kernels;
    config.threads = settings.threads.value_or(AutoThreads(config.model, config.batch));
    config.eval = spec_.eval;
    run.grid_at = grid.at;
    run.held_out = grid.held_out;
    run.counts = CountParameters(config.model);
    return run;
  }

  std::optional<PlannedRun> MakeRun(const Grid& grid, const TrainSettings& settings,
                                    const GridShape& shape, const Amount& amount) {
    PlannedRun run = Base(grid, settings, shape);
    RunConfig& config = run.config;
    const double positions = static_cast<double>(config.batch) * config.model.context;
    const double unique = static_cast<double>(config.unique_tokens);
    run.asked = AskedText(grid.kind, amount);
    run.asked_tokens = AskedTokens(grid.kind, amount.value, run);
    if (!(run.asked_tokens <= kMaxPlannedTokens)) {
      Fail(amount.at,
           fmt::format("{} is {:.3g} tokens for {}, more than {:.0e} in one run", run.asked,
                       run.asked_tokens, ShapeText(config.model), kMaxPlannedTokens));
      return std::nullopt;
    }
    config.steps = StepsFor(run.asked_tokens, positions, unique);
    if (config.tokens() > config.unique_tokens && !settings.repeat) {
      FailRepeat(grid, amount, run);
      return std::nullopt;
    }
    run.epochs = config.epochs();
    run.tokens_per_param =
        static_cast<double>(config.tokens()) / static_cast<double>(run.counts.compute);
    config.model.dropout =
        settings.dropout.value_or(run.epochs > kEpochsWithoutDropout ? kRepeatedDropout : 0.0);
    config.schedule.warmup_steps = WarmupSteps(settings.warmup, config.steps, positions);
    config.lr = PeakLearningRate(settings.lr, run.counts.compute, config.tokens());
    if (!(config.lr > 0 && config.lr <= kMaxPeakRate)) {
      Fail(settings.lr.at, fmt::format("lr is {} for {} at {} tokens: lower c, n or d", config.lr,
                                       ShapeText(config.model), config.tokens()));
      return std::nullopt;
    }
    return run;
  }

  void FailRepeat(const Grid& grid, const Amount& amount, const PlannedRun& run) {
    const RunConfig& config = run.config;
    // A size matters only where the amount depends on it.
    const bool by_size =
        grid.kind == AmountKind::kTokensPerParam || grid.kind == AmountKind::kFlops;
    Fail(amount.at,
         fmt::format(
             "{}{} is {:.3g} epochs of {} unique tokens: set repeat = true in the {} of line "
             "{} (or in [train]), or lower tokens to {}",
             run.asked, by_size ? fmt::format(" for {}", ShapeText(config.model)) : "",
             config.epochs(), config.unique_tokens, TableName(grid), grid.at.line,
             config.unique_tokens));
  }

  const SweepSpec& spec_;
  const Corpus& corpus_;
  std::vector<PlannedRun> runs_;
  std::map<RunKey, bool> held_out_;  // of each run so far
  std::vector<SpecDiagnostic> errors_;
  std::set<std::tuple<int, int, std::string>> said_;
};

}  // namespace

absl::StatusOr<std::vector<PlannedRun>> ExpandSpec(const SweepSpec& spec, const Corpus& corpus,
                                                   std::vector<SpecDiagnostic>* errors) {
  Expansion expansion(spec, corpus);
  RETURN_IF_ERROR(expansion.CheckSize());
  for (const Grid& grid : spec.grids) RETURN_IF_ERROR(expansion.AddGrid(grid));
  const std::vector<SpecDiagnostic> found = expansion.TakeErrors();
  if (errors != nullptr) *errors = found;
  if (!found.empty()) return SpecError(found);
  return expansion.TakeRuns();
}

}  // namespace etude
