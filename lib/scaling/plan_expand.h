// From a spec to its runs. Only for the sources of this room.
#ifndef ETUDE_LIB_SCALING_PLAN_EXPAND_H_
#define ETUDE_LIB_SCALING_PLAN_EXPAND_H_

#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/plan.h"

namespace etude {

// The runs in the order of the spec, equal keys once, with everything but costs and warnings set.
// Errors as in PlanSweep.
absl::StatusOr<std::vector<PlannedRun>> ExpandSpec(const SweepSpec& spec, const Corpus& corpus,
                                                   std::vector<SpecDiagnostic>* errors);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_PLAN_EXPAND_H_
