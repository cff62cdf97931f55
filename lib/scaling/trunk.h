// Trunk and branch: runs that differ in D alone train the same steps until the first of them cools
// down, so one of them is trained and the others branch off (Haegele et al. 2024, "Scaling laws and
// compute-optimal training beyond fixed training durations").
#ifndef ETUDE_LIB_SCALING_TRUNK_H_
#define ETUDE_LIB_SCALING_TRUNK_H_

#include <cstdint>

#include "lib/scaling/run.h"

namespace etude {

// The first step of the cool-down: every earlier rate does not depend on `steps`. steps + 1 when
// there is none.
std::int64_t CooldownStart(const ScheduleConfig& schedule, std::int64_t steps);

// How many of the run's first updates do not depend on its D; less than its steps. 0: its schedule
// depends on D from the first step on.
std::int64_t BranchStep(const RunConfig& config);

// Whether both train the same updates, bit for bit, up to the smaller of their branch steps.
bool ShareTrunk(const RunConfig& a, const RunConfig& b);

// Equal for runs that share a trunk.
std::uint64_t TrunkHash(const RunConfig& config);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_TRUNK_H_
