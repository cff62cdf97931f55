// From the runs of a sweep to the rows of a fit.
#ifndef ETUDE_LIB_SCALING_FIT_RUNS_H_
#define ETUDE_LIB_SCALING_FIT_RUNS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/run.h"
#include "lib/scaling/where.h"

namespace etude {

enum class NConvention { kCompute, kBody, kAll };          // as ParameterCounts
std::string_view NConventionName(NConvention convention);  // "compute", "body", "all"
std::optional<NConvention> NConventionFromName(std::string_view name);
double CountN(const RunConfig& config, NConvention convention);

enum class FitSplit { kVal, kTest };
std::string_view FitSplitName(FitSplit split);  // "val", "test"
std::optional<FitSplit> FitSplitFromName(std::string_view name);

// What runs share that differ in D alone, or in what may depend on it (rate, warm-up, dropout): the
// clusters of a fit's bootstrap. "lstm 1x24 seed 1 3fa9c1d2", the last a hash of all of it.
std::string TrunkName(const RunConfig& config);

struct RunSelection {
  NConvention convention = NConvention::kCompute;
  FitSplit split = FitSplit::kVal;
  Where where = {};
};

// A run's value for a filter's column, as results.csv writes it: family, shape, seed, n_all,
// n_body, n_compute, tokens, unique_tokens, epochs, lr, context, batch, dropout, val_loss, state,
// corpus. nullopt: no such column.
std::optional<std::string> RunColumn(const Run& run, std::string_view column);

// The runs that have a result and match the filter, a row each.
// kInvalidArgument: the filter names an unknown column, or the rows cannot be compared: they differ
// in corpus or in context, and so in how they were scored. The message says how to choose.
absl::StatusOr<std::vector<FitRow>> FitRowsOf(std::span<const Run> runs,
                                              const RunSelection& selection);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_RUNS_H_
