#include "storage/migrations.h"

#include <string>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::int64_t kApplicationId = 0x45747564;  // "Etud"

// Jobs have a number, their key wherever there are many rows: a loss point stays near 22 bytes.
// loss_points has no foreign key, since its writer checks the attempt once a batch instead of once
// a row; a NULL value is a NaN, and -0 is stored as 0. Runs, jobs and sweeps are numbered in the
// order they came.
constexpr char kVersion1[] = R"sql(
CREATE TABLE corpora (
  id              TEXT PRIMARY KEY,
  vocab           INTEGER NOT NULL,
  train_tokens    INTEGER NOT NULL,
  val_tokens      INTEGER NOT NULL,
  test_tokens     INTEGER NOT NULL,
  tokenizer       TEXT NOT NULL,
  chars_per_token REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE corpus_names (
  name        TEXT PRIMARY KEY CHECK (name <> ''),
  corpus      TEXT NOT NULL REFERENCES corpora (id),
  added_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE corpus_files (
  corpus  TEXT NOT NULL REFERENCES corpora (id),
  ordinal INTEGER NOT NULL,
  name    TEXT NOT NULL,
  sha256  TEXT NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (corpus, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweeps (
  number          INTEGER PRIMARY KEY,
  id              TEXT NOT NULL UNIQUE,
  name            TEXT NOT NULL UNIQUE,
  corpus          TEXT NOT NULL REFERENCES corpora (id),
  spec_toml       TEXT NOT NULL,
  resolved_json   TEXT NOT NULL,
  max_failed_runs INTEGER NOT NULL,
  max_hours       REAL NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('active', 'finished', 'cancelled')),
  reason          TEXT NOT NULL,
  created_at_us   INTEGER NOT NULL,
  finished_at_us  INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
  number          INTEGER PRIMARY KEY,
  key             TEXT NOT NULL UNIQUE,
  config_json     TEXT NOT NULL,
  state           TEXT NOT NULL
                  CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  reason          TEXT NOT NULL,
  created_at_us   INTEGER NOT NULL,
  finished_at_us  INTEGER NOT NULL,
  has_result      INTEGER NOT NULL CHECK (has_result IN (0, 1)),
  val_loss        REAL,
  best_val_loss   REAL,
  best_step       INTEGER,
  train_eval_loss REAL,
  test_loss       REAL,
  train_seconds   REAL,
  eval_seconds    REAL,
  tokens_per_s    REAL,
  device          TEXT,
  weights_sha256  TEXT,
  mixed_numerics  INTEGER
) STRICT;

CREATE TABLE sweep_runs (
  sweep   TEXT NOT NULL REFERENCES sweeps (id),
  ordinal INTEGER NOT NULL,
  run     TEXT NOT NULL REFERENCES runs (key),
  PRIMARY KEY (sweep, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX sweep_runs_by_run ON sweep_runs (run);

CREATE TABLE jobs (
  number           INTEGER PRIMARY KEY,
  id               TEXT NOT NULL UNIQUE,
  run              TEXT NOT NULL REFERENCES runs (key),
  from_step        INTEGER NOT NULL,
  to_step          INTEGER NOT NULL,
  state            TEXT NOT NULL
                   CHECK (state IN ('queued', 'leased', 'succeeded', 'failed', 'cancelled')),
  attempts         INTEGER NOT NULL,
  counted_failures INTEGER NOT NULL,
  reason           TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_by_run ON jobs (run);

CREATE TABLE segments (
  run       TEXT NOT NULL REFERENCES runs (key),
  ordinal   INTEGER NOT NULL,
  job       INTEGER NOT NULL REFERENCES jobs (number),
  from_step INTEGER NOT NULL,
  to_step   INTEGER NOT NULL,
  PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  job           INTEGER NOT NULL REFERENCES jobs (number),
  number        INTEGER NOT NULL CHECK (number >= 1),
  worker        TEXT NOT NULL,
  start_step    INTEGER NOT NULL,
  outcome       TEXT CHECK (outcome IN ('succeeded', 'diverged', 'out_of_memory', 'bad_input',
                                        'crashed', 'killed', 'released', 'superseded',
                                        'cancelled')),
  reason        TEXT NOT NULL,
  started_at_us INTEGER NOT NULL,
  ended_at_us   INTEGER NOT NULL,
  numerics      TEXT NOT NULL,
  PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt_artifacts (
  job     INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  name    TEXT NOT NULL,
  sha256  TEXT NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (job, attempt, ordinal),
  FOREIGN KEY (job, attempt) REFERENCES attempts (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE loss_points (
  job     INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  series  INTEGER NOT NULL,
  step    INTEGER NOT NULL,
  value   REAL,
  PRIMARY KEY (job, attempt, series, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  job         INTEGER NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('resume', 'last', 'best')),
  attempt     INTEGER NOT NULL,
  step        INTEGER NOT NULL,
  added_at_us INTEGER NOT NULL,
  PRIMARY KEY (job, kind),
  FOREIGN KEY (job, attempt) REFERENCES attempts (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint_files (
  job     INTEGER NOT NULL,
  kind    TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  name    TEXT NOT NULL,
  sha256  TEXT NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (job, kind, ordinal),
  FOREIGN KEY (job, kind) REFERENCES checkpoints (job, kind) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
  id               TEXT PRIMARY KEY,
  host             TEXT NOT NULL,
  device           TEXT NOT NULL,
  cpu              TEXT NOT NULL,
  software         TEXT NOT NULL,
  slots            INTEGER NOT NULL,
  threads_per_slot INTEGER NOT NULL,
  memory_bytes     INTEGER NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('online', 'draining', 'quarantined', 'offline')),
  reason           TEXT NOT NULL,
  registered_at_us INTEGER NOT NULL,
  last_seen_at_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Held-out runs, fits and predictions. A prediction is its JSON, the bytes that its hash was made
// from, so that nobody has to trust a second form of it.
constexpr char kVersion2[] = R"sql(
ALTER TABLE sweep_runs ADD COLUMN held_out INTEGER NOT NULL DEFAULT 0 CHECK (held_out IN (0, 1));

CREATE TABLE fits (
  number       INTEGER PRIMARY KEY,
  sweep        TEXT NOT NULL REFERENCES sweeps (id),
  family       TEXT NOT NULL CHECK (family IN ('transformer', 'lstm')),
  sha256       TEXT NOT NULL,
  fit_json     TEXT NOT NULL,
  fitted_at_us INTEGER NOT NULL,
  UNIQUE (sweep, family, sha256)
) STRICT;

CREATE TABLE predictions (
  sweep           TEXT NOT NULL,
  run             TEXT NOT NULL REFERENCES runs (key),
  family          TEXT NOT NULL,
  fit_sha256      TEXT NOT NULL,
  prediction_json TEXT NOT NULL,
  sha256          TEXT NOT NULL,
  blind           INTEGER NOT NULL CHECK (blind IN (0, 1)),
  frozen_at_us    INTEGER NOT NULL,
  PRIMARY KEY (sweep, run),
  FOREIGN KEY (sweep, family, fit_sha256) REFERENCES fits (sweep, family, sha256)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER predictions_are_frozen BEFORE UPDATE ON predictions
BEGIN SELECT RAISE(ABORT, 'a frozen prediction never changes'); END;
)sql";

// What a person may ask of a sweep and of a worker.
constexpr char kVersion3[] = R"sql(
ALTER TABLE sweeps ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));
ALTER TABLE sweeps ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sweeps ADD COLUMN weight REAL NOT NULL DEFAULT 1;
ALTER TABLE workers ADD COLUMN drained INTEGER NOT NULL DEFAULT 0 CHECK (drained IN (0, 1));
)sql";

// Trunk and branch: jobs that start from another one's branch point.
constexpr char kVersion4[] = R"sql(
ALTER TABLE jobs ADD COLUMN parent INTEGER REFERENCES jobs (number);

CREATE TABLE branch_points (
  job         INTEGER NOT NULL,
  step        INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  added_at_us INTEGER NOT NULL,
  PRIMARY KEY (job, step),
  FOREIGN KEY (job, attempt) REFERENCES attempts (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE branch_point_files (
  job     INTEGER NOT NULL,
  step    INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  name    TEXT NOT NULL,
  sha256  TEXT NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (job, step, ordinal),
  FOREIGN KEY (job, step) REFERENCES branch_points (job, step) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

// Every restore of a backup into this store, and the attempt number above which the attempts start
// that are made after it. A resume checkpoint is of use to a job that is not over, and to no other.
constexpr char kVersion5[] = R"sql(
CREATE TABLE restores (
  number         INTEGER PRIMARY KEY,
  attempts_above INTEGER NOT NULL,
  backed_up_at_us INTEGER NOT NULL,
  restored_at_us INTEGER NOT NULL
) STRICT;
DELETE FROM checkpoints WHERE kind = 'resume'
  AND job IN (SELECT number FROM jobs WHERE state NOT IN ('queued', 'leased'));
)sql";

// Jobs that were deleted and whose points go little by little; no new job takes their number.
constexpr char kVersion6[] = R"sql(
CREATE TABLE deleted_jobs (job INTEGER PRIMARY KEY) STRICT;
)sql";

// How fast kinds of workers train, see lib/scaling/training_rate.h.
constexpr char kVersion7[] = R"sql(
CREATE TABLE training_rates (
  worker_kind          TEXT NOT NULL,
  pace                 TEXT NOT NULL,
  family               TEXT NOT NULL,
  assumed_tokens_per_s REAL NOT NULL CHECK (assumed_tokens_per_s > 0),
  tokens_per_s         REAL NOT NULL CHECK (tokens_per_s > 0),
  runs                 INTEGER NOT NULL,
  PRIMARY KEY (worker_kind, pace)
) STRICT, WITHOUT ROWID;
)sql";

// The greatest attempt number of a run's deleted jobs: workers may still hold such an attempt.
constexpr char kVersion8[] = R"sql(
CREATE TABLE deleted_runs (
  run      TEXT PRIMARY KEY,
  attempts INTEGER NOT NULL CHECK (attempts >= 1)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kMigrations[] = {kVersion1, kVersion2, kVersion3, kVersion4,
                                       kVersion5, kVersion6, kVersion7, kVersion8};

constexpr char kReadVersion[] = "PRAGMA user_version";
constexpr char kReadApplication[] = "PRAGMA application_id";
constexpr char kCountTables[] = "SELECT count(*) FROM sqlite_schema";

absl::Status CheckOwner(Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t owner, database.ReadInteger(kReadApplication));
  if (owner == kApplicationId) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::int64_t tables, database.ReadInteger(kCountTables));
  if (owner == 0 && tables == 0) return absl::OkStatus();
  return FailedPrecondition(database.path() + ": it is another program's database, not a results " +
                            "store. Choose another state directory: etude up --state DIR");
}

absl::Status TooNew(const Database& database, std::int64_t version, std::size_t newest) {
  return FailedPrecondition(
      database.path() + ": the results store has schema version " + std::to_string(version) +
      ", newer than this program's " + std::to_string(newest) +
      ". Upgrade etude to the version that wrote it; etude --version shows this one");
}

}  // namespace

std::span<const char* const> Migrations() { return kMigrations; }

absl::Status Migrate(Database& database, std::span<const char* const> migrations) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  RETURN_IF_ERROR(CheckOwner(database));
  ASSIGN_OR_RETURN(const std::int64_t version, database.ReadInteger(kReadVersion));
  if (version < 0 || version > static_cast<std::int64_t>(migrations.size())) {
    return TooNew(database, version, migrations.size());
  }
  const auto done = static_cast<std::size_t>(version);
  if (done == migrations.size()) return absl::OkStatus();
  for (std::size_t i = done; i < migrations.size(); ++i) {
    RETURN_IF_ERROR(Annotate(database.Execute(migrations[i]),
                             "migrate the schema to version " + std::to_string(i + 1)));
  }
  RETURN_IF_ERROR(database.Execute("PRAGMA application_id = " + std::to_string(kApplicationId) +
                                   "; PRAGMA user_version = " + std::to_string(migrations.size())));
  return transaction.Commit();
}

absl::Status CheckSchemaVersion(Database& database) {
  RETURN_IF_ERROR(CheckOwner(database));
  ASSIGN_OR_RETURN(const std::int64_t version, database.ReadInteger(kReadVersion));
  const auto newest = static_cast<std::int64_t>(Migrations().size());
  if (version > newest) return TooNew(database, version, Migrations().size());
  if (version == newest) return absl::OkStatus();
  return FailedPrecondition(database.path() + ": the results store has the old schema version " +
                            std::to_string(version) +
                            ". The coordinator brings it up to date: etude up");
}

}  // namespace etude
