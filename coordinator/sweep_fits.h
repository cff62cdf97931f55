// Fits of a sweep's finished runs, computed on request and stored.
#ifndef ETUDE_COORDINATOR_SWEEP_FITS_H_
#define ETUDE_COORDINATOR_SWEEP_FITS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/fit_runs.h"
#include "lib/scaling/forecast.h"
#include "storage/results_store.h"

namespace etude {

struct SweepFitRequest {
  std::string sweep;  // name or id prefix
  FitOptions options;
  RunSelection selection;
};

// One fit for each family that has finished runs of the selection; held-out runs never enter. Each
// is stored before this returns. kNotFound: no such sweep. kFailedPrecondition: no run has
// finished. kInvalidArgument: none that has matches the filter. Others are FitRowsOf's, FitLaw's
// and the core's.
absl::StatusOr<std::vector<SweepFit>> FitSweep(Core& core, ResultsReader& reader,
                                               const SweepFitRequest& request);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_SWEEP_FITS_H_
