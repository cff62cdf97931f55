// A job: one unit of execution that a worker leases. A run is a path of segments, each trained by
// one job: by its own job alone, or first by those of longer runs whose trunk it shares.
#ifndef ETUDE_LIB_SCALING_JOB_H_
#define ETUDE_LIB_SCALING_JOB_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/scaling/ids.h"
#include "lib/scaling/run.h"

namespace etude {

// queued -> leased -> succeeded | failed | cancelled, or back to queued. The last three are
// terminal.
enum class JobState { kQueued, kLeased, kSucceeded, kFailed, kCancelled };
std::string_view JobStateName(JobState state);
std::optional<JobState> JobStateFromName(std::string_view name);
bool IsTerminal(JobState state);

struct Job {
  JobId id;
  RunKey run;              // the run whose config it trains
  std::int64_t from = 0;   // steps already done by its parent; 0 = fresh weights
  JobId parent = JobId();  // from whose branch point of step `from` it starts; empty with from = 0
  std::int64_t to = 0;     // the last step it trains
  JobState state = JobState::kQueued;
  int attempts = 0;          // number of the newest attempt; 0 = never leased
  int counted_failures = 0;  // unknown-class failures so far
  std::string reason;        // why it waits or why it failed
};

// Part `ordinal` (from 0) of a run's path: steps (from, to] come from `job`.
struct Segment {
  RunKey run;
  int ordinal = 0;
  JobId job;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

// Why an attempt ended badly, which decides whether the job is tried again (DESIGN.md section 7,
// promise 6).
enum class FailureClass {
  kNone,
  kInfrastructure,  // killed, lease lost, machine gone: retried, not counted
  kDeterministic,   // NaN, out of memory, bad spec, does not fit: not retried
  kUnknown,         // retried a few times, on another worker first
};
std::string_view FailureClassName(FailureClass failure);
std::optional<FailureClass> FailureClassFromName(std::string_view name);

// How an attempt ended.
enum class JobOutcome {
  kSucceeded,
  kDiverged,  // loss or gradient norm not finite
  kOutOfMemory,
  kBadInput,    // corpus damaged, config the trainer refuses
  kCrashed,     // exit code or signal that none of the others explains
  kKilled,      // SIGKILL or SIGTERM from outside
  kReleased,    // given back: drain, or the worker restarted
  kSuperseded,  // lease expired or fenced
  kCancelled,
};
std::string_view JobOutcomeName(JobOutcome outcome);
std::optional<JobOutcome> JobOutcomeFromName(std::string_view name);
FailureClass ClassOf(JobOutcome outcome);

// One try of a job by one worker. The number fences every write.
struct Attempt {
  JobId job;
  int number = 0;  // from 1
  WorkerId worker;
  std::int64_t start_step = 0;        // resumed after this step; 0 = from the beginning
  std::optional<JobOutcome> outcome;  // nullopt while it runs
  std::string reason;
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;
  std::string
      numerics;  // JSON {build, cpu, threads, device}: recorded when the trainer has started
};

// A worker's right to an attempt until a deadline on the coordinator's monotonic clock. Lives in
// the scheduler alone.
struct Lease {
  JobId job;
  int attempt = 0;
  WorkerId worker;
};

// A file of a checkpoint or another artefact of an attempt; bytes are in the blob store under
// sha256.
struct ArtifactFile {
  std::string name;  // "model.safetensors"; one safe path component
  std::string sha256;
  std::int64_t bytes = 0;
  friend bool operator==(const ArtifactFile&, const ArtifactFile&) = default;
};

// resume: model + optimizer after `step`, a later attempt may start there. last and best: what a
// finished run keeps. branch: like resume, with the best weights so far, for other jobs to start
// from.
enum class CheckpointKind { kResume, kLast, kBest, kBranch };
std::string_view CheckpointKindName(CheckpointKind kind);
std::optional<CheckpointKind> CheckpointKindFromName(std::string_view name);

struct Checkpoint {
  JobId job;
  int attempt = 0;
  CheckpointKind kind = CheckpointKind::kResume;
  std::int64_t step = 0;
  std::vector<ArtifactFile> files;
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_JOB_H_
