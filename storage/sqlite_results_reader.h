// Queries on the results store through a read-only connection of its own.
#ifndef ETUDE_STORAGE_SQLITE_RESULTS_READER_H_
#define ETUDE_STORAGE_SQLITE_RESULTS_READER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "storage/results_store.h"
#include "storage/sqlite.h"

namespace etude {

// Never blocks the store's writer, nor waits for it. Thread-safe.
class SqliteResultsReader final : public ResultsReader {
 public:
  // Opens a file that a SqliteResultsStore has made. kNotFound; kFailedPrecondition: its schema is
  // not this program's.
  static absl::StatusOr<std::unique_ptr<SqliteResultsReader>> Open(const std::string& path);

  // Besides the interface's errors: kNotFound for a run or sweep that is not stored; kDataLoss: the
  // file is damaged; kUnavailable: send it again.
  absl::StatusOr<std::vector<Corpus>> Corpora() override;
  absl::StatusOr<std::vector<Sweep>> Sweeps() override;
  absl::StatusOr<Corpus> FindCorpus(const std::string& text) override;
  absl::StatusOr<Sweep> FindSweep(const std::string& text) override;
  absl::StatusOr<Sweep> FindSweepHead(const std::string& text) override;
  absl::StatusOr<RunKey> FindRun(const std::string& text) override;
  absl::StatusOr<std::vector<RunStanding>> Standings(const SweepId& sweep, int offset,
                                                     int limit) override;
  using ResultsReader::Standings;
  absl::StatusOr<RunStanding> Standing(const RunKey& run) override;
  absl::StatusOr<std::vector<Job>> JobsOf(const RunKey& run) override;
  absl::StatusOr<std::vector<AttemptRow>> AttemptsOf(const RunKey& run) override;
  absl::StatusOr<std::vector<AttemptSpan>> SpansOf(const SweepId& sweep) override;
  absl::StatusOr<std::vector<Checkpoint>> CheckpointsOf(const RunKey& run) override;
  absl::StatusOr<std::vector<std::string>> SweepNamesOf(const RunKey& run) override;
  absl::StatusOr<std::vector<LossPoint>> Curve(const RunKey& run, const std::vector<Series>& series,
                                               std::int64_t after_step, int limit) override;
  absl::StatusOr<std::vector<FrozenPrediction>> PredictionsOf(const SweepId& sweep) override;
  absl::StatusOr<std::vector<SweepFit>> FitsOf(const SweepId& sweep) override;
  absl::StatusOr<std::vector<Worker>> Workers() override;
  absl::StatusOr<std::vector<std::string>> ReferencedBlobs() override;

 private:
  explicit SqliteResultsReader(std::unique_ptr<Database> database)
      : database_(std::move(database)) {}
  // Runs `query(database)` in one snapshot.
  template <typename Query>
  auto Read(Query query) ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  const std::unique_ptr<Database> database_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace etude

#endif  // ETUDE_STORAGE_SQLITE_RESULTS_READER_H_
