// Trains one job: from a RunConfig and token files to loss points, checkpoints and a final loss.
// The only doors into LibTorch are this header and sampler.h; neither includes torch.
#ifndef ETUDE_LIB_MODELS_TRAINER_H_
#define ETUDE_LIB_MODELS_TRAINER_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"

namespace etude {

enum class Device {
  kAuto,
  kCpu,
  kCuda
};  // kAuto: cuda where LibTorch has it and a device answers, else cpu

struct TrainRequest {
  RunConfig config;
  std::int64_t to =
      0;  // last step to train, at most config.steps; the final evaluation happens at config.steps
  std::string corpus_dir;   // train.npy val.npy test.npy vocab.json corpus.json
  std::string attempt_dir;  // exists; checkpoints are written under attempt_dir/checkpoints/
  std::string resume_dir;   // model.safetensors + optimizer.safetensors after start_step; empty =
                            // fresh weights. Of this run, or of one that shares its trunk so far
  std::int64_t start_step = 0;  // 0 exactly when resume_dir is empty
  Device device = Device::kAuto;
  absl::Duration checkpoint_every =
      absl::Seconds(30);                        // resume checkpoints; the two newest are kept
  std::vector<std::int64_t> branch_steps = {};  // ascending; branch checkpoints, all kept
};

// A checkpoint that is complete and durable in `dir`, a path relative to attempt_dir.
struct WrittenCheckpoint {
  CheckpointKind kind = CheckpointKind::kResume;
  std::int64_t step = 0;
  std::string dir;
  std::vector<ArtifactFile> files;  // model.safetensors optimizer.safetensors (resume, branch,
                                    // last) config.json best.safetensors (branch, if there are any)
                                    // val_documents.npy (last)
};

// Receives what training produces, in order, on the training thread: all points of steps <= s come
// before the checkpoint of step s. An error stops training and is what Train returns.
class TrainListener {
 public:
  virtual ~TrainListener() = default;
  virtual absl::Status OnPoints(std::span<const LossPoint> points) = 0;
  virtual absl::Status OnCheckpoint(const WrittenCheckpoint& checkpoint) = 0;
};

// Asked between steps. kCheckpoint: write a resume checkpoint and go on (once per false -> true
// edge is the caller's duty: the answer is consumed). kRelease: write a resume checkpoint and
// return kReleased. kCancel: return kCancelled without writing.
enum class StopRequest { kNone, kCheckpoint, kRelease, kCancel };

struct TrainReport {
  JobOutcome outcome = JobOutcome::kSucceeded;  // kSucceeded, kDiverged, kOutOfMemory, kBadInput,
                                                // kReleased, kCancelled
  std::string reason;                           // empty on success
  std::int64_t step = 0;                        // updates done
  RunResult result;                             // set when kSucceeded
};

// What a run's bits depend on beside its config: JSON {"build","cpu","device","threads"}. Recorded
// with each attempt.
std::string NumericsOf(int threads, Device device);

// Runs the job to its end on the calling thread (plus config.threads - 1 of LibTorch's). Equal
// requests on the same build, CPU kind and thread count give the same bits; a resumed run equals
// the uninterrupted one. Thread-compatible: one call at a time in a process. Errors are those of
// the files and of the listener; anything the run itself does wrong (diverging, running out of
// memory, a corpus that does not match) is an outcome in the report.
absl::StatusOr<TrainReport> Train(const TrainRequest& request, TrainListener& listener,
                                  const std::function<StopRequest()>& stop, Clock& clock);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_TRAINER_H_
