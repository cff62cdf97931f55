// Writes one change into the results store. The caller owns the transaction: after an error it must
// roll back. Errors are those of ResultsStore::Commit, with the noun and its id put before them.
#ifndef ETUDE_STORAGE_APPLY_CHANGE_H_
#define ETUDE_STORAGE_APPLY_CHANGE_H_

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/change.h"
#include "storage/sqlite.h"

namespace etude {

absl::Status ApplyChange(Database& database, const Change& change);

// What changes jobs and attempts; the fences are here.
// Segments may name these jobs and those that are stored.
absl::Status AddJobs(Database& database, std::span<const Job> jobs,
                     std::span<const Segment> segments);
absl::Status ChangeJob(Database& database, const JobChanged& change);
absl::Status ReplacePath(Database& database, const JobAdded& change);
absl::Status ReplacePaths(Database& database, const std::vector<Segment>& paths);
absl::Status StartAttempt(Database& database, const AttemptStarted& change);
absl::Status EndAttempt(Database& database, const AttemptEnded& change);
absl::Status AddPoints(Database& database, const PointsAdded& change);
absl::Status AddCheckpoint(Database& database, const CheckpointAdded& change);
absl::Status DropCheckpoint(Database& database, const CheckpointLost& change);

// Its points go later, with DeletePoints.
absl::Status DeleteSweep(Database& database, const SweepDeleted& change);
// Deletes at most `limit` points of deleted jobs, in a transaction of its own; whether more are
// left.
absl::StatusOr<bool> DeletePoints(Database& database, int limit);

// Fits and predictions. kFailedPrecondition: another prediction of the run is frozen, or the sweep
// does not hold it out.
absl::Status AddFit(Database& database, const SweepFit& fit);
absl::Status FreezePredictions(Database& database, const PredictionsFrozen& change);

}  // namespace etude

#endif  // ETUDE_STORAGE_APPLY_CHANGE_H_
