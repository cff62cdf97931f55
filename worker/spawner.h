// Starts trainers and speaks to them. What they say, and their end, come back as events (event.h).
#ifndef ETUDE_WORKER_SPAWNER_H_
#define ETUDE_WORKER_SPAWNER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/trainer_protocol.h"

namespace etude {

// One trainer process; never used twice.
using TrainerId = std::uint64_t;

class Spawner {
 public:
  virtual ~Spawner() = default;

  // Starts a trainer for a slot. It says ready once it can take a job, and dies with its agent;
  // TrainerExited always comes, once, after everything it said. An error: it did not start, and no
  // event comes.
  virtual absl::StatusOr<TrainerId> Spawn(int slot) = 0;
  // kUnavailable: the trainer does not read or has ended; kill it.
  virtual absl::Status Send(TrainerId trainer, const AgentMessage& message) = 0;
  // Ends it at once, unless it has ended.
  virtual void Kill(TrainerId trainer) = 0;
};

}  // namespace etude

#endif  // ETUDE_WORKER_SPAWNER_H_
