// How many workers a fleet should have now, and what to do to get there.
#ifndef ETUDE_CLIENT_FLEET_SIZE_H_
#define ETUDE_CLIENT_FLEET_SIZE_H_

#include <vector>

#include "client/fleet_engine.h"
#include "client/fleet_spec.h"

namespace etude {

// What there is to do, as the coordinator sees it.
struct FleetDemand {
  int queued_jobs = 0;          // that a worker could take now
  int fleet_jobs = 0;           // that the fleet's workers train
  double work_s = 0;            // seconds one slot would need for all that is left and measured
  bool has_unmeasured = false;  // a sweep runs whose speed is not known yet
  double eta_s = -1;            // of the slowest sweep, at the present speed; negative: not known
};

// As many as there are jobs for, but no more than are needed to finish the measured work within
// spec.finish_in, so that nobody is started for seconds of work; one to measure what has not been;
// and always from spec.min to spec.max.
int WantedWorkers(const FleetSpec& spec, const FleetDemand& demand);

struct FleetStep {
  int start_staying = 0;
  int start_others = 0;
  std::vector<FleetMember> stop;
};
// From what is there to `wanted`. None that trains is stopped for lack of work, for it ends by
// itself when idle; only what waits in vain, or is more than the fleet may have.
FleetStep NextFleetStep(const FleetSpec& spec, int wanted, const std::vector<FleetMember>& members);

}  // namespace etude

#endif  // ETUDE_CLIENT_FLEET_SIZE_H_
