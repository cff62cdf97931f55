// Where everything the coordinator has promised is kept. One writer; readers have connections of
// their own.
#ifndef ETUDE_STORAGE_RESULTS_STORE_H_
#define ETUDE_STORAGE_RESULTS_STORE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/change.h"

namespace etude {

// What the scheduler starts from.
struct StoredState {
  std::vector<Corpus> corpora;  // one for each name
  std::vector<Sweep> sweeps;    // in order of submission
  std::vector<Run> runs;
  std::vector<Job> jobs;
  std::vector<Segment> segments;
  std::vector<Attempt> live_attempts;     // without an outcome
  std::vector<Checkpoint> checkpoints;    // resume checkpoints of jobs that are not terminal
  std::vector<Checkpoint> branch_points;  // of all jobs
  std::vector<Worker> workers;
  std::vector<TrainingRate> rates;  // by worker kind and pace
  struct PointsThrough {
    JobId job;
    std::int64_t step = 0;
  };
  std::vector<PointsThrough>
      points_through;  // newest training step stored, of jobs that are not terminal
  struct Predicted {
    SweepId sweep;
    RunKey run;
  };
  std::vector<Predicted> predicted;  // held-out runs with a frozen prediction
  struct DeletedRun {
    RunKey run;
    int attempts = 0;  // the greatest number of an attempt that was deleted
  };
  std::vector<DeletedRun> deleted_runs;  // also of those that are there again
  // Since the store was restored from a backup: attempts up to this number are of the time before,
  // and workers may hold ones that the store knows nothing of. 0: never.
  int attempts_above = 0;
};

// Not thread-safe: the coordinator's core thread owns it.
class ResultsStore {
 public:
  virtual ~ResultsStore() = default;

  // Applies the changes in order and makes them durable, all or none. The attempt number fences
  // every write of an attempt: one that is not its job's newest, or has ended, fails the batch with
  // kFailedPrecondition. kAlreadyExists: a corpus or sweep name stands for other content.
  // kResourceExhausted: the disk is full; nothing is lost, try again once there is space.
  // kDataLoss: the file is damaged.
  virtual absl::Status Commit(std::span<const Change> changes) = 0;
  // Upkeep that makes nothing more durable: call it when nobody waits for a commit any more.
  virtual void Tidy() = 0;

  virtual absl::StatusOr<StoredState> Load() = 0;
};

// Where a run stands, for people.
struct RunStanding {
  Run run;
  std::int64_t step = 0;             // newest stored training step of its path
  std::int64_t own_from = 0;         // steps that its trunk trains; its own job does the others
  std::optional<double> train_loss;  // at that step
  std::optional<double> val_probe;   // newest
  std::optional<double> tokens_per_s;
  int attempts = 0;
};

// When an attempt that has ended ran.
struct AttemptSpan {
  RunKey run;
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;
};

// Queries, each in one short read transaction. Thread-safe: calls take turns on one read-only
// connection, which never writes or checkpoints.
class ResultsReader {
 public:
  virtual ~ResultsReader() = default;

  virtual absl::StatusOr<std::vector<Corpus>> Corpora() = 0;
  virtual absl::StatusOr<std::vector<Sweep>>
  Sweeps() = 0;  // newest last; spec_toml and resolved_json left out
  // By exact name or unambiguous id prefix (4 characters at least). kNotFound; kInvalidArgument if
  // ambiguous.
  virtual absl::StatusOr<Corpus> FindCorpus(const std::string& text) = 0;
  virtual absl::StatusOr<Sweep> FindSweep(const std::string& text) = 0;
  // Its id and what it holds out, without its runs, which may be many.
  virtual absl::StatusOr<Sweep> FindSweepHead(const std::string& text) = 0;
  virtual absl::StatusOr<RunKey> FindRun(const std::string& text) = 0;
  // In the order of the sweep's spec; every run, oldest first, when `sweep` is empty. `limit` < 0:
  // all from `offset` on.
  virtual absl::StatusOr<std::vector<RunStanding>> Standings(const SweepId& sweep, int offset,
                                                             int limit) = 0;
  absl::StatusOr<std::vector<RunStanding>> Standings(const SweepId& sweep) {
    return Standings(sweep, 0, -1);
  }
  virtual absl::StatusOr<RunStanding> Standing(const RunKey& run) = 0;
  virtual absl::StatusOr<std::vector<Job>> JobsOf(const RunKey& run) = 0;
  struct AttemptRow {
    Attempt attempt;
    std::vector<ArtifactFile> artifacts;
  };
  virtual absl::StatusOr<std::vector<AttemptRow>> AttemptsOf(const RunKey& run) = 0;
  // Of the sweep's runs' own jobs, in order of their starts.
  virtual absl::StatusOr<std::vector<AttemptSpan>> SpansOf(const SweepId& sweep) = 0;
  virtual absl::StatusOr<std::vector<Checkpoint>> CheckpointsOf(const RunKey& run) = 0;
  virtual absl::StatusOr<std::vector<std::string>> SweepNamesOf(const RunKey& run) = 0;
  // The run's curve: its path's points ordered by (step, series), strictly after `after_step`, at
  // most `limit` rows and then the rest of the last step. Empty `series` means all but kTest, which
  // stays sealed.
  virtual absl::StatusOr<std::vector<LossPoint>> Curve(const RunKey& run,
                                                       const std::vector<Series>& series,
                                                       std::int64_t after_step, int limit) = 0;
  // In the order of the sweep's spec; empty until they are frozen. kDataLoss: one does not match
  // its hash.
  virtual absl::StatusOr<std::vector<FrozenPrediction>> PredictionsOf(const SweepId& sweep) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<SweepFit>> FitsOf(const SweepId& sweep) = 0;
  virtual absl::StatusOr<std::vector<Worker>> Workers() = 0;
  // SHA-256 of every blob that some row names.
  virtual absl::StatusOr<std::vector<std::string>> ReferencedBlobs() = 0;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_RESULTS_STORE_H_
