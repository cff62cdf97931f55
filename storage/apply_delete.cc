#include "lib/base/status.h"
#include "storage/apply_change.h"

namespace etude {
namespace {

constexpr char kRememberAttempts[] =
    "INSERT INTO deleted_runs (run, attempts) SELECT run, max(attempts) FROM jobs WHERE run = ?1 "
    "GROUP BY run HAVING max(attempts) > 0 "
    "ON CONFLICT (run) DO UPDATE SET attempts = max(attempts, excluded.attempts)";
// Of one run, ?1. Points are many, so only their jobs are noted; files go with their checkpoints.
constexpr const char* kDeleteRun[] = {
    kRememberAttempts,
    "INSERT INTO deleted_jobs (job) SELECT number FROM jobs WHERE run = ?1",
    "DELETE FROM segments WHERE run = ?1",
    "DELETE FROM checkpoints WHERE job IN (SELECT number FROM jobs WHERE run = ?1)",
    "DELETE FROM branch_points WHERE job IN (SELECT number FROM jobs WHERE run = ?1)",
    "DELETE FROM attempt_artifacts WHERE job IN (SELECT number FROM jobs WHERE run = ?1)",
    "DELETE FROM attempts WHERE job IN (SELECT number FROM jobs WHERE run = ?1)",
    "UPDATE jobs SET parent = NULL WHERE run = ?1",
};
constexpr const char* kDeleteRunItself[] = {
    "DELETE FROM jobs WHERE run = ?1",
    "DELETE FROM runs WHERE key = ?1",
};
constexpr const char* kDeleteSweep[] = {
    "DELETE FROM predictions WHERE sweep = ?1",
    "DELETE FROM fits WHERE sweep = ?1",
    "DELETE FROM sweep_runs WHERE sweep = ?1",
    "DELETE FROM sweeps WHERE id = ?1",
};

template <std::size_t kCount>
absl::Status RunAll(Database& database, const char* const (&statements)[kCount],
                    const std::string& id) {
  for (const char* sql : statements) {
    ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
    RETURN_IF_ERROR(statement.Bind(id).Run());
  }
  return absl::OkStatus();
}

constexpr char kSelectDeleted[] = "SELECT job FROM deleted_jobs ORDER BY job LIMIT 1";
constexpr char kDeletePoints[] =
    "DELETE FROM loss_points WHERE (job, attempt, series, step) IN "
    "(SELECT job, attempt, series, step FROM loss_points WHERE job = ?1 LIMIT ?2)";
constexpr char kForget[] = "DELETE FROM deleted_jobs WHERE job = ?1";

}  // namespace

absl::Status DeleteSweep(Database& database, const SweepDeleted& change) {
  RETURN_IF_ERROR(RunAll(database, kDeleteSweep, change.sweep.text()));
  if (database.changes() != 1) return FailedPrecondition("it is not stored");
  // First what names jobs, of all runs: some started from others' branch points.
  for (const RunKey& run : change.runs) {
    RETURN_IF_ERROR(RunAll(database, kDeleteRun, run.text()));
  }
  for (const RunKey& run : change.runs) {
    RETURN_IF_ERROR(RunAll(database, kDeleteRunItself, run.text()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeletePoints(Database& database, int limit) {
  {
    ASSIGN_OR_RETURN(Statement any, database.Prepare(kSelectDeleted));
    ASSIGN_OR_RETURN(const bool found, any.Bind().Next());
    if (!found) return false;
  }
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  for (;;) {
    std::int64_t job = 0;
    {
      ASSIGN_OR_RETURN(Statement next, database.Prepare(kSelectDeleted));
      ASSIGN_OR_RETURN(const bool found, next.Bind().Next());
      if (!found) break;
      job = next.Integer(0);
    }
    ASSIGN_OR_RETURN(Statement points, database.Prepare(kDeletePoints));
    RETURN_IF_ERROR(points.Bind(job, limit).Run());
    const auto deleted = static_cast<int>(database.changes());
    limit -= deleted;
    if (limit <= 0) break;
    ASSIGN_OR_RETURN(Statement forget, database.Prepare(kForget));
    RETURN_IF_ERROR(forget.Bind(job).Run());
  }
  RETURN_IF_ERROR(transaction.Commit());
  return limit <= 0;
}

}  // namespace etude
