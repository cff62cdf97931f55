#include "lib/scaling/fit_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/counts.h"
#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<NConvention, 3> kConventions = {
    {NConvention::kCompute, "compute"}, {NConvention::kBody, "body"}, {NConvention::kAll, "all"}};
constexpr NameTable<FitSplit, 2> kSplits = {{FitSplit::kVal, "val"}, {FitSplit::kTest, "test"}};

struct NamedColumn {
  std::string_view name;
  std::string (*text)(const Run&);
};
constexpr std::array kColumns = {
    NamedColumn{"family",
                [](const Run& run) { return std::string(FamilyName(run.config.model.family)); }},
    NamedColumn{"shape", [](const Run& run) { return ShapeText(run.config.model); }},
    NamedColumn{"seed", [](const Run& run) { return fmt::to_string(run.config.seed); }},
    NamedColumn{
        "n_all",
        [](const Run& run) { return fmt::to_string(CountParameters(run.config.model).all); }},
    NamedColumn{
        "n_body",
        [](const Run& run) { return fmt::to_string(CountParameters(run.config.model).body); }},
    NamedColumn{
        "n_compute",
        [](const Run& run) { return fmt::to_string(CountParameters(run.config.model).compute); }},
    NamedColumn{"tokens", [](const Run& run) { return fmt::to_string(run.config.tokens()); }},
    NamedColumn{"unique_tokens",
                [](const Run& run) { return fmt::to_string(run.config.unique_tokens); }},
    NamedColumn{"epochs", [](const Run& run) { return fmt::to_string(run.config.epochs()); }},
    NamedColumn{"lr", [](const Run& run) { return fmt::to_string(run.config.lr); }},
    NamedColumn{"context", [](const Run& run) { return fmt::to_string(run.config.model.context); }},
    NamedColumn{"batch", [](const Run& run) { return fmt::to_string(run.config.batch); }},
    NamedColumn{"dropout", [](const Run& run) { return fmt::to_string(run.config.model.dropout); }},
    NamedColumn{
        "val_loss",
        [](const Run& run) { return run.result ? fmt::to_string(run.result->val_loss) : ""; }},
    NamedColumn{"state", [](const Run& run) { return std::string(RunStateName(run.state)); }},
    NamedColumn{"corpus", [](const Run& run) { return run.config.corpus.text(); }}};

FitRow RowOf(const Run& run, const RunSelection& selection) {
  const RunConfig& config = run.config;
  return {.n = CountN(config, selection.convention),
          .d = static_cast<double>(config.tokens()),
          .u = static_cast<double>(config.unique_tokens),
          .loss = selection.split == FitSplit::kTest ? run.result->test_loss : run.result->val_loss,
          .flops = static_cast<double>(TrainFlopsPerToken(config.model)) *
                   static_cast<double>(config.tokens()),
          .group = TrunkName(config),
          .run_key = run.key.text(),
          .seed = config.seed};
}

absl::Status CheckColumns(const Where& where) {
  for (const WhereTerm& term : where) {
    const auto known = std::ranges::find(kColumns, term.column, &NamedColumn::name);
    if (known != kColumns.end()) continue;
    std::vector<std::string_view> names;
    for (const NamedColumn& column : kColumns) names.push_back(column.name);
    return InvalidArgument(fmt::format("--where: runs have no column \"{}\"; they have {}",
                                       term.column, fmt::join(names, ", ")));
  }
  return absl::OkStatus();
}

// What else than size and data changes a loss must be one for all rows.
absl::Status CheckComparable(std::span<const Run* const> runs) {
  std::set<std::string> corpora;
  std::set<int> contexts;
  for (const Run* run : runs) {
    corpora.insert(run->config.corpus.text());
    contexts.insert(run->config.model.context);
  }
  if (corpora.size() > 1) {
    return InvalidArgument(
        fmt::format("fit: the runs are of {} corpora, whose losses cannot be compared; choose one: "
                    "--where corpus={}",
                    corpora.size(), fmt::join(corpora, ", or: --where corpus=")));
  }
  if (contexts.size() > 1) {
    return InvalidArgument(fmt::format(
        "fit: the runs have contexts {}, so they were scored on other windows; choose one with "
        "--where context={}",
        fmt::join(contexts, ", "), *contexts.begin()));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view NConventionName(NConvention convention) {
  return NameIn(kConventions, convention);
}
std::optional<NConvention> NConventionFromName(std::string_view name) {
  return ValueIn(kConventions, name);
}

double CountN(const RunConfig& config, NConvention convention) {
  const ParameterCounts counts = CountParameters(config.model);
  switch (convention) {
    case NConvention::kCompute:
      return static_cast<double>(counts.compute);
    case NConvention::kBody:
      return static_cast<double>(counts.body);
    case NConvention::kAll:
      return static_cast<double>(counts.all);
  }
  ENSURE(!"a convention");
  return 0;
}

std::string_view FitSplitName(FitSplit split) { return NameIn(kSplits, split); }
std::optional<FitSplit> FitSplitFromName(std::string_view name) { return ValueIn(kSplits, name); }

std::string TrunkName(const RunConfig& config) {
  constexpr std::size_t kHashDigits = 8;
  RunConfig shared = config;
  shared.steps = 1;
  shared.lr = 0;
  shared.schedule.warmup_steps = 0;
  shared.model.dropout = 0;
  return fmt::format("{} {} seed {} {}", FamilyName(config.model.family), ShapeText(config.model),
                     config.seed, Sha256Hex(RunConfigToJson(shared)).substr(0, kHashDigits));
}

std::optional<std::string> RunColumn(const Run& run, std::string_view column) {
  for (const NamedColumn& known : kColumns) {
    if (known.name == column) return known.text(run);
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<FitRow>> FitRowsOf(std::span<const Run> runs,
                                              const RunSelection& selection) {
  RETURN_IF_ERROR(CheckColumns(selection.where));
  std::vector<const Run*> chosen;
  for (const Run& run : runs) {
    if (!run.result) continue;
    ASSIGN_OR_RETURN(const bool matches, Matches(selection.where, [&run](std::string_view column) {
                       return RunColumn(run, column);
                     }));
    if (matches) chosen.push_back(&run);
  }
  RETURN_IF_ERROR(CheckComparable(chosen));
  std::vector<FitRow> rows;
  for (const Run* run : chosen) rows.push_back(RowOf(*run, selection));
  return rows;
}

}  // namespace etude
