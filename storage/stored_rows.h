// Rows of the results store as our nouns, and the lists that the store and its readers share.
// kDataLoss: a row holds what this program never writes.
#ifndef ETUDE_STORAGE_STORED_ROWS_H_
#define ETUDE_STORAGE_STORED_ROWS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/status.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/forecast.h"
#include "lib/scaling/job.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "lib/scaling/worker.h"
#include "storage/sqlite.h"

namespace etude {

// One row each; the columns that the SELECT must list, in this order.
// id, name, corpus, spec_toml, resolved_json, max_failed_runs, max_hours, state, reason,
// created_at_us, finished_at_us. The runs are ReadRuns'.
absl::StatusOr<Sweep> SweepOf(const Statement& row);
// key, config_json, state, reason, created_at_us, finished_at_us, has_result, val_loss,
// best_val_loss, best_step, train_eval_loss, test_loss, train_seconds, eval_seconds, tokens_per_s,
// device, weights_sha256, mixed_numerics
absl::StatusOr<Run> RunOf(const Statement& row);
// id, run, from_step, to_step, state, attempts, counted_failures, reason
absl::StatusOr<Job> JobOf(const Statement& row);
// job's id, number, worker, start_step, outcome, reason, started_at_us, ended_at_us, numerics
absl::StatusOr<Attempt> AttemptOf(const Statement& row);
// job's id, attempt, kind, step. The files are CheckpointFiles'.
absl::StatusOr<Checkpoint> CheckpointOf(const Statement& row);
// prediction_json, sha256, blind, frozen_at_us
absl::StatusOr<FrozenPrediction> PredictionOf(const Statement& row);
// sweep, family, sha256, fit_json, fitted_at_us
absl::StatusOr<SweepFit> FitOf(const Statement& row);
// name, sha256, bytes
absl::StatusOr<ArtifactFile> FileOf(const Statement& row);

// Every row that `rows` still has, each read by `read`.
template <typename Noun>
absl::StatusOr<std::vector<Noun>> AllOf(Statement& rows,
                                        absl::StatusOr<Noun> (*read)(const Statement&)) {
  std::vector<Noun> nouns;
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, rows.Next());
    if (!found) return nouns;
    ASSIGN_OR_RETURN(Noun noun, read(rows));
    nouns.push_back(std::move(noun));
  }
}

// One for each name, by name.
absl::StatusOr<std::vector<Corpus>> StoredCorpora(Database& database);
absl::StatusOr<std::vector<Worker>> StoredWorkers(Database& database);  // by id
// Fills `runs` and `held_out` of a sweep, in the order of its spec.
absl::Status ReadRuns(Database& database, Sweep& sweep);
// The latter alone.
absl::Status ReadHeldOut(Database& database, Sweep& sweep);
absl::StatusOr<std::vector<ArtifactFile>> CheckpointFiles(Database& database,
                                                          const Checkpoint& checkpoint);

}  // namespace etude

#endif  // ETUDE_STORAGE_STORED_ROWS_H_
