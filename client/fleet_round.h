// One look at a fleet, and what follows from it.
#ifndef ETUDE_CLIENT_FLEET_ROUND_H_
#define ETUDE_CLIENT_FLEET_ROUND_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coordinator_client.h"
#include "client/fleet_engine.h"
#include "client/fleet_size.h"
#include "client/fleet_spec.h"
#include "client/output.h"

namespace etude {

struct FleetView {
  FleetSpec spec;
  FleetDemand demand;
  int wanted = 0;
  std::vector<FleetMember> members;
  std::vector<WorkerView> workers;  // of the coordinator, the fleet's or not
};

// Asks the engine and the coordinator; their errors.
absl::StatusOr<FleetView> LookAtFleet(const FleetSpec& spec, FleetEngine& engine,
                                      CoordinatorClient& client);

// Starts and stops what `view` asks for, and says each thing it does.
absl::Status AdjustFleet(const FleetView& view, FleetEngine& engine,
                         const std::function<void(const std::string&)>& say);

// The coordinator's worker of a member, the one seen last; nullptr if none has registered.
const WorkerView* WorkerOf(const FleetMember& member, const std::vector<WorkerView>& workers);

Report FleetReport(const FleetView& view);

}  // namespace etude

#endif  // ETUDE_CLIENT_FLEET_ROUND_H_
