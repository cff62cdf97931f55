#include "coordinator/sweep_fits.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

absl::StatusOr<std::vector<Run>> FinishedRuns(ResultsReader& reader, const Sweep& sweep,
                                              Family family) {
  ASSIGN_OR_RETURN(std::vector<RunStanding> standings, reader.Standings(sweep.id));
  std::vector<Run> runs;
  for (RunStanding& standing : standings) {
    Run& run = standing.run;
    if (run.result && !sweep.HoldsOut(run.key) && run.config.model.family == family) {
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

}  // namespace

absl::StatusOr<std::vector<SweepFit>> FitSweep(Core& core, ResultsReader& reader,
                                               const SweepFitRequest& request) {
  ASSIGN_OR_RETURN(const Sweep sweep, reader.FindSweep(request.sweep));
  FitOptions options = request.options;
  options.convention = std::string(NConventionName(request.selection.convention));
  std::vector<SweepFit> fits;
  for (const Family family : {Family::kTransformer, Family::kLstm}) {
    ASSIGN_OR_RETURN(const std::vector<Run> runs, FinishedRuns(reader, sweep, family));
    ASSIGN_OR_RETURN(const std::vector<FitRow> rows, FitRowsOf(runs, request.selection));
    if (rows.empty()) continue;
    ASSIGN_OR_RETURN(const Fit fit, FitLaw(rows, options));
    fits.push_back(MakeSweepFit(sweep.id, family, fit));
  }
  if (fits.empty()) {
    if (!request.selection.where.empty()) {
      return InvalidArgument(fmt::format(
          "no finished run of sweep {} matches --where; widen it, or see: etude sweep show {}",
          sweep.name, sweep.name));
    }
    return FailedPrecondition(
        fmt::format("sweep {} has no finished run to fit yet; watch it: etude sweep watch {}",
                    sweep.name, sweep.name));
  }
  for (const SweepFit& fit : fits) RETURN_IF_ERROR(core.AddFit(fit));
  return fits;
}

}  // namespace etude
