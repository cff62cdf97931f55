// What the coordinator decides, as values: the scheduler makes them, the store applies them, all of
// a batch in one transaction.
#ifndef ETUDE_STORAGE_CHANGE_H_
#define ETUDE_STORAGE_CHANGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/scaling/corpus.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "lib/scaling/training_rate.h"
#include "lib/scaling/worker.h"

namespace etude {

// A corpus under a name. One name means one corpus for ever; the same corpus may have several
// names.
struct CorpusAdded {
  Corpus corpus;
  std::int64_t at_us = 0;
};

// A new sweep with those of its runs and jobs that were not there yet.
struct SweepAdded {
  Sweep sweep;
  std::vector<Run> new_runs;
  std::vector<Job> new_jobs;
  std::vector<Segment> new_segments;
};

// Runs, and jobs of these and of others, that another coordinator had: none of the jobs has had an
// attempt, their history follows. The paths take the place of those that their runs may have.
struct RunsAdded {
  std::vector<Run> runs;
  std::vector<Job> jobs;
  std::vector<Segment> paths;  // each in order, without a gap
};

// The sweep's mutable fields.
struct SweepChanged {
  SweepId sweep;
  SweepState state = SweepState::kActive;
  std::string reason;
  std::int64_t finished_at_us = 0;
  bool paused = false;
  int priority = 0;
  double weight = 1;
};

// A sweep goes, and these runs with everything that is stored of them.
struct SweepDeleted {
  SweepId sweep;
  std::vector<RunKey> runs;
};

// A run's mutable fields. `result` is set with kSucceeded.
struct RunChanged {
  RunKey run;
  RunState state = RunState::kQueued;
  std::string reason;
  std::optional<RunResult> result;
  std::int64_t finished_at_us = 0;
};

// A job's mutable fields: state, attempts, counted_failures, reason. Terminal states never change.
struct JobChanged {
  Job job;
};

// A new job of a run, which ends the run's new path: one that is started again, or that cannot
// branch off where it was to. Checkpoints of the run's jobs that no path has any more go with it.
struct JobAdded {
  Job job;
  std::vector<Segment> path;  // the whole of it
};

// The job's newest attempt. Points that earlier attempts left after `attempt.start_step` go in the
// same transaction.
struct AttemptStarted {
  Attempt attempt;
};

struct AttemptEnded {
  JobId job;
  int attempt = 0;
  JobOutcome outcome = JobOutcome::kSuperseded;
  std::string reason;
  std::string numerics;
  std::vector<ArtifactFile> artifacts;
  std::int64_t ended_at_us = 0;
};

// A point that is there already (the same job, attempt, series, step) is left as it is.
struct PointsAdded {
  JobId job;
  int attempt = 0;
  std::vector<LossPoint> points;
};

// Replaces the job's older checkpoint of the same kind; a branch point, that of the same step.
struct CheckpointAdded {
  Checkpoint checkpoint;
  std::int64_t at_us = 0;
};

// A resume checkpoint or a branch point that cannot be read any more.
struct CheckpointLost {
  JobId job;
  CheckpointKind kind = CheckpointKind::kResume;
  std::int64_t step = 0;
};

// Inserts the worker or replaces all its fields.
struct WorkerChanged {
  Worker worker;
};

// A worker that has not been heard of for long.
struct WorkerForgotten {
  WorkerId worker;
};

// A fit that was computed; one that is there already, byte for byte, is left as it is. Of a sweep's
// family the newest kMaxStoredFits are kept, and those that a prediction names.
struct FitAdded {
  SweepFit fit;
};
inline constexpr int kMaxStoredFits = 1000;

// The predictions of a sweep's held-out runs with the fits they were made by. They never change.
struct PredictionsFrozen {
  SweepId sweep;
  std::vector<SweepFit> fits;
  std::vector<FrozenPrediction> predictions;
};

// Replaces the rate of the same worker kind and pace.
struct RateMeasured {
  TrainingRate rate;
};

using Change = std::variant<CorpusAdded, SweepAdded, SweepChanged, SweepDeleted, RunsAdded,
                            RunChanged, JobChanged, JobAdded, AttemptStarted, AttemptEnded,
                            PointsAdded, CheckpointAdded, CheckpointLost, WorkerChanged,
                            WorkerForgotten, FitAdded, PredictionsFrozen, RateMeasured>;

}  // namespace etude

#endif  // ETUDE_STORAGE_CHANGE_H_
