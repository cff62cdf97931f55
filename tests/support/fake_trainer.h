// Trains nothing, but leaves behind everything a trainer does: points of a loss curve that is a
// pure function of the step, checkpoints with real files, and the end.
#ifndef ETUDE_TESTS_SUPPORT_FAKE_TRAINER_H_
#define ETUDE_TESTS_SUPPORT_FAKE_TRAINER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "worker/points_log.h"
#include "worker/trainer_protocol.h"

namespace etude {

// Nats/token after `step` updates: 1.5 + 2 / sqrt(step).
double FakeLoss(std::int64_t step);

// One job. Errors are ENSUREd away: a test's disk works.
class FakeTraining {
 public:
  FakeTraining(const JobMessage& job, Clock& clock);

  const JobMessage& job() const { return job_; }
  std::int64_t step() const { return step_; }
  bool complete() const { return step_ >= job_.to; }

  // One training point a step, up to `step` (at most the job's last), visible in the log.
  void TrainTo(std::int64_t step);
  // Writes the checkpoint's directory and its record; the two newest resume checkpoints stay.
  void Checkpoint(CheckpointKind kind);
  // The whole evaluation, best, last, and the record of success.
  void Succeed();
  // The record of another end.
  void End(JobOutcome outcome, const std::string& reason);

 private:
  JobMessage job_;
  PointsLogWriter log_;
  std::int64_t step_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_FAKE_TRAINER_H_
