#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/status.h"
#include "storage/bundle.h"
#include "storage/stored_rows.h"

namespace etude {
namespace {

constexpr char kSelectSweep[] =
    "SELECT id, name, corpus, spec_toml, resolved_json, max_failed_runs, max_hours, state, reason, "
    "created_at_us, finished_at_us, paused, priority, weight FROM sweeps WHERE id = ?";
constexpr char kSelectRun[] =
    "SELECT key, config_json, state, reason, created_at_us, finished_at_us, has_result, val_loss, "
    "best_val_loss, best_step, train_eval_loss, test_loss, train_seconds, eval_seconds, "
    "tokens_per_s, device, weights_sha256, mixed_numerics FROM runs WHERE key = ?";
// Runs with whose steps a run's jobs began.
constexpr char kSelectParentRuns[] =
    "SELECT DISTINCT p.run FROM jobs j JOIN jobs p ON p.number = j.parent "
    "WHERE j.run = ? AND j.attempts > 0 ORDER BY p.run";
constexpr char kSelectJobs[] =
    "SELECT j.id, j.run, j.from_step, j.to_step, j.state, j.attempts, j.counted_failures, "
    "j.reason, p.id, j.number FROM jobs j LEFT JOIN jobs p ON p.number = j.parent "
    "WHERE j.run = ? AND j.attempts > 0 ORDER BY j.number";
constexpr char kSelectAttempts[] =
    "SELECT j.id, a.number, a.worker, a.start_step, a.outcome, a.reason, a.started_at_us, "
    "a.ended_at_us, a.numerics FROM attempts a JOIN jobs j ON j.number = a.job WHERE a.job = ? "
    "ORDER BY a.number";
constexpr char kSelectArtifacts[] =
    "SELECT name, sha256, bytes FROM attempt_artifacts WHERE job = ? AND attempt = ? "
    "ORDER BY ordinal";
constexpr char kSelectPoints[] =
    "SELECT series, step, value FROM loss_points WHERE job = ? AND attempt = ? "
    "ORDER BY series, step";
constexpr char kSelectCheckpoints[] =
    "SELECT j.id, c.attempt, c.kind, c.step, c.added_at_us FROM "
    "(SELECT job, attempt, kind, step, added_at_us FROM checkpoints "
    "UNION ALL SELECT job, attempt, 'branch', step, added_at_us FROM branch_points) c "
    "JOIN jobs j ON j.number = c.job WHERE c.job = ? ORDER BY c.attempt, c.step, c.kind";
// Of a run each of whose path's jobs was leased.
constexpr char kSelectPath[] =
    "SELECT s.run, s.ordinal, j.id, s.from_step, s.to_step FROM segments s "
    "JOIN jobs j ON j.number = s.job WHERE s.run = ?1 AND NOT EXISTS "
    "(SELECT 1 FROM segments t JOIN jobs k ON k.number = t.job WHERE t.run = ?1 "
    "AND k.attempts = 0) ORDER BY s.ordinal";
constexpr char kSelectFits[] =
    "SELECT sweep, family, sha256, fit_json, fitted_at_us FROM fits WHERE sweep = ?1 AND sha256 IN "
    "(SELECT fit_sha256 FROM predictions WHERE sweep = ?1) ORDER BY number";
constexpr char kSelectPredictions[] =
    "SELECT p.prediction_json, p.sha256, p.blind, p.frozen_at_us FROM predictions p "
    "JOIN sweep_runs r ON r.sweep = p.sweep AND r.run = p.run WHERE p.sweep = ? ORDER BY r.ordinal";

constexpr char kGivenBack[] = "the sweep was exported meanwhile";
constexpr char kOfAnother[] = "the sweep that trains it was not exported with this one";

absl::StatusOr<RunKey> KeyOfRow(const Statement& row) { return RunKey(row.Text(0)); }

absl::StatusOr<Segment> SegmentOfRow(const Statement& row) {
  return Segment{.run = RunKey(row.Text(0)),
                 .ordinal = row.Int(1),
                 .job = JobId(row.Text(2)),
                 .from = row.Integer(3),
                 .to = row.Integer(4)};
}

absl::StatusOr<LossPoint> PointOfRow(const Statement& row) {
  const std::optional<Series> series = SeriesFromNumber(row.Int(0));
  if (!series) return DataLoss("a loss point of no known series. Check it with: etude db verify");
  return LossPoint{*series, row.Integer(1), row.Real(2)};
}

class BundleReader {
 public:
  BundleReader(Database& database, std::int64_t now_us) : database_(database), now_us_(now_us) {}

  absl::StatusOr<Bundle> Read(const SweepId& sweep) {
    RETURN_IF_ERROR(ReadSweep(sweep));
    RETURN_IF_ERROR(ReadAllRuns());
    RETURN_IF_ERROR(ReadJobs());
    RETURN_IF_ERROR(ReadForecast());
    return std::move(bundle_);
  }

 private:
  struct NumberedJob {
    std::int64_t number = 0;
    BundledJob job;
  };

  absl::Status ReadSweep(const SweepId& id) {
    ASSIGN_OR_RETURN(Statement row, database_.Prepare(kSelectSweep));
    ASSIGN_OR_RETURN(const bool found, row.Bind(id.text()).Next());
    if (!found) return NotFound("no sweep " + id.Short() + ". See them with: etude sweep ls");
    ASSIGN_OR_RETURN(bundle_.sweep, SweepOf(row));
    RETURN_IF_ERROR(ReadRuns(database_, bundle_.sweep));
    ASSIGN_OR_RETURN(const std::vector<Corpus> corpora, StoredCorpora(database_));
    const auto corpus = std::find_if(corpora.begin(), corpora.end(), [&](const Corpus& one) {
      return one.id == bundle_.sweep.corpus;
    });
    if (corpus == corpora.end()) return DataLoss("its corpus is not stored");
    bundle_.corpus = *corpus;
    return absl::OkStatus();
  }

  // The sweep's, and all with whose steps they began, and these with others'.
  absl::Status ReadAllRuns() {
    std::vector<RunKey> keys = bundle_.sweep.runs;
    std::set<RunKey> seen(keys.begin(), keys.end());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys.size() > kMaxBundleRuns) return TooLarge("runs", kMaxBundleRuns);
      ASSIGN_OR_RETURN(Statement rows, database_.Prepare(kSelectParentRuns));
      ASSIGN_OR_RETURN(const std::vector<RunKey> parents,
                       AllOf<RunKey>(rows.Bind(keys[i].text()), KeyOfRow));
      for (const RunKey& parent : parents) {
        if (seen.insert(parent).second) keys.push_back(parent);
      }
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      RETURN_IF_ERROR(ReadRun(keys[i], i < bundle_.sweep.runs.size()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadRun(const RunKey& key, bool own) {
    ASSIGN_OR_RETURN(Statement row, database_.Prepare(kSelectRun));
    ASSIGN_OR_RETURN(const bool found, row.Bind(key.text()).Next());
    if (!found) return DataLoss("run " + key.text() + " is not stored");
    ASSIGN_OR_RETURN(Run run, RunOf(row));
    const bool open = !IsTerminal(run.state);
    if (open) run.state = own ? RunState::kQueued : RunState::kCancelled;
    if (open && !own) {
      run.reason = kOfAnother;
      run.finished_at_us = now_us_;
    }
    bundle_.runs.push_back(std::move(run));
    return absl::OkStatus();
  }

  absl::Status ReadJobs() {
    std::vector<NumberedJob> jobs;
    for (const Run& run : bundle_.runs) {
      ASSIGN_OR_RETURN(Statement rows, database_.Prepare(kSelectJobs));
      rows.Bind(run.key.text());
      for (;;) {
        ASSIGN_OR_RETURN(const bool more, rows.Next());
        if (!more) break;
        NumberedJob& job = jobs.emplace_back();
        job.number = rows.Integer(9);
        ASSIGN_OR_RETURN(job.job.job, JobOf(rows));
        GiveBack(run, job.job.job);
      }
      ASSIGN_OR_RETURN(Statement path, database_.Prepare(kSelectPath));
      ASSIGN_OR_RETURN(const std::vector<Segment> segments,
                       AllOf<Segment>(path.Bind(run.key.text()), SegmentOfRow));
      bundle_.segments.insert(bundle_.segments.end(), segments.begin(), segments.end());
    }
    std::sort(jobs.begin(), jobs.end(),
              [](const NumberedJob& a, const NumberedJob& b) { return a.number < b.number; });
    for (NumberedJob& job : jobs) {
      RETURN_IF_ERROR(ReadAttempts(job));
      RETURN_IF_ERROR(ReadCheckpoints(job));
      bundle_.jobs.push_back(std::move(job.job));
    }
    return absl::OkStatus();
  }

  static void GiveBack(const Run& run, Job& job) {
    if (IsTerminal(job.state)) return;
    job.state = IsTerminal(run.state) ? JobState::kCancelled : JobState::kQueued;
    if (IsTerminal(run.state)) job.reason = kOfAnother;
  }

  absl::Status ReadAttempts(NumberedJob& job) {
    ASSIGN_OR_RETURN(Statement rows, database_.Prepare(kSelectAttempts));
    ASSIGN_OR_RETURN(std::vector<Attempt> attempts,
                     AllOf<Attempt>(rows.Bind(job.number), AttemptOf));
    for (Attempt& attempt : attempts) {
      if (!attempt.outcome) {
        attempt.outcome = JobOutcome::kReleased;
        attempt.reason = kGivenBack;
        attempt.ended_at_us = now_us_;
      }
      const int number = attempt.number;
      BundledAttempt& bundled = job.job.attempts.emplace_back();
      bundled.attempt = std::move(attempt);
      ASSIGN_OR_RETURN(Statement files, database_.Prepare(kSelectArtifacts));
      ASSIGN_OR_RETURN(bundled.artifacts,
                       AllOf<ArtifactFile>(files.Bind(job.number, number), FileOf));
      ASSIGN_OR_RETURN(Statement points, database_.Prepare(kSelectPoints));
      ASSIGN_OR_RETURN(bundled.points,
                       AllOf<LossPoint>(points.Bind(job.number, number), PointOfRow));
      points_ += static_cast<std::int64_t>(bundled.points.size());
      if (points_ > kMaxBundlePoints) return TooLarge("loss points", kMaxBundlePoints);
    }
    return absl::OkStatus();
  }

  absl::Status ReadCheckpoints(NumberedJob& job) {
    ASSIGN_OR_RETURN(Statement rows, database_.Prepare(kSelectCheckpoints));
    rows.Bind(job.number);
    for (;;) {
      ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return absl::OkStatus();
      CheckpointAdded added;
      ASSIGN_OR_RETURN(added.checkpoint, CheckpointOf(rows));
      added.at_us = rows.Integer(4);
      const bool resume = added.checkpoint.kind == CheckpointKind::kResume;
      if (resume && IsTerminal(job.job.job.state)) continue;  // nobody resumes it there
      ASSIGN_OR_RETURN(added.checkpoint.files, CheckpointFiles(database_, added.checkpoint));
      job.job.checkpoints.push_back(std::move(added));
    }
  }

  absl::Status ReadForecast() {
    const std::string& sweep = bundle_.sweep.id.text();
    ASSIGN_OR_RETURN(Statement fits, database_.Prepare(kSelectFits));
    ASSIGN_OR_RETURN(bundle_.fits, AllOf<SweepFit>(fits.Bind(sweep), FitOf));
    ASSIGN_OR_RETURN(Statement predictions, database_.Prepare(kSelectPredictions));
    ASSIGN_OR_RETURN(bundle_.predictions,
                     AllOf<FrozenPrediction>(predictions.Bind(sweep), PredictionOf));
    return absl::OkStatus();
  }

  static absl::Status TooLarge(const std::string& what, std::int64_t limit) {
    return ResourceExhausted("the sweep has more than " + std::to_string(limit) + " " + what +
                             ", which is the most that a bundle holds. To move all that the "
                             "coordinator keeps: etude db backup DIR");
  }

  Database& database_;
  const std::int64_t now_us_;
  Bundle bundle_;
  std::int64_t points_ = 0;
};

}  // namespace

absl::StatusOr<Bundle> ReadBundle(Database& database, const SweepId& sweep, std::int64_t now_us) {
  ASSIGN_OR_RETURN(const Transaction snapshot, Transaction::Begin(database));
  return BundleReader(database, now_us).Read(sweep);
}

std::vector<ArtifactFile> FilesOf(const Bundle& bundle) {
  std::vector<ArtifactFile> files;
  std::set<std::string> seen;
  const auto add = [&](const std::vector<ArtifactFile>& more) {
    for (const ArtifactFile& file : more) {
      if (seen.insert(file.sha256).second) files.push_back(file);
    }
  };
  add(bundle.corpus.files);
  for (const BundledJob& job : bundle.jobs) {
    for (const BundledAttempt& attempt : job.attempts) add(attempt.artifacts);
    for (const CheckpointAdded& added : job.checkpoints) add(added.checkpoint.files);
  }
  return files;
}

}  // namespace etude
