#include "client/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "client/display_text.h"

namespace etude {
namespace {

std::vector<std::string> CodesOf(const std::vector<PlanWarning>& warnings) {
  std::vector<std::string> codes;
  for (const PlanWarning& warning : warnings) codes.push_back(warning.code);
  return codes;
}

Table RunTable(const Plan& plan) {
  const bool held_out = std::ranges::any_of(plan.runs, &PlannedRun::held_out);
  Table table{{{"run", "run", Show::kId},
               {"family", "family"},
               {"shape", "shape"},
               {"held_out", held_out ? "held out" : ""},
               {"n_all", "N all", Show::kCount},
               {"n_body", "N body", Show::kCount},
               {"n_compute", "N compute", Show::kCount},
               {"asked", "D asked"},
               {"tokens", "D", Show::kCount},
               {"steps", "steps", Show::kCount},
               {"unique_tokens", "U", Show::kCount},
               {"tokens_per_param", "D/N"},
               {"epochs", "D/U"},
               {"seed", "seed"},
               {"lr", "lr"},
               {"train_dense_flop", "FLOPs", Show::kScientific},
               {"train_causal_flop", "", Show::kScientific},
               {"evaluation_flop", "", Show::kScientific},
               {"six_nd_flop", "", Show::kScientific},
               {"evaluation_share", "eval", Show::kShare},
               {"memory_estimate_bytes", "memory", Show::kBytes},
               {"kept_checkpoint_bytes", "checkpoints", Show::kBytes},
               {"eta_s", "ETA", Show::kSeconds},
               {"warnings", "warnings"}},
              {}};
  for (const PlannedRun& run : plan.runs) {
    table.rows.push_back({run.key.text(),
                          std::string(FamilyName(run.config.model.family)),
                          ShapeText(run.config.model),
                          run.held_out,
                          run.counts.all,
                          run.counts.body,
                          run.counts.compute,
                          run.asked,
                          run.config.tokens(),
                          run.config.steps,
                          run.config.unique_tokens,
                          run.tokens_per_param,
                          run.epochs,
                          static_cast<std::int64_t>(run.config.seed),
                          run.config.lr,
                          run.flops.train_dense,
                          run.flops.train_causal,
                          run.flops.evaluation,
                          run.flops.six_nd,
                          run.evaluation_share,
                          run.memory.total_estimate_bytes(),
                          run.checkpoint.kept_bytes(),
                          run.eta_s,
                          CodesOf(run.warnings)});
  }
  return table;
}

// Each code once, with the first message and the number of runs.
void AddWarnings(const Plan& plan, std::vector<std::string>& notes) {
  std::vector<std::string> order;
  std::map<std::string, std::pair<std::string, int>> by_code;
  for (const PlannedRun& run : plan.runs) {
    for (const PlanWarning& warning : run.warnings) {
      auto [entry, fresh] = by_code.try_emplace(warning.code, warning.message, 0);
      if (fresh) order.push_back(warning.code);
      ++entry->second.second;
    }
  }
  for (const PlanWarning& warning : plan.warnings) {
    notes.push_back(fmt::format("warning: {}: {}", warning.code, warning.message));
  }
  for (const std::string& code : order) {
    const auto& [message, runs] = by_code[code];
    notes.push_back(
        fmt::format("warning: {} ({} of {} runs): {}", code, runs, plan.runs.size(), message));
  }
}

void AddDesign(const FamilyDesign& design, std::vector<std::string>& notes) {
  std::string line =
      fmt::format("design: {} ({} sizes, {} token counts):", FamilyName(design.family),
                  design.sizes, design.token_counts);
  for (const LawVerdict& law : design.laws) {
    line += fmt::format(" {} {}", law.law, law.identifiable ? "identifiable" : "not identifiable");
    if (law.identifiable) line += fmt::format(" (condition {:.3g})", law.condition);
    if (!law.reasons.empty()) line += fmt::format(" ({})", fmt::join(law.reasons, ", "));
    line += ";";
  }
  line.pop_back();
  notes.push_back(line);
  if (!design.repair.empty()) notes.push_back("  repair: " + design.repair);
}

void AddSharing(const TrunkSharing& sharing, std::vector<std::string>& notes) {
  if (sharing.trunks == 0 && sharing.forbidden_by.empty()) return;
  if (sharing.trunks > 0) {
    notes.push_back(fmt::format(
        "sharing {1} trunk{2} saves {0:.1f} % of training: runs that differ in D branch off one "
        "another's steps; FLOPs and times in all count each step once",
        100 * sharing.saved_share, sharing.trunks, sharing.trunks == 1 ? "" : "s"));
  }
  for (const std::string& reason : sharing.forbidden_by) {
    notes.push_back("trunk sharing is forbidden by " + reason);
  }
}

}  // namespace

Report PlanReport(const Plan& plan) {
  const PlanTotals& totals = plan.totals;
  Report report{"runs", {}, RunTable(plan), "no runs"};
  const std::string corpus = plan.corpus.name.empty() ? plan.corpus.id.Short() : plan.corpus.name;
  report.facts = {
      {{"sweep", "sweep", Show::kId}, plan.id.text()},
      {{"name", "name"}, plan.name},
      {{"corpus", "corpus"}, plan.corpus_assumed ? "assumed" : corpus},
      {{"vocab", "vocab"}, static_cast<std::int64_t>(plan.corpus.vocab)},
      {{"train_tokens", "train tokens", Show::kCount}, plan.corpus.train_tokens},
      {{"run_count", "runs"}, static_cast<std::int64_t>(totals.runs)},
      {{"tokens", "D in all", Show::kCount}, totals.tokens},
      {{"train_dense_flop", "training FLOPs", Show::kScientific}, totals.flops.train_dense},
      {{"evaluation_flop", "evaluation FLOPs", Show::kScientific}, totals.flops.evaluation},
      {{"evaluation_share", "evaluation share", Show::kShare}, totals.evaluation_share},
      {{"memory_estimate_bytes", "memory a run", Show::kBytes}, totals.peak_memory_estimate_bytes},
      {{"kept_checkpoint_bytes", "checkpoints kept", Show::kBytes}, totals.kept_checkpoint_bytes},
      {{"worker_s", "worker time", Show::kSeconds}, totals.worker_s},
      {{"workers", "workers"}, static_cast<std::int64_t>(plan.workers)},
      {{"eta_s", "ETA", Show::kSeconds}, totals.eta_s}};
  return report;
}

std::vector<std::string> PlanNotes(const Plan& plan) {
  std::vector<std::string> notes;
  AddWarnings(plan, notes);
  for (const FamilyDesign& design : plan.designs) AddDesign(design, notes);
  AddSharing(plan.trunk_sharing, notes);
  return notes;
}

std::string UnidentifiableText(const Plan& plan) {
  std::string text;
  for (const FamilyDesign& design : plan.designs) {
    if (design.identifiable) continue;
    text += fmt::format("{}the {} grid cannot identify a scaling law", text.empty() ? "" : "; ",
                        FamilyName(design.family));
    if (!design.repair.empty()) text += ": " + design.repair;
  }
  return text;
}

}  // namespace etude
