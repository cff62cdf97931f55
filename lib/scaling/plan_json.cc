#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/plan.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormatVersion = "1.0";
constexpr std::size_t kMaxPlanBytes = std::size_t{1} << 28;

Json WarningsJson(const std::vector<PlanWarning>& warnings) {
  Json list = Json::array();
  for (const PlanWarning& warning : warnings) {
    list.push_back({{"code", warning.code}, {"message", warning.message}});
  }
  return list;
}

Json FlopsJson(const RunFlops& flops) {
  return {{"train_dense_flop", flops.train_dense},
          {"train_causal_flop", flops.train_causal},
          {"evaluation_flop", flops.evaluation},
          {"six_nd_flop", flops.six_nd}};
}

Json MemoryJson(const TrainingMemory& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"gradients_bytes", memory.gradients_bytes},
          {"moments_bytes", memory.moments_bytes},
          {"activations_estimate_bytes", memory.activations_estimate_bytes},
          {"total_estimate_bytes", memory.total_estimate_bytes()}};
}

Json RunJson(const PlannedRun& run) {
  return {{"key", run.key.text()},
          {"family", FamilyName(run.config.model.family)},
          {"shape", ShapeText(run.config.model)},
          {"seed", run.config.seed},
          {"held_out", run.held_out},
          {"asked", run.asked},
          {"asked_tokens", run.asked_tokens},
          {"tokens", run.config.tokens()},
          {"steps", run.config.steps},
          {"lr", run.config.lr},
          {"parameters",
           {{"all", run.counts.all}, {"body", run.counts.body}, {"compute", run.counts.compute}}},
          {"tokens_per_param", run.tokens_per_param},
          {"epochs", run.epochs},
          {"flops", FlopsJson(run.flops)},
          {"evaluation_share", run.evaluation_share},
          {"memory", MemoryJson(run.memory)},
          {"kept_checkpoint_bytes", run.checkpoint.kept_bytes()},
          {"shared_steps", run.shared_steps},
          {"eta_s", run.eta_s},
          {"rate_assumed", run.rate_assumed},
          {"spec_line", run.grid_at.line},
          {"warnings", WarningsJson(run.warnings)},
          {"config", Json::parse(RunConfigToJson(run.config))}};
}

Json DesignJson(const FamilyDesign& design) {
  Json laws = Json::array();
  for (const LawVerdict& law : design.laws) {
    laws.push_back({{"law", law.law},
                    {"parameters", law.parameters},
                    {"rank", law.rank},
                    // JSON has no infinity: null below full rank.
                    {"condition", law.condition},
                    {"identifiable", law.identifiable},
                    {"reasons", law.reasons}});
  }
  return {{"family", FamilyName(design.family)},
          {"sizes", design.sizes},
          {"token_counts", design.token_counts},
          {"identifiable", design.identifiable},
          {"repair", design.repair},
          {"laws", std::move(laws)}};
}

Json CorpusJson(const Plan& plan) {
  const Corpus& corpus = plan.corpus;
  return {{"id", corpus.id.text()},          {"name", corpus.name},
          {"assumed", plan.corpus_assumed},  {"tokenizer", corpus.tokenizer},
          {"vocab", corpus.vocab},           {"train_tokens", corpus.train_tokens},
          {"val_tokens", corpus.val_tokens}, {"test_tokens", corpus.test_tokens}};
}

Json TotalsJson(const Plan& plan) {
  const PlanTotals& totals = plan.totals;
  return {{"runs", totals.runs},
          {"tokens", totals.tokens},
          {"flops", FlopsJson(totals.flops)},
          {"evaluation_share", totals.evaluation_share},
          {"workers", plan.workers},
          {"worker_s", totals.worker_s},
          {"eta_s", totals.eta_s},
          {"peak_memory_estimate_bytes", totals.peak_memory_estimate_bytes},
          {"kept_checkpoint_bytes", totals.kept_checkpoint_bytes}};
}

Json SharingJson(const TrunkSharing& sharing) {
  return {{"trunks", sharing.trunks},
          {"saved_flop", sharing.saved_flops},
          {"saved_share", sharing.saved_share},
          {"forbidden_by", sharing.forbidden_by}};
}

std::optional<std::string> TextAt(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

absl::Status NotAPlan(const std::string& why) {
  return InvalidArgument(fmt::format(
      "this is no saved plan: {}; make one with: etude plan SPEC --out plan.json", why));
}

}  // namespace

std::string PlanToJson(const Plan& plan) {
  Json runs = Json::array();
  for (const PlannedRun& run : plan.runs) runs.push_back(RunJson(run));
  Json designs = Json::array();
  for (const FamilyDesign& design : plan.designs) designs.push_back(DesignJson(design));
  const Json json = {{"format_version", kFormatVersion},
                     {"kind", "plan"},
                     {"sweep", plan.id.text()},
                     {"name", plan.name},
                     {"corpus", CorpusJson(plan)},
                     {"limits",
                      {{"max_runs", plan.limits.max_runs},
                       {"max_hours", plan.limits.max_hours},
                       {"max_failed_runs", plan.limits.max_failed_runs}}},
                     {"totals", TotalsJson(plan)},
                     {"design", std::move(designs)},
                     {"trunk_sharing", SharingJson(plan.trunk_sharing)},
                     {"warnings", WarningsJson(plan.warnings)},
                     {"runs", std::move(runs)},
                     {"spec_file", plan.spec_file},
                     {"spec_toml", plan.spec_toml}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<SavedPlan> PlanFromJson(std::string_view text) {
  if (text.size() > kMaxPlanBytes) return NotAPlan("it is larger than 256 MiB");
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return NotAPlan("it is not a JSON object");
  const std::string version = TextAt(json, "format_version").value_or("");
  if (!version.starts_with("1.")) {
    return NotAPlan(fmt::format("its format_version is \"{}\", and this program reads 1.x",
                                version.substr(0, 16)));
  }
  const auto id = TextAt(json, "sweep");
  const auto toml = TextAt(json, "spec_toml");
  const auto file = TextAt(json, "spec_file");
  const auto corpus = json.find("corpus");
  if (!id || !IsSha256Hex(*id)) return NotAPlan("it lacks the sweep's id");
  if (!toml || !file || toml->size() > kMaxSpecBytes) return NotAPlan("it lacks its spec");
  if (corpus == json.end() || !corpus->is_object()) return NotAPlan("it lacks its corpus");
  const auto corpus_id = TextAt(*corpus, "id");
  if (!corpus_id || !IsSha256Hex(*corpus_id)) return NotAPlan("it lacks its corpus' id");
  const auto assumed = corpus->find("assumed");
  if (assumed != corpus->end() && *assumed == true) {
    return InvalidArgument(fmt::format(
        "this plan was made on an assumed corpus; plan it on a real one: etude plan {} --out "
        "plan.json",
        *file));
  }
  return SavedPlan{SweepId(*id), CorpusId(*corpus_id), *file, *toml};
}

bool IsSavedPlan(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

absl::Status CheckSavedPlan(const SavedPlan& saved, const Plan& plan) {
  if (saved.corpus != plan.corpus.id) {
    return FailedPrecondition(fmt::format(
        "the plan was made on corpus {}, but \"{}\" is now {}; plan again: etude plan {} --out "
        "plan.json",
        saved.corpus.Short(), plan.corpus.name, plan.corpus.id.Short(), saved.spec_file));
  }
  if (saved.id != plan.id) {
    return FailedPrecondition(fmt::format(
        "the saved plan is sweep {}, but its spec now gives {}: the file was changed or "
        "another version made it; plan again: etude plan {} --out plan.json",
        saved.id.Short(), plan.id.Short(), saved.spec_file));
  }
  return absl::OkStatus();
}

}  // namespace etude
