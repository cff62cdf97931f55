#include "storage/sqlite_results_reader.h"

#include <algorithm>

#include "lib/base/status.h"
#include "storage/migrations.h"
#include "storage/run_curve.h"
#include "storage/stored_rows.h"

namespace etude {
namespace {

constexpr std::size_t kMinPrefix = 4;  // characters of an id
constexpr std::size_t kIdLength = 64;  // hex digits of a whole id

absl::StatusOr<std::string> TextOf(const Statement& row) { return row.Text(0); }

// What a person typed, which is neither a name nor the prefix of one id.
absl::Status NoSuch(const std::string& noun, const std::string& text) {
  return NotFound("no " + noun + " is called or begins with \"" + text +
                  "\". See them with: etude " + noun + " ls");
}

bool IsIdPrefix(const std::string& text) {
  return text.size() >= kMinPrefix && text.size() <= kIdLength &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// `sql` selects at most two ids from ?1 up to, but without, ?2.
absl::StatusOr<std::string> ByPrefix(Database& database, const char* sql, const std::string& noun,
                                     const std::string& text) {
  if (!IsIdPrefix(text)) return NoSuch(noun, text);
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(sql));
  // 'g' follows every hex digit.
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   AllOf<std::string>(rows.Bind(text, text + "g"), TextOf));
  if (ids.empty()) return NoSuch(noun, text);
  if (ids.size() == 1) return ids[0];
  return InvalidArgument("\"" + text + "\" is ambiguous: " + noun + "s " + ids[0].substr(0, 16) +
                         " and " + ids[1].substr(0, 16) + " begin with it. Type more digits");
}

constexpr char kSelectRun[] =
    "SELECT key, config_json, state, reason, created_at_us, finished_at_us, has_result, val_loss, "
    "best_val_loss, best_step, train_eval_loss, test_loss, train_seconds, eval_seconds, "
    "tokens_per_s, device, weights_sha256, mixed_numerics FROM runs WHERE key = ?";

absl::StatusOr<Run> FindStoredRun(Database& database, const RunKey& key) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare(kSelectRun));
  ASSIGN_OR_RETURN(const bool found, row.Bind(key.text()).Next());
  if (!found) return NoSuch("run", key.text());
  return RunOf(row);
}

// The run's jobs: those made for it and those of other runs on its path.
constexpr char kSelectJobs[] =
    "SELECT j.id, j.run, j.from_step, j.to_step, j.state, j.attempts, j.counted_failures, "
    "j.reason, "
    "p.id FROM jobs j LEFT JOIN jobs p ON p.number = j.parent "
    "WHERE j.number IN (SELECT number FROM jobs WHERE run = ?1 "
    "UNION SELECT job FROM segments WHERE run = ?1) ORDER BY j.number";
constexpr char kCountAttempts[] =
    "SELECT count(*) FROM attempts WHERE job IN (SELECT number FROM jobs WHERE run = ?1 "
    "UNION SELECT job FROM segments WHERE run = ?1)";
constexpr char kSelectAttempts[] =
    "SELECT j.id, a.number, a.worker, a.start_step, a.outcome, a.reason, a.started_at_us, "
    "a.ended_at_us, a.numerics, a.job FROM attempts a JOIN jobs j ON j.number = a.job "
    "WHERE a.job IN (SELECT number FROM jobs WHERE run = ?1 "
    "UNION SELECT job FROM segments WHERE run = ?1) ORDER BY a.job, a.number";
constexpr char kSelectArtifacts[] =
    "SELECT name, sha256, bytes FROM attempt_artifacts WHERE job = ? AND attempt = ? "
    "ORDER BY ordinal";
constexpr char kSelectCheckpoints[] =
    "SELECT j.id, c.attempt, c.kind, c.step FROM "
    "(SELECT job, attempt, kind, step FROM checkpoints "
    "UNION ALL SELECT job, attempt, 'branch', step FROM branch_points) c "
    "JOIN jobs j ON j.number = c.job WHERE j.number IN (SELECT number FROM jobs WHERE run = ?1) "
    "ORDER BY c.job, c.step, c.kind";

absl::StatusOr<std::vector<ResultsReader::AttemptRow>> AttemptRows(Database& database,
                                                                   const RunKey& run) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectAttempts));
  ASSIGN_OR_RETURN(Statement files, database.Prepare(kSelectArtifacts));
  rows.Bind(run.text());
  std::vector<ResultsReader::AttemptRow> attempts;
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, rows.Next());
    if (!found) return attempts;
    ResultsReader::AttemptRow& row = attempts.emplace_back();
    ASSIGN_OR_RETURN(row.attempt, AttemptOf(rows));
    files.Bind(rows.Integer(9), row.attempt.number);
    ASSIGN_OR_RETURN(row.artifacts, AllOf<ArtifactFile>(files, FileOf));
  }
}

absl::StatusOr<RunStanding> StandingOf(Database& database, const RunKey& key) {
  RunStanding standing;
  ASSIGN_OR_RETURN(standing.run, FindStoredRun(database, key));
  ASSIGN_OR_RETURN(const std::vector<PathPart> path, PathOf(database, key));
  ASSIGN_OR_RETURN(const auto train, LastPoint(database, path, Series::kTrain));
  ASSIGN_OR_RETURN(const auto probe, LastPoint(database, path, Series::kValProbe));
  ASSIGN_OR_RETURN(const auto speed, LastPoint(database, path, Series::kTokensPerSecond));
  if (train) {
    standing.step = train->step;
    standing.train_loss = train->value;
  }
  if (probe) standing.val_probe = probe->value;
  if (speed) standing.tokens_per_s = speed->value;
  if (!path.empty()) standing.own_from = path.back().from;
  ASSIGN_OR_RETURN(Statement count, database.Prepare(kCountAttempts));
  ASSIGN_OR_RETURN(const bool counted, count.Bind(key.text()).Next());
  if (counted) standing.attempts = count.Int(0);
  return standing;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteResultsReader>> SqliteResultsReader::Open(
    const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                   Database::Open(path, Database::Access::kReadOnly));
  RETURN_IF_ERROR(CheckSchemaVersion(*database));
  return std::unique_ptr<SqliteResultsReader>(new SqliteResultsReader(std::move(database)));
}

template <typename Query>
auto SqliteResultsReader::Read(Query query) {
  using Answer = decltype(query(*database_));
  const MutexLock lock(mutex_);
  absl::StatusOr<Transaction> snapshot = Transaction::Begin(*database_);
  return snapshot.ok() ? query(*database_) : Answer(snapshot.status());
}

absl::StatusOr<std::vector<Corpus>> SqliteResultsReader::Corpora() {
  return Read([](Database& database) { return StoredCorpora(database); });
}

absl::StatusOr<std::vector<Worker>> SqliteResultsReader::Workers() {
  return Read([](Database& database) { return StoredWorkers(database); });
}

constexpr char kSelectSweeps[] =
    "SELECT id, name, corpus, '', '', max_failed_runs, max_hours, state, reason, created_at_us, "
    "finished_at_us, paused, priority, weight FROM sweeps ORDER BY number";

absl::StatusOr<std::vector<Sweep>> SqliteResultsReader::Sweeps() {
  return Read([](Database& database) -> absl::StatusOr<std::vector<Sweep>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectSweeps));
    ASSIGN_OR_RETURN(std::vector<Sweep> sweeps, AllOf<Sweep>(rows, SweepOf));
    for (Sweep& sweep : sweeps) {
      RETURN_IF_ERROR(ReadRuns(database, sweep));
    }
    return sweeps;
  });
}

constexpr char kSelectCorpusIds[] =
    "SELECT DISTINCT corpus FROM corpus_names WHERE corpus >= ? AND corpus < ? ORDER BY corpus "
    "LIMIT 2";

absl::StatusOr<Corpus> SqliteResultsReader::FindCorpus(const std::string& text) {
  return Read([&](Database& database) -> absl::StatusOr<Corpus> {
    ASSIGN_OR_RETURN(std::vector<Corpus> corpora, StoredCorpora(database));
    for (Corpus& corpus : corpora) {
      if (corpus.name == text) return std::move(corpus);
    }
    ASSIGN_OR_RETURN(const std::string id, ByPrefix(database, kSelectCorpusIds, "corpus", text));
    const auto named = std::find_if(corpora.begin(), corpora.end(),
                                    [&](const Corpus& one) { return one.id.text() == id; });
    ENSURE(named != corpora.end());
    return std::move(*named);
  });
}

constexpr char kSelectSweep[] =
    "SELECT id, name, corpus, spec_toml, resolved_json, max_failed_runs, max_hours, state, reason, "
    "created_at_us, finished_at_us, paused, priority, weight FROM sweeps WHERE id = ?";
constexpr char kSelectSweepNamed[] = "SELECT id FROM sweeps WHERE name = ?";
constexpr char kSelectSweepIds[] =
    "SELECT id FROM sweeps WHERE id >= ? AND id < ? ORDER BY id LIMIT 2";

namespace {

absl::StatusOr<std::string> FindSweepId(Database& database, const std::string& text) {
  ASSIGN_OR_RETURN(Statement named, database.Prepare(kSelectSweepNamed));
  ASSIGN_OR_RETURN(const bool found, named.Bind(text).Next());
  if (found) return named.Text(0);
  return ByPrefix(database, kSelectSweepIds, "sweep", text);
}

}  // namespace

absl::StatusOr<Sweep> SqliteResultsReader::FindSweepHead(const std::string& text) {
  return Read([&](Database& database) -> absl::StatusOr<Sweep> {
    Sweep sweep;
    ASSIGN_OR_RETURN(std::string id, FindSweepId(database, text));
    sweep.id = SweepId(std::move(id));
    RETURN_IF_ERROR(ReadHeldOut(database, sweep));
    return sweep;
  });
}

absl::StatusOr<Sweep> SqliteResultsReader::FindSweep(const std::string& text) {
  return Read([&](Database& database) -> absl::StatusOr<Sweep> {
    ASSIGN_OR_RETURN(const std::string id, FindSweepId(database, text));
    ASSIGN_OR_RETURN(Statement row, database.Prepare(kSelectSweep));
    ASSIGN_OR_RETURN(const bool there, row.Bind(id).Next());
    if (!there) return NoSuch("sweep", text);
    ASSIGN_OR_RETURN(Sweep sweep, SweepOf(row));
    RETURN_IF_ERROR(ReadRuns(database, sweep));
    return sweep;
  });
}

constexpr char kSelectRunIds[] =
    "SELECT key FROM runs WHERE key >= ? AND key < ? ORDER BY key LIMIT 2";

absl::StatusOr<RunKey> SqliteResultsReader::FindRun(const std::string& text) {
  return Read([&](Database& database) -> absl::StatusOr<RunKey> {
    ASSIGN_OR_RETURN(std::string key, ByPrefix(database, kSelectRunIds, "run", text));
    return RunKey(std::move(key));
  });
}

constexpr char kSelectRunKeys[] = "SELECT key FROM runs ORDER BY number LIMIT ? OFFSET ?";
constexpr char kSelectRunKeysOfSweep[] =
    "SELECT run FROM sweep_runs WHERE sweep = ? ORDER BY ordinal LIMIT ? OFFSET ?";
constexpr char kSelectSweepWithId[] = "SELECT 1 FROM sweeps WHERE id = ?";

absl::StatusOr<std::vector<RunStanding>> SqliteResultsReader::Standings(const SweepId& sweep,
                                                                        int offset, int limit) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<RunStanding>> {
    ASSIGN_OR_RETURN(Statement known, database.Prepare(kSelectSweepWithId));
    ASSIGN_OR_RETURN(const bool found, known.Bind(sweep.text()).Next());
    if (!found && !sweep.empty()) return NoSuch("sweep", sweep.text());
    ASSIGN_OR_RETURN(Statement rows,
                     database.Prepare(sweep.empty() ? kSelectRunKeys : kSelectRunKeysOfSweep));
    if (sweep.empty()) {
      rows.Bind(limit, offset);
    } else {
      rows.Bind(sweep.text(), limit, offset);
    }
    ASSIGN_OR_RETURN(const std::vector<std::string> keys, AllOf<std::string>(rows, TextOf));
    std::vector<RunStanding> standings;
    for (const std::string& key : keys) {
      ASSIGN_OR_RETURN(RunStanding standing, StandingOf(database, RunKey(key)));
      standings.push_back(std::move(standing));
    }
    return standings;
  });
}

absl::StatusOr<RunStanding> SqliteResultsReader::Standing(const RunKey& run) {
  return Read([&](Database& database) { return StandingOf(database, run); });
}

absl::StatusOr<std::vector<Job>> SqliteResultsReader::JobsOf(const RunKey& run) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<Job>> {
    RETURN_IF_ERROR(FindStoredRun(database, run).status());
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectJobs));
    return AllOf<Job>(rows.Bind(run.text()), JobOf);
  });
}

absl::StatusOr<std::vector<ResultsReader::AttemptRow>> SqliteResultsReader::AttemptsOf(
    const RunKey& run) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<AttemptRow>> {
    RETURN_IF_ERROR(FindStoredRun(database, run).status());
    return AttemptRows(database, run);
  });
}

constexpr char kSelectSpans[] =
    "SELECT j.run, a.started_at_us, a.ended_at_us FROM sweep_runs s JOIN jobs j ON j.run = s.run "
    "JOIN attempts a ON a.job = j.number WHERE s.sweep = ? AND a.outcome IS NOT NULL "
    "ORDER BY a.started_at_us, a.job, a.number";

absl::StatusOr<AttemptSpan> SpanOf(const Statement& row) {
  return AttemptSpan{
      .run = RunKey(row.Text(0)), .started_at_us = row.Integer(1), .ended_at_us = row.Integer(2)};
}

absl::StatusOr<std::vector<AttemptSpan>> SqliteResultsReader::SpansOf(const SweepId& sweep) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<AttemptSpan>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectSpans));
    return AllOf<AttemptSpan>(rows.Bind(sweep.text()), SpanOf);
  });
}

absl::StatusOr<std::vector<Checkpoint>> SqliteResultsReader::CheckpointsOf(const RunKey& run) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<Checkpoint>> {
    RETURN_IF_ERROR(FindStoredRun(database, run).status());
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectCheckpoints));
    ASSIGN_OR_RETURN(std::vector<Checkpoint> checkpoints,
                     AllOf<Checkpoint>(rows.Bind(run.text()), CheckpointOf));
    for (Checkpoint& checkpoint : checkpoints) {
      ASSIGN_OR_RETURN(checkpoint.files, CheckpointFiles(database, checkpoint));
    }
    return checkpoints;
  });
}

constexpr char kSelectSweepNames[] =
    "SELECT name FROM sweeps WHERE id IN (SELECT sweep FROM sweep_runs WHERE run = ?) "
    "ORDER BY number";

absl::StatusOr<std::vector<std::string>> SqliteResultsReader::SweepNamesOf(const RunKey& run) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<std::string>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectSweepNames));
    return AllOf<std::string>(rows.Bind(run.text()), TextOf);
  });
}

absl::StatusOr<std::vector<LossPoint>> SqliteResultsReader::Curve(const RunKey& run,
                                                                  const std::vector<Series>& series,
                                                                  std::int64_t after_step,
                                                                  int limit) {
  if (limit < 1) return InvalidArgument("curve: the limit must be at least 1");
  return Read([&](Database& database) -> absl::StatusOr<std::vector<LossPoint>> {
    RETURN_IF_ERROR(FindStoredRun(database, run).status());
    ASSIGN_OR_RETURN(const std::vector<PathPart> path, PathOf(database, run));
    return CurveOf(database, path, series.empty() ? OpenSeries() : series, after_step, limit);
  });
}

constexpr char kSelectPredictions[] =
    "SELECT p.prediction_json, p.sha256, p.blind, p.frozen_at_us FROM predictions p "
    "JOIN sweep_runs r ON r.sweep = p.sweep AND r.run = p.run WHERE p.sweep = ? ORDER BY r.ordinal";

absl::StatusOr<std::vector<FrozenPrediction>> SqliteResultsReader::PredictionsOf(
    const SweepId& sweep) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<FrozenPrediction>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectPredictions));
    return AllOf<FrozenPrediction>(rows.Bind(sweep.text()), PredictionOf);
  });
}

constexpr char kSelectFits[] =
    "SELECT sweep, family, sha256, fit_json, fitted_at_us FROM fits WHERE sweep = ? "
    "ORDER BY number DESC";

absl::StatusOr<std::vector<SweepFit>> SqliteResultsReader::FitsOf(const SweepId& sweep) {
  return Read([&](Database& database) -> absl::StatusOr<std::vector<SweepFit>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectFits));
    return AllOf<SweepFit>(rows.Bind(sweep.text()), FitOf);
  });
}

constexpr char kSelectBlobs[] =
    "SELECT sha256 FROM corpus_files UNION SELECT sha256 FROM attempt_artifacts "
    "UNION SELECT sha256 FROM checkpoint_files UNION SELECT sha256 FROM branch_point_files "
    "UNION SELECT weights_sha256 FROM runs WHERE weights_sha256 <> '' ORDER BY 1";

absl::StatusOr<std::vector<std::string>> SqliteResultsReader::ReferencedBlobs() {
  return Read([](Database& database) -> absl::StatusOr<std::vector<std::string>> {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectBlobs));
    return AllOf<std::string>(rows, TextOf);
  });
}

}  // namespace etude
