#include "storage/stored_rows.h"

#include <optional>

#include "lib/base/hash.h"

namespace etude {
namespace {

absl::Status Strange(const std::string& what, const std::string& text) {
  return DataLoss("the results store holds an unknown " + what + " \"" + text +
                  "\". Check it with: etude db verify");
}

template <typename Enum>
absl::Status ReadName(const Statement& row, int column, const std::string& what,
                      std::optional<Enum> (*from_name)(std::string_view), Enum& target) {
  const std::string name = row.Text(column);
  const std::optional<Enum> value = from_name(name);
  if (!value) return Strange(what, name);
  target = *value;
  return absl::OkStatus();
}

RunResult ResultOf(const Statement& row, int first) {
  return {.val_loss = row.Real(first),
          .best_val_loss = row.Real(first + 1),
          .best_step = row.Integer(first + 2),
          .train_eval_loss = row.Real(first + 3),
          .test_loss = row.Real(first + 4),
          .train_seconds = row.Real(first + 5),
          .eval_seconds = row.Real(first + 6),
          .tokens_per_s = row.Real(first + 7),
          .device = row.Text(first + 8),
          .weights_sha256 = row.Text(first + 9),
          .mixed_numerics = row.Integer(first + 10) != 0};
}

absl::StatusOr<Corpus> CorpusOf(const Statement& row) {
  Corpus corpus;
  corpus.id = CorpusId(row.Text(0));
  corpus.name = row.Text(1);
  corpus.vocab = row.Int(2);
  corpus.train_tokens = row.Integer(3);
  corpus.val_tokens = row.Integer(4);
  corpus.test_tokens = row.Integer(5);
  corpus.tokenizer = row.Text(6);
  corpus.chars_per_token = row.Real(7);
  return corpus;
}

absl::StatusOr<Worker> WorkerOf(const Statement& row) {
  Worker worker;
  worker.id = WorkerId(row.Text(0));
  worker.host = row.Text(1);
  worker.device = row.Text(2);
  worker.cpu = row.Text(3);
  worker.software = row.Text(4);
  worker.slots = row.Int(5);
  worker.threads_per_slot = row.Int(6);
  worker.memory_bytes = row.Integer(7);
  RETURN_IF_ERROR(ReadName<WorkerState>(row, 8, "worker state", WorkerStateFromName, worker.state));
  worker.reason = row.Text(9);
  worker.registered_at_us = row.Integer(10);
  worker.last_seen_at_us = row.Integer(11);
  worker.drained = row.Integer(12) != 0;
  return worker;
}

absl::StatusOr<RunKey> RunKeyOf(const Statement& row) { return RunKey(row.Text(0)); }

}  // namespace

absl::StatusOr<Sweep> SweepOf(const Statement& row) {
  Sweep sweep;
  sweep.id = SweepId(row.Text(0));
  sweep.name = row.Text(1);
  sweep.corpus = CorpusId(row.Text(2));
  sweep.spec_toml = row.Text(3);
  sweep.resolved_json = row.Text(4);
  sweep.max_failed_runs = row.Int(5);
  sweep.max_hours = row.Real(6);
  RETURN_IF_ERROR(ReadName<SweepState>(row, 7, "sweep state", SweepStateFromName, sweep.state));
  sweep.reason = row.Text(8);
  sweep.created_at_us = row.Integer(9);
  sweep.finished_at_us = row.Integer(10);
  sweep.paused = row.Integer(11) != 0;
  sweep.priority = row.Int(12);
  sweep.weight = row.Real(13);
  return sweep;
}

absl::StatusOr<Run> RunOf(const Statement& row) {
  Run run;
  run.key = RunKey(row.Text(0));
  absl::StatusOr<RunConfig> config = RunConfigFromJson(row.Text(1));
  if (!config.ok()) return Strange("config of run " + run.key.text(), MessageOf(config.status()));
  run.config = *std::move(config);
  RETURN_IF_ERROR(ReadName<RunState>(row, 2, "run state", RunStateFromName, run.state));
  run.reason = row.Text(3);
  run.created_at_us = row.Integer(4);
  run.finished_at_us = row.Integer(5);
  if (row.Integer(6) != 0) run.result = ResultOf(row, 7);
  return run;
}

absl::StatusOr<Job> JobOf(const Statement& row) {
  Job job;
  job.id = JobId(row.Text(0));
  job.run = RunKey(row.Text(1));
  job.from = row.Integer(2);
  job.to = row.Integer(3);
  RETURN_IF_ERROR(ReadName<JobState>(row, 4, "job state", JobStateFromName, job.state));
  job.attempts = row.Int(5);
  job.counted_failures = row.Int(6);
  job.reason = row.Text(7);
  job.parent = JobId(row.Text(8));
  return job;
}

absl::StatusOr<Attempt> AttemptOf(const Statement& row) {
  Attempt attempt;
  attempt.job = JobId(row.Text(0));
  attempt.number = row.Int(1);
  attempt.worker = WorkerId(row.Text(2));
  attempt.start_step = row.Integer(3);
  if (!row.IsNull(4)) {
    RETURN_IF_ERROR(
        ReadName<JobOutcome>(row, 4, "outcome", JobOutcomeFromName, attempt.outcome.emplace()));
  }
  attempt.reason = row.Text(5);
  attempt.started_at_us = row.Integer(6);
  attempt.ended_at_us = row.Integer(7);
  attempt.numerics = row.Text(8);
  return attempt;
}

absl::StatusOr<Checkpoint> CheckpointOf(const Statement& row) {
  Checkpoint checkpoint;
  checkpoint.job = JobId(row.Text(0));
  checkpoint.attempt = row.Int(1);
  RETURN_IF_ERROR(
      ReadName<CheckpointKind>(row, 2, "checkpoint kind", CheckpointKindFromName, checkpoint.kind));
  checkpoint.step = row.Integer(3);
  return checkpoint;
}

absl::StatusOr<FrozenPrediction> PredictionOf(const Statement& row) {
  const std::string json = row.Text(0);
  absl::StatusOr<FrozenPrediction> prediction = FrozenPredictionFromJson(json);
  if (!prediction.ok() || Sha256Hex(json) != row.Text(1)) {
    return DataLoss("a frozen prediction of the results store does not match its hash " +
                    row.Text(1) + ". Check it with: etude db verify");
  }
  prediction->blind = row.Integer(2) != 0;
  prediction->frozen_at_us = row.Integer(3);
  return prediction;
}

absl::StatusOr<SweepFit> FitOf(const Statement& row) {
  SweepFit fit;
  fit.sweep = SweepId(row.Text(0));
  RETURN_IF_ERROR(ReadName<Family>(row, 1, "family", FamilyFromName, fit.family));
  fit.sha256 = row.Text(2);
  fit.json = row.Text(3);
  fit.fitted_at_us = row.Integer(4);
  return fit;
}

absl::StatusOr<ArtifactFile> FileOf(const Statement& row) {
  return ArtifactFile{.name = row.Text(0), .sha256 = row.Text(1), .bytes = row.Integer(2)};
}

constexpr char kSelectCorpora[] =
    "SELECT c.id, n.name, c.vocab, c.train_tokens, c.val_tokens, c.test_tokens, c.tokenizer, "
    "c.chars_per_token FROM corpus_names n JOIN corpora c ON c.id = n.corpus ORDER BY n.name";
constexpr char kSelectCorpusFiles[] =
    "SELECT name, sha256, bytes FROM corpus_files WHERE corpus = ? ORDER BY ordinal";

absl::StatusOr<std::vector<Corpus>> StoredCorpora(Database& database) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectCorpora));
  ASSIGN_OR_RETURN(std::vector<Corpus> corpora, AllOf<Corpus>(rows.Bind(), CorpusOf));
  for (Corpus& corpus : corpora) {
    ASSIGN_OR_RETURN(Statement files, database.Prepare(kSelectCorpusFiles));
    ASSIGN_OR_RETURN(corpus.files, AllOf<ArtifactFile>(files.Bind(corpus.id.text()), FileOf));
  }
  return corpora;
}

constexpr char kSelectWorkers[] =
    "SELECT id, host, device, cpu, software, slots, threads_per_slot, memory_bytes, state, reason, "
    "registered_at_us, last_seen_at_us, drained FROM workers ORDER BY id";

absl::StatusOr<std::vector<Worker>> StoredWorkers(Database& database) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectWorkers));
  return AllOf<Worker>(rows.Bind(), WorkerOf);
}

constexpr char kSelectSweepRuns[] = "SELECT run FROM sweep_runs WHERE sweep = ? ORDER BY ordinal";
constexpr char kSelectHeldOutRuns[] =
    "SELECT run FROM sweep_runs WHERE sweep = ? AND held_out = 1 ORDER BY ordinal";

absl::Status ReadRuns(Database& database, Sweep& sweep) {
  ASSIGN_OR_RETURN(Statement runs, database.Prepare(kSelectSweepRuns));
  ASSIGN_OR_RETURN(sweep.runs, AllOf<RunKey>(runs.Bind(sweep.id.text()), RunKeyOf));
  return ReadHeldOut(database, sweep);
}

absl::Status ReadHeldOut(Database& database, Sweep& sweep) {
  ASSIGN_OR_RETURN(Statement held_out, database.Prepare(kSelectHeldOutRuns));
  ASSIGN_OR_RETURN(sweep.held_out, AllOf<RunKey>(held_out.Bind(sweep.id.text()), RunKeyOf));
  return absl::OkStatus();
}

constexpr char kSelectCheckpointFiles[] =
    "SELECT f.name, f.sha256, f.bytes FROM checkpoint_files f JOIN jobs j ON j.number = f.job "
    "WHERE j.id = ? AND f.kind = ? ORDER BY f.ordinal";

constexpr char kSelectBranchFiles[] =
    "SELECT f.name, f.sha256, f.bytes FROM branch_point_files f JOIN jobs j ON j.number = f.job "
    "WHERE j.id = ? AND f.step = ? ORDER BY f.ordinal";

absl::StatusOr<std::vector<ArtifactFile>> CheckpointFiles(Database& database,
                                                          const Checkpoint& checkpoint) {
  if (checkpoint.kind == CheckpointKind::kBranch) {
    ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectBranchFiles));
    return AllOf<ArtifactFile>(rows.Bind(checkpoint.job.text(), checkpoint.step), FileOf);
  }
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectCheckpointFiles));
  rows.Bind(checkpoint.job.text(), CheckpointKindName(checkpoint.kind));
  return AllOf<ArtifactFile>(rows, FileOf);
}

}  // namespace etude
