#include "client/fleet_engine.h"

#include "client/slurm.h"
#include "client/ssh_fleet.h"

namespace etude {

std::string_view FleetMemberStateName(FleetMember::State state) {
  switch (state) {
    case FleetMember::State::kWaiting:
      return "waiting";
    case FleetMember::State::kRunning:
      return "running";
    case FleetMember::State::kEnding:
      return "ending";
    case FleetMember::State::kFailed:
      return "failed";
    case FleetMember::State::kSilent:
      return "silent";
  }
  return "unknown";
}

std::unique_ptr<FleetEngine> MakeFleetEngine(const FleetSpec& spec, const std::string& directory) {
  if (spec.engine == FleetEngineKind::kSlurm) {
    return std::make_unique<SlurmEngine>(spec, directory);
  }
  return std::make_unique<SshEngine>(spec);
}

}  // namespace etude
