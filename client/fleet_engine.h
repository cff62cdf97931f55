// Where a fleet's workers run: what starts, lists and ends them.
#ifndef ETUDE_CLIENT_FLEET_ENGINE_H_
#define ETUDE_CLIENT_FLEET_ENGINE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/fleet_spec.h"

namespace etude {

struct FleetMember {
  // kFailed: it ended by itself, and not well; it counts for nothing. kSilent: not a worker but a
  // host, which does not answer.
  enum class State { kWaiting, kRunning, kEnding, kFailed, kSilent };
  std::string id = "";  // the engine's: "12_3", "host/2"
  State state = State::kWaiting;
  std::string where = "";   // node or host
  std::string reason = "";  // why it waits, or how it failed
  std::string worker = "";  // what its worker's id begins with
  std::string log = "";     // where its output is
  std::string life = "";    // which of those that had the id
  bool stays = false;       // one of the minimum
};
std::string_view FleetMemberStateName(FleetMember::State state);  // "waiting", "running", ...

// Runs the engine's own commands with the user's rights. kNotFound: they are not on this machine.
// kUnavailable, kDeadlineExceeded: the engine does not answer; later it may. kInvalidArgument: it
// refuses, and says why. Not thread-safe.
class FleetEngine {
 public:
  virtual ~FleetEngine() = default;

  // Starts `count` more.
  virtual absl::Status Start(int count, bool stays) = 0;
  // Those that wait, run or are ending, and those that failed of late.
  virtual absl::StatusOr<std::vector<FleetMember>> Members() = 0;
  // Those that wait are gone at once; those that run give their jobs back and end, in at most
  // kDrainSeconds. Does not wait for that. One that has only just started may miss it: call it
  // again, which never harms one that is ending.
  virtual absl::Status Stop(const std::vector<FleetMember>& members) = 0;
  virtual absl::Status Kill(const std::vector<FleetMember>& members) = 0;
  // Once no member is left: removes what it put on other machines.
  virtual absl::Status CleanUp() = 0;
};

inline constexpr int kDrainSeconds = 10;  // DESIGN.md section 7

// `directory` is the fleet's own on this machine.
std::unique_ptr<FleetEngine> MakeFleetEngine(const FleetSpec& spec, const std::string& directory);

}  // namespace etude

#endif  // ETUDE_CLIENT_FLEET_ENGINE_H_
