// A results store in memory that keeps the promises of storage/results_store.h by other means than
// the real one, so that tests of what writes to it need no disk.
#ifndef ETUDE_TESTS_SCENARIOS_MEMORY_RESULTS_STORE_H_
#define ETUDE_TESTS_SCENARIOS_MEMORY_RESULTS_STORE_H_

#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/results_store.h"

namespace etude {

// Not thread-safe.
class MemoryResultsStore final : public ResultsStore {
 public:
  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override {}
  absl::StatusOr<StoredState> Load() override;

  // Keeps what there is, and takes the store back to it, as a restored backup does.
  void Backup() { backup_ = tables_; }
  void RestoreBackup(int attempts_above) {
    tables_ = backup_;
    tables_.attempts_above = attempts_above;
  }

  // Loss points of the job's newest path, by (series, step).
  std::map<std::pair<Series, std::int64_t>, double> PointsOf(const JobId& job) const;
  // Of a sweep's held-out runs.
  std::vector<FrozenPrediction> PredictionsOf(const SweepId& sweep) const;

 private:
  using AttemptKey = std::pair<JobId, int>;
  struct Tables {
    std::map<std::string, Corpus> corpora;  // by name
    std::vector<Sweep> sweeps;
    std::map<RunKey, Run> runs;
    std::map<JobId, Job> jobs;
    std::map<std::pair<RunKey, int>, Segment> segments;
    std::map<AttemptKey, Attempt> attempts;
    std::map<std::pair<JobId, CheckpointKind>, Checkpoint> checkpoints;
    std::map<std::pair<JobId, std::int64_t>, Checkpoint> branch_points;
    std::map<WorkerId, Worker> workers;
    std::map<std::tuple<JobId, int, Series, std::int64_t>, double> points;
    std::set<std::pair<SweepId, std::string>> fits;
    std::map<std::pair<SweepId, RunKey>, FrozenPrediction> predictions;
    std::map<std::pair<std::string, std::string>, TrainingRate> rates;
    std::map<RunKey, int> deleted_runs;  // the greatest number of their attempts
    int attempts_above = 0;
  };
  struct Applier;
  Tables tables_;
  Tables backup_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SCENARIOS_MEMORY_RESULTS_STORE_H_
