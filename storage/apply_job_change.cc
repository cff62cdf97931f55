#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/base/status.h"
#include "storage/apply_change.h"

namespace etude {
namespace {

struct StoredJob {
  std::int64_t number = 0;  // its key in other tables
  JobState state = JobState::kQueued;
  int attempts = 0;
};

constexpr char kSelectJob[] = "SELECT number, state, attempts FROM jobs WHERE id = ?";

absl::StatusOr<StoredJob> FindJob(Database& database, const JobId& id) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare(kSelectJob));
  ASSIGN_OR_RETURN(const bool found, row.Bind(id.text()).Next());
  if (!found) return FailedPrecondition("job " + id.text() + " is not stored");
  const std::optional<JobState> state = JobStateFromName(row.Text(1));
  if (!state) return DataLoss("its stored state is unknown. Check it with: etude db verify");
  return StoredJob{.number = row.Integer(0), .state = *state, .attempts = row.Int(2)};
}

struct NewestAttempt {
  int number = 0;  // 0: there is none
  bool live = false;
};

constexpr char kSelectNewestAttempt[] =
    "SELECT number, outcome FROM attempts WHERE job = ? ORDER BY number DESC LIMIT 1";

absl::StatusOr<NewestAttempt> FindNewestAttempt(Database& database, std::int64_t job) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare(kSelectNewestAttempt));
  ASSIGN_OR_RETURN(const bool found, row.Bind(job).Next());
  if (!found) return NewestAttempt{};
  return NewestAttempt{.number = row.Int(0), .live = row.IsNull(1)};
}

// The fence: only a job's newest attempt may write, and only while it lives. Returns the job's
// number.
absl::StatusOr<std::int64_t> CheckFence(Database& database, const JobId& id, int attempt) {
  ASSIGN_OR_RETURN(const StoredJob job, FindJob(database, id));
  ASSIGN_OR_RETURN(const NewestAttempt newest, FindNewestAttempt(database, job.number));
  if (newest.number != attempt) {
    return FailedPrecondition("superseded: the newest attempt is " + std::to_string(newest.number));
  }
  if (!newest.live) return FailedPrecondition("the attempt has ended");
  return job.number;
}

}  // namespace

namespace {

constexpr char kSelectNextJob[] =
    "SELECT 1 + max((SELECT coalesce(max(number), 0) FROM jobs), "
    "(SELECT coalesce(max(job), 0) FROM deleted_jobs))";
constexpr char kInsertJob[] =
    "INSERT INTO jobs (number, id, run, from_step, to_step, state, attempts, counted_failures, "
    "reason, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr char kInsertSegment[] =
    "INSERT INTO segments (run, ordinal, job, from_step, to_step) VALUES (?, ?, ?, ?, ?)";

// The numbers of jobs, those being added without a look into the store.
class JobNumbers {
 public:
  explicit JobNumbers(Database& database) : database_(database) {}

  void Add(const JobId& job, std::int64_t number) { added_.emplace(job.text(), number); }
  absl::StatusOr<std::int64_t> Find(const JobId& job) const {
    const auto added = added_.find(job.text());
    if (added != added_.end()) return added->second;
    ASSIGN_OR_RETURN(const StoredJob stored, FindJob(database_, job));
    return stored.number;
  }

 private:
  Database& database_;
  std::unordered_map<std::string_view, std::int64_t> added_;
};

}  // namespace

absl::Status AddJobs(Database& database, std::span<const Job> jobs,
                     std::span<const Segment> segments) {
  ASSIGN_OR_RETURN(std::int64_t number, database.ReadInteger(kSelectNextJob));
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertJob));
  JobNumbers numbers(database);
  for (const Job& job : jobs) {
    std::optional<std::int64_t> parent;
    if (!job.parent.empty()) {
      ASSIGN_OR_RETURN(parent, numbers.Find(job.parent));
    }
    insert.Bind(number, job.id.text(), job.run.text(), job.from, job.to, JobStateName(job.state),
                job.attempts, job.counted_failures, job.reason, parent);
    const absl::Status inserted = insert.Run();
    if (!inserted.ok()) return Annotate(inserted, "job " + job.id.text());
    numbers.Add(job.id, number++);
  }
  ASSIGN_OR_RETURN(Statement insert_segment, database.Prepare(kInsertSegment));
  for (const Segment& segment : segments) {
    ASSIGN_OR_RETURN(const std::int64_t job, numbers.Find(segment.job));
    insert_segment.Bind(segment.run.text(), segment.ordinal, job, segment.from, segment.to);
    const absl::Status inserted = insert_segment.Run();
    if (inserted.ok()) continue;
    return Annotate(
        inserted, "segment " + std::to_string(segment.ordinal) + " of run " + segment.run.Short());
  }
  return absl::OkStatus();
}

constexpr char kDeleteResume[] = "DELETE FROM checkpoints WHERE job = ? AND kind = 'resume'";
constexpr char kUpdateJob[] =
    "UPDATE jobs SET state = ?, attempts = ?, counted_failures = ?, reason = ? WHERE number = ?";

absl::Status ChangeJob(Database& database, const JobChanged& change) {
  const Job& job = change.job;
  ASSIGN_OR_RETURN(const StoredJob stored, FindJob(database, job.id));
  if (IsTerminal(stored.state) && job.state != stored.state) {
    return FailedPrecondition("it is " + std::string(JobStateName(stored.state)) +
                              " for ever and cannot become " +
                              std::string(JobStateName(job.state)));
  }
  if (job.attempts < stored.attempts) {
    return FailedPrecondition("it has had " + std::to_string(stored.attempts) + " attempts, not " +
                              std::to_string(job.attempts));
  }
  ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateJob));
  update.Bind(JobStateName(job.state), job.attempts, job.counted_failures, job.reason,
              stored.number);
  RETURN_IF_ERROR(update.Run());
  if (!IsTerminal(job.state)) return absl::OkStatus();
  // Nobody resumes it any more, and its blobs go.
  ASSIGN_OR_RETURN(Statement drop, database.Prepare(kDeleteResume));
  return drop.Bind(stored.number).Run();
}

constexpr char kDeletePath[] = "DELETE FROM segments WHERE run = ?";
// Of jobs that no run's path needs any more, this run's.
constexpr char kDeleteOffPath[] =
    "DELETE FROM checkpoints WHERE job IN (SELECT number FROM jobs WHERE run = ?1) "
    "AND job NOT IN (SELECT job FROM segments)";

absl::Status ReplacePath(Database& database, const JobAdded& change) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeletePath));
  RETURN_IF_ERROR(remove.Bind(change.job.run.text()).Run());
  RETURN_IF_ERROR(AddJobs(database, {&change.job, 1}, change.path));
  ASSIGN_OR_RETURN(Statement drop, database.Prepare(kDeleteOffPath));
  return drop.Bind(change.job.run.text()).Run();
}

absl::Status ReplacePaths(Database& database, const std::vector<Segment>& paths) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeletePath));
  for (const Segment& segment : paths) {
    if (segment.ordinal > 0) continue;
    remove.Bind(segment.run.text());
    RETURN_IF_ERROR(remove.Run());
  }
  return AddJobs(database, {}, paths);
}

namespace {

constexpr char kSupersede[] =
    "UPDATE attempts SET outcome = 'superseded', reason = ?, ended_at_us = ? "
    "WHERE job = ? AND outcome IS NULL";
constexpr char kDeletePointsAfter[] =
    "DELETE FROM loss_points WHERE job = ? AND attempt < ? AND step > ?";
constexpr char kDeleteCheckpointsAfter[] = "DELETE FROM checkpoints WHERE job = ? AND step > ?";
constexpr char kInsertAttempt[] =
    "INSERT INTO attempts (job, number, worker, start_step, outcome, reason, started_at_us, "
    "ended_at_us, numerics) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr char kCountAttempt[] = "UPDATE jobs SET attempts = max(attempts, ?) WHERE number = ?";

// What earlier attempts left after the new one's start will be trained again. A checkpoint from
// there would be one without its points.
absl::Status Truncate(Database& database, std::int64_t job, const Attempt& attempt) {
  ASSIGN_OR_RETURN(Statement points, database.Prepare(kDeletePointsAfter));
  RETURN_IF_ERROR(points.Bind(job, attempt.number, attempt.start_step).Run());
  ASSIGN_OR_RETURN(Statement checkpoints, database.Prepare(kDeleteCheckpointsAfter));
  return checkpoints.Bind(job, attempt.start_step).Run();
}

absl::Status InsertAttempt(Database& database, std::int64_t job, const Attempt& attempt) {
  std::optional<std::string_view> outcome;
  if (attempt.outcome) outcome = JobOutcomeName(*attempt.outcome);
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertAttempt));
  insert.Bind(job, attempt.number, attempt.worker.text(), attempt.start_step, outcome,
              attempt.reason, attempt.started_at_us, attempt.ended_at_us, attempt.numerics);
  return insert.Run();
}

}  // namespace

absl::Status StartAttempt(Database& database, const AttemptStarted& change) {
  const Attempt& attempt = change.attempt;
  ASSIGN_OR_RETURN(const StoredJob job, FindJob(database, attempt.job));
  if (IsTerminal(job.state)) {
    return FailedPrecondition("the job is " + std::string(JobStateName(job.state)) + " for ever");
  }
  ASSIGN_OR_RETURN(const NewestAttempt newest, FindNewestAttempt(database, job.number));
  if (attempt.number <= newest.number) {
    return FailedPrecondition("there is attempt " + std::to_string(newest.number) + " already");
  }
  ASSIGN_OR_RETURN(Statement supersede, database.Prepare(kSupersede));
  const std::string reason = "attempt " + std::to_string(attempt.number) + " started";
  RETURN_IF_ERROR(supersede.Bind(reason, attempt.started_at_us, job.number).Run());
  RETURN_IF_ERROR(Truncate(database, job.number, attempt));
  RETURN_IF_ERROR(InsertAttempt(database, job.number, attempt));
  ASSIGN_OR_RETURN(Statement count, database.Prepare(kCountAttempt));
  return count.Bind(attempt.number, job.number).Run();
}

constexpr char kEndAttempt[] =
    "UPDATE attempts SET outcome = ?1, reason = ?2, "
    "numerics = CASE WHEN ?3 = '' THEN numerics ELSE ?3 END, ended_at_us = ?4 "
    "WHERE job = ?5 AND number = ?6";
constexpr char kInsertArtifact[] =
    "INSERT INTO attempt_artifacts (job, attempt, ordinal, name, sha256, bytes) "
    "VALUES (?, ?, ?, ?, ?, ?)";

absl::Status EndAttempt(Database& database, const AttemptEnded& change) {
  ASSIGN_OR_RETURN(const std::int64_t job, CheckFence(database, change.job, change.attempt));
  ASSIGN_OR_RETURN(Statement update, database.Prepare(kEndAttempt));
  update.Bind(JobOutcomeName(change.outcome), change.reason, change.numerics, change.ended_at_us,
              job, change.attempt);
  RETURN_IF_ERROR(update.Run());
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertArtifact));
  int ordinal = 0;
  for (const ArtifactFile& file : change.artifacts) {
    insert.Bind(job, change.attempt, ordinal++, file.name, file.sha256, file.bytes);
    RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

constexpr char kInsertPoint[] =
    "INSERT INTO loss_points (job, attempt, series, step, value) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING";

absl::Status AddPoints(Database& database, const PointsAdded& change) {
  ASSIGN_OR_RETURN(const std::int64_t job, CheckFence(database, change.job, change.attempt));
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertPoint));
  for (const LossPoint& point : change.points) {
    insert.Bind(job, change.attempt, static_cast<int>(point.series), point.step, point.value);
    RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

constexpr char kSelectCheckpointStep[] = "SELECT step FROM checkpoints WHERE job = ? AND kind = ?";
constexpr char kDeleteCheckpoint[] = "DELETE FROM checkpoints WHERE job = ? AND kind = ?";
constexpr char kInsertCheckpoint[] =
    "INSERT INTO checkpoints (job, kind, attempt, step, added_at_us) VALUES (?, ?, ?, ?, ?)";
constexpr char kInsertCheckpointFile[] =
    "INSERT INTO checkpoint_files (job, kind, ordinal, name, sha256, bytes) "
    "VALUES (?, ?, ?, ?, ?, ?)";

constexpr char kDeleteBranchPoint[] = "DELETE FROM branch_points WHERE job = ? AND step = ?";
constexpr char kInsertBranchPoint[] =
    "INSERT INTO branch_points (job, step, attempt, added_at_us) VALUES (?, ?, ?, ?)";
constexpr char kInsertBranchFile[] =
    "INSERT INTO branch_point_files (job, step, ordinal, name, sha256, bytes) "
    "VALUES (?, ?, ?, ?, ?, ?)";

absl::Status DropCheckpoint(Database& database, const CheckpointLost& change) {
  ASSIGN_OR_RETURN(const StoredJob job, FindJob(database, change.job));
  const bool branch = change.kind == CheckpointKind::kBranch;
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(branch ? kDeleteBranchPoint : kDeleteResume));
  if (branch) {
    remove.Bind(job.number, change.step);
  } else {
    remove.Bind(job.number);
  }
  return remove.Run();
}

absl::Status AddBranchPoint(Database& database, std::int64_t job, const CheckpointAdded& change) {
  const Checkpoint& checkpoint = change.checkpoint;
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeleteBranchPoint));
  RETURN_IF_ERROR(remove.Bind(job, checkpoint.step).Run());
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertBranchPoint));
  insert.Bind(job, checkpoint.step, checkpoint.attempt, change.at_us);
  RETURN_IF_ERROR(insert.Run());
  ASSIGN_OR_RETURN(Statement insert_file, database.Prepare(kInsertBranchFile));
  int ordinal = 0;
  for (const ArtifactFile& file : checkpoint.files) {
    insert_file.Bind(job, checkpoint.step, ordinal++, file.name, file.sha256, file.bytes);
    RETURN_IF_ERROR(insert_file.Run());
  }
  return absl::OkStatus();
}

absl::Status AddCheckpoint(Database& database, const CheckpointAdded& change) {
  const Checkpoint& checkpoint = change.checkpoint;
  ASSIGN_OR_RETURN(const std::int64_t job,
                   CheckFence(database, checkpoint.job, checkpoint.attempt));
  if (checkpoint.kind == CheckpointKind::kBranch) return AddBranchPoint(database, job, change);
  const std::string_view kind = CheckpointKindName(checkpoint.kind);
  {
    ASSIGN_OR_RETURN(Statement stored, database.Prepare(kSelectCheckpointStep));
    ASSIGN_OR_RETURN(const bool found, stored.Bind(job, kind).Next());
    // A late repetition of an older one.
    if (found && stored.Integer(0) > checkpoint.step) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeleteCheckpoint));
  RETURN_IF_ERROR(remove.Bind(job, kind).Run());
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertCheckpoint));
  insert.Bind(job, kind, checkpoint.attempt, checkpoint.step, change.at_us);
  RETURN_IF_ERROR(insert.Run());
  ASSIGN_OR_RETURN(Statement insert_file, database.Prepare(kInsertCheckpointFile));
  int ordinal = 0;
  for (const ArtifactFile& file : checkpoint.files) {
    insert_file.Bind(job, kind, ordinal++, file.name, file.sha256, file.bytes);
    RETURN_IF_ERROR(insert_file.Run());
  }
  return absl::OkStatus();
}

}  // namespace etude
