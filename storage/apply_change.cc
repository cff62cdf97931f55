#include "storage/apply_change.h"

#include <optional>
#include <string>
#include <variant>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kSelectCorpusNamed[] = "SELECT corpus FROM corpus_names WHERE name = ?";
constexpr char kSelectCorpus[] = "SELECT 1 FROM corpora WHERE id = ?";
constexpr char kInsertCorpus[] =
    "INSERT INTO corpora (id, vocab, train_tokens, val_tokens, test_tokens, tokenizer, "
    "chars_per_token) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr char kInsertCorpusFile[] =
    "INSERT INTO corpus_files (corpus, ordinal, name, sha256, bytes) VALUES (?, ?, ?, ?, ?)";
constexpr char kInsertCorpusName[] =
    "INSERT INTO corpus_names (name, corpus, added_at_us) VALUES (?, ?, ?)";

absl::Status InsertCorpus(Database& database, const Corpus& corpus) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertCorpus));
  RETURN_IF_ERROR(insert
                      .Bind(corpus.id.text(), corpus.vocab, corpus.train_tokens, corpus.val_tokens,
                            corpus.test_tokens, corpus.tokenizer, corpus.chars_per_token)
                      .Run());
  ASSIGN_OR_RETURN(Statement insert_file, database.Prepare(kInsertCorpusFile));
  int ordinal = 0;
  for (const ArtifactFile& file : corpus.files) {
    insert_file.Bind(corpus.id.text(), ordinal++, file.name, file.sha256, file.bytes);
    RETURN_IF_ERROR(insert_file.Run());
  }
  return absl::OkStatus();
}

absl::Status AddCorpus(Database& database, const CorpusAdded& change) {
  const Corpus& corpus = change.corpus;
  if (corpus.name.empty()) return InvalidArgument("it has no name: etude corpus push DIR --name N");
  ASSIGN_OR_RETURN(Statement named, database.Prepare(kSelectCorpusNamed));
  ASSIGN_OR_RETURN(const bool taken, named.Bind(corpus.name).Next());
  if (taken) {
    if (named.Text(0) == corpus.id.text()) return absl::OkStatus();
    return AlreadyExists("the name stands for corpus " + CorpusId(named.Text(0)).Short() +
                         " and cannot also stand for " + corpus.id.Short() +
                         ". Choose another: etude corpus push DIR --name NAME");
  }
  ASSIGN_OR_RETURN(Statement known, database.Prepare(kSelectCorpus));
  ASSIGN_OR_RETURN(const bool there, known.Bind(corpus.id.text()).Next());
  if (!there) RETURN_IF_ERROR(InsertCorpus(database, corpus));
  ASSIGN_OR_RETURN(Statement name, database.Prepare(kInsertCorpusName));
  return name.Bind(corpus.name, corpus.id.text(), change.at_us).Run();
}

constexpr char kInsertRun[] =
    "INSERT INTO runs (key, config_json, state, reason, created_at_us, finished_at_us, has_result, "
    "val_loss, best_val_loss, best_step, train_eval_loss, test_loss, train_seconds, eval_seconds, "
    "tokens_per_s, device, weights_sha256, mixed_numerics) "
    "VALUES (?, ?, 'queued', '', ?, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
    "NULL, NULL)";
constexpr char kSelectRunState[] = "SELECT state FROM runs WHERE key = ?";
constexpr char kUpdateRun[] =
    "UPDATE runs SET state = ?, reason = ?, finished_at_us = ? WHERE key = ?";
constexpr char kUpdateResult[] =
    "UPDATE runs SET has_result = 1, val_loss = ?, best_val_loss = ?, best_step = ?, "
    "train_eval_loss = ?, test_loss = ?, train_seconds = ?, eval_seconds = ?, tokens_per_s = ?, "
    "device = ?, weights_sha256 = ?, mixed_numerics = ? WHERE key = ?";

absl::Status UpdateResult(Database& database, const RunKey& run, const RunResult& result) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateResult));
  update.Bind(result.val_loss, result.best_val_loss, result.best_step, result.train_eval_loss,
              result.test_loss, result.train_seconds, result.eval_seconds, result.tokens_per_s,
              result.device, result.weights_sha256, result.mixed_numerics, run.text());
  return update.Run();
}

// A failed or cancelled run may be wanted again, and is then queued; a result is for ever.
absl::Status CheckRunMove(RunState from, RunState to) {
  const bool again = from != RunState::kSucceeded && to == RunState::kQueued;
  if (!IsTerminal(from) || from == to || again) return absl::OkStatus();
  return FailedPrecondition("it is " + std::string(RunStateName(from)) + " and cannot become " +
                            std::string(RunStateName(to)));
}

absl::Status ChangeRun(Database& database, const RunChanged& change) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectRunState));
  ASSIGN_OR_RETURN(const bool found, select.Bind(change.run.text()).Next());
  if (!found) return FailedPrecondition("it is not stored");
  const std::optional<RunState> from = RunStateFromName(select.Text(0));
  if (!from) return DataLoss("its stored state is unknown. Check it with: etude db verify");
  RETURN_IF_ERROR(CheckRunMove(*from, change.state));
  if (*from == RunState::kSucceeded) return absl::OkStatus();
  ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateRun));
  update.Bind(RunStateName(change.state), change.reason, change.finished_at_us, change.run.text());
  RETURN_IF_ERROR(update.Run());
  return change.result ? UpdateResult(database, change.run, *change.result) : absl::OkStatus();
}

absl::Status AddRun(Database& database, const Run& run) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertRun));
  insert.Bind(run.key.text(), RunConfigToJson(run.config), run.created_at_us);
  RETURN_IF_ERROR(insert.Run());
  if (run.state == RunState::kQueued && run.reason.empty()) return absl::OkStatus();  // as inserted
  return ChangeRun(database, {.run = run.key,
                              .state = run.state,
                              .reason = run.reason,
                              .result = run.result,
                              .finished_at_us = run.finished_at_us});
}

constexpr char kSelectSweepNamed[] = "SELECT id FROM sweeps WHERE name = ?";
constexpr char kInsertSweep[] =
    "INSERT INTO sweeps (id, name, corpus, spec_toml, resolved_json, max_failed_runs, max_hours, "
    "state, reason, created_at_us, finished_at_us, paused, priority, weight) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr char kInsertSweepRun[] =
    "INSERT INTO sweep_runs (sweep, ordinal, run, held_out) VALUES (?, ?, ?, ?)";

absl::Status CheckSweepName(Database& database, const Sweep& sweep) {
  ASSIGN_OR_RETURN(Statement named, database.Prepare(kSelectSweepNamed));
  ASSIGN_OR_RETURN(const bool taken, named.Bind(sweep.name).Next());
  if (!taken || named.Text(0) == sweep.id.text()) return absl::OkStatus();
  return AlreadyExists("the name stands for sweep " + SweepId(named.Text(0)).Short() +
                       " and cannot also stand for " + sweep.id.Short() +
                       ". Give the spec another name, or see that one: etude sweep show " +
                       sweep.name);
}

absl::Status InsertSweep(Database& database, const Sweep& sweep) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertSweep));
  insert.Bind(sweep.id.text(), sweep.name, sweep.corpus.text(), sweep.spec_toml,
              sweep.resolved_json, sweep.max_failed_runs, sweep.max_hours,
              SweepStateName(sweep.state), sweep.reason, sweep.created_at_us, sweep.finished_at_us,
              sweep.paused, sweep.priority, sweep.weight);
  RETURN_IF_ERROR(insert.Run());
  ASSIGN_OR_RETURN(Statement insert_run, database.Prepare(kInsertSweepRun));
  int ordinal = 0;
  for (const RunKey& run : sweep.runs) {
    insert_run.Bind(sweep.id.text(), ordinal++, run.text(), sweep.HoldsOut(run));
    RETURN_IF_ERROR(insert_run.Run());
  }
  return absl::OkStatus();
}

absl::Status AddSweep(Database& database, const SweepAdded& change) {
  RETURN_IF_ERROR(CheckSweepName(database, change.sweep));
  for (const Run& run : change.new_runs) {
    const absl::Status added = AddRun(database, run);
    if (!added.ok()) return Annotate(added, "run " + run.key.Short());
  }
  RETURN_IF_ERROR(InsertSweep(database, change.sweep));
  return AddJobs(database, change.new_jobs, change.new_segments);
}

absl::Status AddRuns(Database& database, const RunsAdded& change) {
  for (const Run& run : change.runs) {
    RETURN_IF_ERROR(Annotate(AddRun(database, run), "run " + run.key.Short()));
  }
  RETURN_IF_ERROR(AddJobs(database, change.jobs, {}));
  return ReplacePaths(database, change.paths);
}

constexpr char kUpdateSweep[] =
    "UPDATE sweeps SET state = ?, reason = ?, finished_at_us = ?, paused = ?, priority = ?, "
    "weight = ? WHERE id = ?";

absl::Status ChangeSweep(Database& database, const SweepChanged& change) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare(kUpdateSweep));
  update.Bind(SweepStateName(change.state), change.reason, change.finished_at_us, change.paused,
              change.priority, change.weight, change.sweep.text());
  RETURN_IF_ERROR(update.Run());
  return database.changes() == 1 ? absl::OkStatus() : FailedPrecondition("it is not stored");
}

constexpr char kReplaceWorker[] =
    "INSERT INTO workers (id, host, device, cpu, software, slots, threads_per_slot, memory_bytes, "
    "state, reason, registered_at_us, last_seen_at_us, drained) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET host = excluded.host, device = excluded.device, "
    "cpu = excluded.cpu, software = excluded.software, slots = excluded.slots, "
    "threads_per_slot = excluded.threads_per_slot, memory_bytes = excluded.memory_bytes, "
    "state = excluded.state, reason = excluded.reason, "
    "registered_at_us = excluded.registered_at_us, last_seen_at_us = excluded.last_seen_at_us, "
    "drained = excluded.drained";

absl::Status ReplaceWorker(Database& database, const Worker& worker) {
  ASSIGN_OR_RETURN(Statement replace, database.Prepare(kReplaceWorker));
  replace.Bind(worker.id.text(), worker.host, worker.device, worker.cpu, worker.software,
               worker.slots, worker.threads_per_slot, worker.memory_bytes,
               WorkerStateName(worker.state), worker.reason, worker.registered_at_us,
               worker.last_seen_at_us, worker.drained);
  return replace.Run();
}

constexpr char kDeleteWorker[] = "DELETE FROM workers WHERE id = ?";

absl::Status ForgetWorker(Database& database, const WorkerId& worker) {
  ASSIGN_OR_RETURN(Statement forget, database.Prepare(kDeleteWorker));
  return forget.Bind(worker.text()).Run();
}

// One overload a kind of change; each puts what it was doing, and to what, before its error.
constexpr char kReplaceRate[] =
    "INSERT INTO training_rates (worker_kind, pace, family, assumed_tokens_per_s, tokens_per_s, "
    "runs) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (worker_kind, pace) DO UPDATE SET "
    "tokens_per_s = excluded.tokens_per_s, runs = excluded.runs, "
    "assumed_tokens_per_s = excluded.assumed_tokens_per_s";

absl::Status ReplaceRate(Database& database, const TrainingRate& rate) {
  ASSIGN_OR_RETURN(Statement replace, database.Prepare(kReplaceRate));
  replace.Bind(rate.worker_kind, rate.pace.text, FamilyName(rate.pace.family),
               rate.pace.assumed_tokens_per_s, rate.tokens_per_s, rate.runs);
  return replace.Run();
}

struct Applier {
  Database& database;

  absl::Status operator()(const CorpusAdded& c) const {
    return Annotate(AddCorpus(database, c), "store corpus \"" + c.corpus.name + "\"");
  }
  absl::Status operator()(const SweepAdded& c) const {
    return Annotate(AddSweep(database, c), "store sweep \"" + c.sweep.name + "\"");
  }
  absl::Status operator()(const SweepChanged& c) const {
    return Annotate(ChangeSweep(database, c), "change sweep " + c.sweep.Short());
  }
  absl::Status operator()(const SweepDeleted& c) const {
    return Annotate(DeleteSweep(database, c), "delete sweep " + c.sweep.Short());
  }
  absl::Status operator()(const RunChanged& c) const {
    return Annotate(ChangeRun(database, c), "change run " + c.run.Short());
  }
  absl::Status operator()(const RunsAdded& c) const {
    return Annotate(AddRuns(database, c), "add imported runs");
  }
  absl::Status operator()(const JobChanged& c) const {
    return Annotate(ChangeJob(database, c), "change job " + c.job.id.text());
  }
  absl::Status operator()(const JobAdded& c) const {
    return Annotate(ReplacePath(database, c), "replace path of run " + c.job.run.Short());
  }
  absl::Status operator()(const AttemptStarted& c) const {
    return Annotate(StartAttempt(database, c), "start " + Name(c.attempt.job, c.attempt.number));
  }
  absl::Status operator()(const AttemptEnded& c) const {
    return Annotate(EndAttempt(database, c), "end " + Name(c.job, c.attempt));
  }
  absl::Status operator()(const PointsAdded& c) const {
    return Annotate(AddPoints(database, c), "append loss points of " + Name(c.job, c.attempt));
  }
  absl::Status operator()(const CheckpointAdded& c) const {
    return Annotate(AddCheckpoint(database, c),
                    "add checkpoint of " + Name(c.checkpoint.job, c.checkpoint.attempt));
  }
  absl::Status operator()(const CheckpointLost& c) const {
    return Annotate(DropCheckpoint(database, c), "drop a checkpoint of job " + c.job.text());
  }
  absl::Status operator()(const FitAdded& c) const {
    return Annotate(AddFit(database, c.fit), "store a fit of sweep " + c.fit.sweep.Short());
  }
  absl::Status operator()(const PredictionsFrozen& c) const {
    return Annotate(FreezePredictions(database, c),
                    "freeze the predictions of sweep " + c.sweep.Short());
  }
  absl::Status operator()(const WorkerChanged& c) const {
    return Annotate(ReplaceWorker(database, c.worker), "store worker " + c.worker.id.text());
  }
  absl::Status operator()(const WorkerForgotten& c) const {
    return Annotate(ForgetWorker(database, c.worker), "forget worker " + c.worker.text());
  }
  absl::Status operator()(const RateMeasured& c) const {
    return Annotate(ReplaceRate(database, c.rate), "store the rate of " + c.rate.pace.text);
  }

  static std::string Name(const JobId& job, int attempt) {
    return "attempt " + std::to_string(attempt) + " of job " + job.text();
  }
};

}  // namespace

absl::Status ApplyChange(Database& database, const Change& change) {
  return std::visit(Applier{database}, change);
}

}  // namespace etude
