#include "storage/sqlite_results_store.h"

#include <filesystem>
#include <variant>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "storage/apply_change.h"
#include "storage/migrations.h"
#include "storage/sqlite_page_check.h"
#include "storage/stored_rows.h"

namespace etude {
namespace {

std::string DirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

constexpr char kSelectSweeps[] =
    "SELECT id, name, corpus, spec_toml, resolved_json, max_failed_runs, max_hours, state, reason, "
    "created_at_us, finished_at_us, paused, priority, weight FROM sweeps ORDER BY number";

constexpr char kSelectPredicted[] = "SELECT sweep, run FROM predictions ORDER BY sweep, run";

absl::StatusOr<StoredState::Predicted> PredictedOf(const Statement& row) {
  return StoredState::Predicted{.sweep = SweepId(row.Text(0)), .run = RunKey(row.Text(1))};
}

absl::Status LoadSweeps(Database& database, StoredState& state) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectSweeps));
  ASSIGN_OR_RETURN(state.sweeps, AllOf<Sweep>(rows, SweepOf));
  for (Sweep& sweep : state.sweeps) {
    RETURN_IF_ERROR(ReadRuns(database, sweep));
  }
  ASSIGN_OR_RETURN(Statement predicted, database.Prepare(kSelectPredicted));
  ASSIGN_OR_RETURN(state.predicted, AllOf<StoredState::Predicted>(predicted, PredictedOf));
  return absl::OkStatus();
}

constexpr char kSelectRuns[] =
    "SELECT key, config_json, state, reason, created_at_us, finished_at_us, has_result, val_loss, "
    "best_val_loss, best_step, train_eval_loss, test_loss, train_seconds, eval_seconds, "
    "tokens_per_s, device, weights_sha256, mixed_numerics FROM runs ORDER BY number";
constexpr char kSelectJobs[] =
    "SELECT j.id, j.run, j.from_step, j.to_step, j.state, j.attempts, j.counted_failures, "
    "j.reason, "
    "p.id FROM jobs j LEFT JOIN jobs p ON p.number = j.parent ORDER BY j.number";
constexpr char kSelectSegments[] =
    "SELECT s.run, s.ordinal, j.id, s.from_step, s.to_step FROM segments s "
    "JOIN jobs j ON j.number = s.job ORDER BY s.run, s.ordinal";

absl::StatusOr<Segment> SegmentOf(const Statement& row) {
  return Segment{.run = RunKey(row.Text(0)),
                 .ordinal = row.Int(1),
                 .job = JobId(row.Text(2)),
                 .from = row.Integer(3),
                 .to = row.Integer(4)};
}

constexpr char kSelectDeletedRuns[] = "SELECT run, attempts FROM deleted_runs ORDER BY run";

absl::StatusOr<StoredState::DeletedRun> DeletedRunOf(const Statement& row) {
  return StoredState::DeletedRun{.run = RunKey(row.Text(0)), .attempts = row.Int(1)};
}

absl::Status LoadRuns(Database& database, StoredState& state) {
  ASSIGN_OR_RETURN(Statement runs, database.Prepare(kSelectRuns));
  ASSIGN_OR_RETURN(state.runs, AllOf<Run>(runs, RunOf));
  ASSIGN_OR_RETURN(Statement jobs, database.Prepare(kSelectJobs));
  ASSIGN_OR_RETURN(state.jobs, AllOf<Job>(jobs, JobOf));
  ASSIGN_OR_RETURN(Statement segments, database.Prepare(kSelectSegments));
  ASSIGN_OR_RETURN(state.segments, AllOf<Segment>(segments, SegmentOf));
  ASSIGN_OR_RETURN(Statement deleted, database.Prepare(kSelectDeletedRuns));
  ASSIGN_OR_RETURN(state.deleted_runs, AllOf<StoredState::DeletedRun>(deleted, DeletedRunOf));
  return absl::OkStatus();
}

constexpr char kSelectLiveAttempts[] =
    "SELECT j.id, a.number, a.worker, a.start_step, a.outcome, a.reason, a.started_at_us, "
    "a.ended_at_us, a.numerics FROM attempts a JOIN jobs j ON j.number = a.job "
    "WHERE a.outcome IS NULL ORDER BY a.job, a.number";
constexpr char kSelectResumeCheckpoints[] =
    "SELECT j.id, c.attempt, c.kind, c.step FROM checkpoints c JOIN jobs j ON j.number = c.job "
    "WHERE c.kind = 'resume' AND j.state IN ('queued', 'leased') ORDER BY c.job";
constexpr char kSelectBranchPoints[] =
    "SELECT j.id, b.attempt, 'branch', b.step FROM branch_points b JOIN jobs j ON j.number = b.job "
    "ORDER BY b.job, b.step";
// One seek an attempt: the largest step of (job, attempt, series).
constexpr char kSelectPointsThrough[] =
    "SELECT id, step FROM (SELECT j.number AS job, j.id AS id, max((SELECT max(p.step) "
    "FROM loss_points p WHERE p.job = a.job AND p.attempt = a.number AND p.series = ?)) AS step "
    "FROM jobs j JOIN attempts a ON a.job = j.number WHERE j.state IN ('queued', 'leased') "
    "GROUP BY j.number) WHERE step IS NOT NULL ORDER BY job";

constexpr char kSelectRates[] =
    "SELECT worker_kind, pace, family, assumed_tokens_per_s, tokens_per_s, runs "
    "FROM training_rates ORDER BY worker_kind, pace";

absl::StatusOr<TrainingRate> RateOf(const Statement& row) {
  const std::optional<Family> family = FamilyFromName(row.Text(2));
  if (!family) return DataLoss("a stored rate's family is unknown. Check with: etude db verify");
  return TrainingRate{.worker_kind = row.Text(0),
                      .pace = {row.Text(1), *family, row.Real(3)},
                      .tokens_per_s = row.Real(4),
                      .runs = row.Int(5)};
}

constexpr char kSelectAttemptsAbove[] = "SELECT coalesce(max(attempts_above), 0) FROM restores";

absl::StatusOr<StoredState::PointsThrough> PointsThroughOf(const Statement& row) {
  return StoredState::PointsThrough{.job = JobId(row.Text(0)), .step = row.Integer(1)};
}

absl::Status LoadAttempts(Database& database, StoredState& state) {
  ASSIGN_OR_RETURN(Statement attempts, database.Prepare(kSelectLiveAttempts));
  ASSIGN_OR_RETURN(state.live_attempts, AllOf<Attempt>(attempts, AttemptOf));
  ASSIGN_OR_RETURN(Statement checkpoints, database.Prepare(kSelectResumeCheckpoints));
  ASSIGN_OR_RETURN(state.checkpoints, AllOf<Checkpoint>(checkpoints, CheckpointOf));
  for (Checkpoint& checkpoint : state.checkpoints) {
    ASSIGN_OR_RETURN(checkpoint.files, CheckpointFiles(database, checkpoint));
  }
  ASSIGN_OR_RETURN(Statement branch_points, database.Prepare(kSelectBranchPoints));
  ASSIGN_OR_RETURN(state.branch_points, AllOf<Checkpoint>(branch_points, CheckpointOf));
  for (Checkpoint& checkpoint : state.branch_points) {
    ASSIGN_OR_RETURN(checkpoint.files, CheckpointFiles(database, checkpoint));
  }
  ASSIGN_OR_RETURN(Statement through, database.Prepare(kSelectPointsThrough));
  through.Bind(static_cast<int>(Series::kTrain));
  ASSIGN_OR_RETURN(state.points_through,
                   AllOf<StoredState::PointsThrough>(through, PointsThroughOf));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteResultsStore>> SqliteResultsStore::Open(
    const std::string& path) {
  ASSIGN_OR_RETURN(StateLock lock, StateLock::Take(DirectoryOf(path)));
  RETURN_IF_ERROR(CheckWriteAheadLog(path));
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                   Database::Open(path, Database::Access::kReadWrite));
  // A log begins with each start, so that what an earlier one left at its end says nothing later.
  const absl::Status emptied = database->EmptyWal();
  if (emptied.code() == absl::StatusCode::kDataLoss) return emptied;
  if (database->bytes() <= kMaxCheckedBytes) RETURN_IF_ERROR(database->CheckIntegrity());
  RETURN_IF_ERROR(Migrate(*database));
  RETURN_IF_ERROR(SyncDirectory(DirectoryOf(path)));
  return std::unique_ptr<SqliteResultsStore>(
      new SqliteResultsStore(std::move(lock), std::move(database)));
}

absl::Status SqliteResultsStore::Commit(std::span<const Change> changes) {
  if (changes.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  for (const Change& change : changes) {
    RETURN_IF_ERROR(ApplyChange(*database_, change));
    has_deleted_ = has_deleted_ || std::holds_alternative<SweepDeleted>(change);
  }
  return transaction.Commit();
}

void SqliteResultsStore::Tidy() {
  if (has_deleted_) {
    const absl::StatusOr<bool> more = DeletePoints(*database_, kMaxPointsDeletedAtOnce);
    has_deleted_ = !more.ok() || *more;
    if (!more.ok()) LogWarning("points of deleted sweeps: " + MessageOf(more.status()));
  }
  const absl::Status checkpointed = database_->CheckpointIfDue();
  if (!checkpointed.ok()) LogWarning("checkpoint of the results store: " + MessageOf(checkpointed));
}

absl::StatusOr<StoredState> SqliteResultsStore::Load() {
  ASSIGN_OR_RETURN(Transaction snapshot, Transaction::Begin(*database_));
  StoredState state;
  ASSIGN_OR_RETURN(state.corpora, StoredCorpora(*database_));
  RETURN_IF_ERROR(LoadSweeps(*database_, state));
  RETURN_IF_ERROR(LoadRuns(*database_, state));
  RETURN_IF_ERROR(LoadAttempts(*database_, state));
  ASSIGN_OR_RETURN(state.workers, StoredWorkers(*database_));
  ASSIGN_OR_RETURN(Statement rates, database_->Prepare(kSelectRates));
  ASSIGN_OR_RETURN(state.rates, AllOf<TrainingRate>(rates, RateOf));
  ASSIGN_OR_RETURN(const std::int64_t above, database_->ReadInteger(kSelectAttemptsAbove));
  state.attempts_above = static_cast<int>(above);
  return state;
}

}  // namespace etude
