#include "proto/convert.h"

#include <algorithm>
#include <cmath>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

absl::Status Bad(const std::string& field, const std::string& why) {
  return InvalidArgument(field + ": " + why);
}

absl::Status CheckHash(const std::string& text, const char* field) {
  if (!IsSha256Hex(text)) return Bad(field, "expected 64 lower-case hex digits");
  return absl::OkStatus();
}

absl::Status CheckText(const std::string& text, const char* field,
                       std::size_t limit = kMaxTextBytes) {
  if (text.size() > limit) {
    return Bad(field, "longer than the limit of " + std::to_string(limit) + " bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckCount(std::int64_t value, const char* field) {
  if (value < 0) return Bad(field, "must not be negative");
  return absl::OkStatus();
}

// JOB is RUN_KEY "." ordinal.
absl::StatusOr<JobId> JobIdFromWire(const std::string& text) {
  ASSIGN_OR_RETURN(std::string name, NameFromWire(text, "job"));
  return JobId(std::move(name));
}

}  // namespace

v1::RunState ToWire(RunState state) {
  switch (state) {
    case RunState::kQueued:
      return v1::RUN_STATE_QUEUED;
    case RunState::kRunning:
      return v1::RUN_STATE_RUNNING;
    case RunState::kSucceeded:
      return v1::RUN_STATE_SUCCEEDED;
    case RunState::kFailed:
      return v1::RUN_STATE_FAILED;
    case RunState::kCancelled:
      return v1::RUN_STATE_CANCELLED;
  }
  return v1::RUN_STATE_UNSPECIFIED;
}

v1::JobState ToWire(JobState state) {
  switch (state) {
    case JobState::kQueued:
      return v1::JOB_STATE_QUEUED;
    case JobState::kLeased:
      return v1::JOB_STATE_LEASED;
    case JobState::kSucceeded:
      return v1::JOB_STATE_SUCCEEDED;
    case JobState::kFailed:
      return v1::JOB_STATE_FAILED;
    case JobState::kCancelled:
      return v1::JOB_STATE_CANCELLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

v1::SweepState ToWire(SweepState state) {
  switch (state) {
    case SweepState::kActive:
      return v1::SWEEP_STATE_ACTIVE;
    case SweepState::kFinished:
      return v1::SWEEP_STATE_FINISHED;
    case SweepState::kCancelled:
      return v1::SWEEP_STATE_CANCELLED;
  }
  return v1::SWEEP_STATE_UNSPECIFIED;
}

v1::WorkerState ToWire(WorkerState state) {
  switch (state) {
    case WorkerState::kOnline:
      return v1::WORKER_STATE_ONLINE;
    case WorkerState::kDraining:
      return v1::WORKER_STATE_DRAINING;
    case WorkerState::kQuarantined:
      return v1::WORKER_STATE_QUARANTINED;
    case WorkerState::kOffline:
      return v1::WORKER_STATE_OFFLINE;
  }
  return v1::WORKER_STATE_UNSPECIFIED;
}

v1::JobOutcome ToWire(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kSucceeded:
      return v1::JOB_OUTCOME_SUCCEEDED;
    case JobOutcome::kDiverged:
      return v1::JOB_OUTCOME_DIVERGED;
    case JobOutcome::kOutOfMemory:
      return v1::JOB_OUTCOME_OUT_OF_MEMORY;
    case JobOutcome::kBadInput:
      return v1::JOB_OUTCOME_BAD_INPUT;
    case JobOutcome::kCrashed:
      return v1::JOB_OUTCOME_CRASHED;
    case JobOutcome::kKilled:
      return v1::JOB_OUTCOME_KILLED;
    case JobOutcome::kReleased:
      return v1::JOB_OUTCOME_RELEASED;
    case JobOutcome::kSuperseded:
      return v1::JOB_OUTCOME_SUPERSEDED;
    case JobOutcome::kCancelled:
      return v1::JOB_OUTCOME_CANCELLED;
  }
  return v1::JOB_OUTCOME_UNSPECIFIED;
}

v1::CheckpointKind ToWire(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::kResume:
      return v1::CHECKPOINT_KIND_RESUME;
    case CheckpointKind::kLast:
      return v1::CHECKPOINT_KIND_LAST;
    case CheckpointKind::kBest:
      return v1::CHECKPOINT_KIND_BEST;
    case CheckpointKind::kBranch:
      return v1::CHECKPOINT_KIND_BRANCH;
  }
  return v1::CHECKPOINT_KIND_UNSPECIFIED;
}

absl::StatusOr<RunState> FromWire(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_QUEUED:
      return RunState::kQueued;
    case v1::RUN_STATE_RUNNING:
      return RunState::kRunning;
    case v1::RUN_STATE_SUCCEEDED:
      return RunState::kSucceeded;
    case v1::RUN_STATE_FAILED:
      return RunState::kFailed;
    case v1::RUN_STATE_CANCELLED:
      return RunState::kCancelled;
    default:
      return Bad("run state", "unknown value " + std::to_string(static_cast<int>(state)));
  }
}

absl::StatusOr<JobState> FromWire(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
      return JobState::kQueued;
    case v1::JOB_STATE_LEASED:
      return JobState::kLeased;
    case v1::JOB_STATE_SUCCEEDED:
      return JobState::kSucceeded;
    case v1::JOB_STATE_FAILED:
      return JobState::kFailed;
    case v1::JOB_STATE_CANCELLED:
      return JobState::kCancelled;
    default:
      return Bad("job state", "unknown value " + std::to_string(static_cast<int>(state)));
  }
}

absl::StatusOr<SweepState> FromWire(v1::SweepState state) {
  switch (state) {
    case v1::SWEEP_STATE_ACTIVE:
      return SweepState::kActive;
    case v1::SWEEP_STATE_FINISHED:
      return SweepState::kFinished;
    case v1::SWEEP_STATE_CANCELLED:
      return SweepState::kCancelled;
    default:
      return Bad("sweep state", "unknown value " + std::to_string(static_cast<int>(state)));
  }
}

absl::StatusOr<WorkerState> FromWire(v1::WorkerState state) {
  switch (state) {
    case v1::WORKER_STATE_ONLINE:
      return WorkerState::kOnline;
    case v1::WORKER_STATE_DRAINING:
      return WorkerState::kDraining;
    case v1::WORKER_STATE_QUARANTINED:
      return WorkerState::kQuarantined;
    case v1::WORKER_STATE_OFFLINE:
      return WorkerState::kOffline;
    default:
      return Bad("worker state", "unknown value " + std::to_string(static_cast<int>(state)));
  }
}

absl::StatusOr<JobOutcome> FromWire(v1::JobOutcome outcome) {
  switch (outcome) {
    case v1::JOB_OUTCOME_SUCCEEDED:
      return JobOutcome::kSucceeded;
    case v1::JOB_OUTCOME_DIVERGED:
      return JobOutcome::kDiverged;
    case v1::JOB_OUTCOME_OUT_OF_MEMORY:
      return JobOutcome::kOutOfMemory;
    case v1::JOB_OUTCOME_BAD_INPUT:
      return JobOutcome::kBadInput;
    case v1::JOB_OUTCOME_CRASHED:
      return JobOutcome::kCrashed;
    case v1::JOB_OUTCOME_KILLED:
      return JobOutcome::kKilled;
    case v1::JOB_OUTCOME_RELEASED:
      return JobOutcome::kReleased;
    case v1::JOB_OUTCOME_SUPERSEDED:
      return JobOutcome::kSuperseded;
    case v1::JOB_OUTCOME_CANCELLED:
      return JobOutcome::kCancelled;
    default:
      return Bad("job outcome", "unknown value " + std::to_string(static_cast<int>(outcome)));
  }
}

absl::StatusOr<CheckpointKind> FromWire(v1::CheckpointKind kind) {
  switch (kind) {
    case v1::CHECKPOINT_KIND_RESUME:
      return CheckpointKind::kResume;
    case v1::CHECKPOINT_KIND_LAST:
      return CheckpointKind::kLast;
    case v1::CHECKPOINT_KIND_BEST:
      return CheckpointKind::kBest;
    case v1::CHECKPOINT_KIND_BRANCH:
      return CheckpointKind::kBranch;
    default:
      return Bad("checkpoint kind", "unknown value " + std::to_string(static_cast<int>(kind)));
  }
}

absl::StatusOr<std::string> NameFromWire(const std::string& text, const char* field,
                                         std::size_t limit) {
  if (text.size() > limit || !IsSafeFileName(text)) {
    return Bad(field, "expected 1 to " + std::to_string(limit) + " characters of [A-Za-z0-9._-]");
  }
  return text;
}

v1::ArtifactFile ToWire(const ArtifactFile& file) {
  v1::ArtifactFile wire;
  wire.set_name(file.name);
  wire.set_sha256(file.sha256);
  wire.set_bytes(file.bytes);
  return wire;
}

absl::StatusOr<ArtifactFile> FromWire(const v1::ArtifactFile& wire) {
  ArtifactFile file;
  ASSIGN_OR_RETURN(file.name, NameFromWire(wire.name(), "file name"));
  RETURN_IF_ERROR(CheckHash(wire.sha256(), "file sha256"));
  if (wire.bytes() < 0 || wire.bytes() > kMaxBlobBytes) return Bad("file bytes", "out of range");
  file.sha256 = wire.sha256();
  file.bytes = wire.bytes();
  return file;
}

absl::StatusOr<std::vector<ArtifactFile>> FilesFromWire(
    const google::protobuf::RepeatedPtrField<v1::ArtifactFile>& files) {
  if (files.size() > kMaxFilesPerArtifact) {
    return Bad("files", "more than " + std::to_string(kMaxFilesPerArtifact));
  }
  std::vector<ArtifactFile> domain;
  for (const v1::ArtifactFile& wire : files) {
    ASSIGN_OR_RETURN(ArtifactFile file, FromWire(wire));
    domain.push_back(std::move(file));
  }
  return domain;
}

v1::Corpus ToWire(const Corpus& corpus) {
  v1::Corpus wire;
  wire.set_id(corpus.id.text());
  wire.set_name(corpus.name);
  wire.set_vocab(corpus.vocab);
  wire.set_train_tokens(corpus.train_tokens);
  wire.set_val_tokens(corpus.val_tokens);
  wire.set_test_tokens(corpus.test_tokens);
  wire.set_tokenizer(corpus.tokenizer);
  wire.set_chars_per_token(corpus.chars_per_token);
  for (const ArtifactFile& file : corpus.files) *wire.add_files() = ToWire(file);
  return wire;
}

absl::StatusOr<Corpus> FromWire(const v1::Corpus& wire) {
  Corpus corpus;
  RETURN_IF_ERROR(CheckHash(wire.id(), "corpus id"));
  RETURN_IF_ERROR(CheckText(wire.name(), "corpus name", 64));
  RETURN_IF_ERROR(CheckText(wire.tokenizer(), "corpus tokenizer", 64));
  RETURN_IF_ERROR(CheckCount(wire.train_tokens(), "corpus train_tokens"));
  RETURN_IF_ERROR(CheckCount(wire.val_tokens(), "corpus val_tokens"));
  RETURN_IF_ERROR(CheckCount(wire.test_tokens(), "corpus test_tokens"));
  if (wire.vocab() < 1 || wire.vocab() > 65536) return Bad("corpus vocab", "must be 1 to 65536");
  corpus.id = CorpusId(wire.id());
  corpus.name = wire.name();
  corpus.vocab = wire.vocab();
  corpus.train_tokens = wire.train_tokens();
  corpus.val_tokens = wire.val_tokens();
  corpus.test_tokens = wire.test_tokens();
  corpus.tokenizer = wire.tokenizer();
  corpus.chars_per_token = wire.chars_per_token();
  ASSIGN_OR_RETURN(corpus.files, FilesFromWire(wire.files()));
  return corpus;
}

v1::RunResult ToWire(const RunResult& result) {
  v1::RunResult wire;
  wire.set_val_loss(result.val_loss);
  wire.set_best_val_loss(result.best_val_loss);
  wire.set_best_step(result.best_step);
  wire.set_train_eval_loss(result.train_eval_loss);
  wire.set_test_loss(result.test_loss);
  wire.set_train_seconds(result.train_seconds);
  wire.set_eval_seconds(result.eval_seconds);
  wire.set_tokens_per_s(result.tokens_per_s);
  wire.set_device(result.device);
  wire.set_weights_sha256(result.weights_sha256);
  wire.set_mixed_numerics(result.mixed_numerics);
  return wire;
}

absl::StatusOr<RunResult> FromWire(const v1::RunResult& wire) {
  RETURN_IF_ERROR(CheckText(wire.device(), "result device", 64));
  if (!wire.weights_sha256().empty()) {
    RETURN_IF_ERROR(CheckHash(wire.weights_sha256(), "result weights_sha256"));
  }
  RETURN_IF_ERROR(CheckCount(wire.best_step(), "result best_step"));
  RunResult result;
  result.val_loss = wire.val_loss();
  result.best_val_loss = wire.best_val_loss();
  result.best_step = wire.best_step();
  result.train_eval_loss = wire.train_eval_loss();
  result.test_loss = wire.test_loss();
  result.train_seconds = wire.train_seconds();
  result.eval_seconds = wire.eval_seconds();
  result.tokens_per_s = wire.tokens_per_s();
  result.device = wire.device();
  result.weights_sha256 = wire.weights_sha256();
  result.mixed_numerics = wire.mixed_numerics();
  return result;
}

v1::Run ToWire(const Run& run) {
  v1::Run wire;
  wire.set_key(run.key.text());
  wire.set_config_json(RunConfigToJson(run.config));
  wire.set_state(ToWire(run.state));
  wire.set_reason(run.reason);
  if (run.result) *wire.mutable_result() = ToWire(*run.result);
  wire.set_created_at_us(run.created_at_us);
  wire.set_finished_at_us(run.finished_at_us);
  return wire;
}

absl::StatusOr<Run> FromWire(const v1::Run& wire) {
  Run run;
  RETURN_IF_ERROR(CheckHash(wire.key(), "run key"));
  run.key = RunKey(wire.key());
  ASSIGN_OR_RETURN(run.config, RunConfigFromJson(wire.config_json()));
  ASSIGN_OR_RETURN(run.state, FromWire(wire.state()));
  run.reason = wire.reason();
  if (wire.has_result()) {
    ASSIGN_OR_RETURN(run.result, FromWire(wire.result()));
  }
  run.created_at_us = wire.created_at_us();
  run.finished_at_us = wire.finished_at_us();
  return run;
}

v1::Attempt ToWire(const Attempt& attempt) {
  v1::Attempt wire;
  wire.set_job(attempt.job.text());
  wire.set_number(attempt.number);
  wire.set_worker(attempt.worker.text());
  wire.set_start_step(attempt.start_step);
  if (attempt.outcome) wire.set_outcome(ToWire(*attempt.outcome));
  wire.set_reason(attempt.reason);
  wire.set_started_at_us(attempt.started_at_us);
  wire.set_ended_at_us(attempt.ended_at_us);
  wire.set_numerics(attempt.numerics);
  return wire;
}

absl::StatusOr<Attempt> FromWire(const v1::Attempt& wire) {
  Attempt attempt;
  ASSIGN_OR_RETURN(attempt.job, JobIdFromWire(wire.job()));
  if (wire.number() < 1) return Bad("attempt number", "must be at least 1");
  RETURN_IF_ERROR(CheckCount(wire.start_step(), "attempt start_step"));
  if (wire.outcome() != v1::JOB_OUTCOME_UNSPECIFIED) {
    ASSIGN_OR_RETURN(attempt.outcome, FromWire(wire.outcome()));
  }
  attempt.number = wire.number();
  attempt.worker = WorkerId(wire.worker());
  attempt.start_step = wire.start_step();
  attempt.reason = wire.reason();
  attempt.started_at_us = wire.started_at_us();
  attempt.ended_at_us = wire.ended_at_us();
  attempt.numerics = wire.numerics();
  return attempt;
}

v1::Job ToWire(const Job& job) {
  v1::Job wire;
  wire.set_id(job.id.text());
  wire.set_run(job.run.text());
  wire.set_from(job.from);
  wire.set_to(job.to);
  wire.set_state(ToWire(job.state));
  wire.set_attempts(job.attempts);
  wire.set_counted_failures(job.counted_failures);
  wire.set_reason(job.reason);
  wire.set_parent(job.parent.text());
  return wire;
}

absl::StatusOr<Job> FromWire(const v1::Job& wire) {
  Job job;
  ASSIGN_OR_RETURN(job.id, JobIdFromWire(wire.id()));
  RETURN_IF_ERROR(CheckHash(wire.run(), "job run"));
  ASSIGN_OR_RETURN(job.state, FromWire(wire.state()));
  if (wire.from() < 0 || wire.to() <= wire.from())
    return Bad("job steps", "expected 0 <= from < to");
  job.run = RunKey(wire.run());
  job.from = wire.from();
  job.to = wire.to();
  job.attempts = wire.attempts();
  job.counted_failures = wire.counted_failures();
  job.reason = wire.reason();
  if (!wire.parent().empty()) {
    ASSIGN_OR_RETURN(job.parent, JobIdFromWire(wire.parent()));
  }
  return job;
}

v1::Checkpoint ToWire(const Checkpoint& checkpoint) {
  v1::Checkpoint wire;
  wire.set_job(checkpoint.job.text());
  wire.set_attempt(checkpoint.attempt);
  wire.set_kind(ToWire(checkpoint.kind));
  wire.set_step(checkpoint.step);
  for (const ArtifactFile& file : checkpoint.files) *wire.add_files() = ToWire(file);
  return wire;
}

absl::StatusOr<Checkpoint> FromWire(const v1::Checkpoint& wire) {
  Checkpoint checkpoint;
  ASSIGN_OR_RETURN(checkpoint.job, JobIdFromWire(wire.job()));
  if (wire.attempt() < 1) return Bad("checkpoint attempt", "must be at least 1");
  RETURN_IF_ERROR(CheckCount(wire.step(), "checkpoint step"));
  ASSIGN_OR_RETURN(checkpoint.kind, FromWire(wire.kind()));
  ASSIGN_OR_RETURN(checkpoint.files, FilesFromWire(wire.files()));
  checkpoint.attempt = wire.attempt();
  checkpoint.step = wire.step();
  return checkpoint;
}

v1::Sweep ToWire(const Sweep& sweep) {
  v1::Sweep wire;
  wire.set_id(sweep.id.text());
  wire.set_name(sweep.name);
  wire.set_corpus(sweep.corpus.text());
  wire.set_spec_toml(sweep.spec_toml);
  wire.set_resolved_json(sweep.resolved_json);
  for (const RunKey& run : sweep.runs) wire.add_runs(run.text());
  for (const RunKey& run : sweep.held_out) wire.add_held_out(run.text());
  wire.set_max_failed_runs(sweep.max_failed_runs);
  wire.set_max_hours(sweep.max_hours);
  wire.set_state(ToWire(sweep.state));
  wire.set_reason(sweep.reason);
  wire.set_created_at_us(sweep.created_at_us);
  wire.set_finished_at_us(sweep.finished_at_us);
  wire.set_paused(sweep.paused);
  wire.set_priority(sweep.priority);
  wire.set_weight(sweep.weight);
  return wire;
}

absl::StatusOr<Sweep> FromWire(const v1::Sweep& wire) {
  Sweep sweep;
  RETURN_IF_ERROR(CheckHash(wire.id(), "sweep id"));
  ASSIGN_OR_RETURN(sweep.name, NameFromWire(wire.name(), "sweep name", 64));
  ASSIGN_OR_RETURN(sweep.state, FromWire(wire.state()));
  sweep.id = SweepId(wire.id());
  sweep.corpus = CorpusId(wire.corpus());
  sweep.spec_toml = wire.spec_toml();
  sweep.resolved_json = wire.resolved_json();
  for (const std::string& run : wire.runs()) {
    RETURN_IF_ERROR(CheckHash(run, "sweep run"));
    sweep.runs.emplace_back(run);
  }
  for (const std::string& run : wire.held_out()) {
    RETURN_IF_ERROR(CheckHash(run, "held-out run"));
    sweep.held_out.emplace_back(run);
  }
  sweep.max_failed_runs = wire.max_failed_runs();
  sweep.max_hours = wire.max_hours();
  sweep.reason = wire.reason();
  sweep.created_at_us = wire.created_at_us();
  sweep.finished_at_us = wire.finished_at_us();
  sweep.paused = wire.paused();
  sweep.priority = wire.priority();
  sweep.weight = wire.weight();
  return sweep;
}

v1::SweepFit ToWire(const SweepFit& fit) {
  v1::SweepFit wire;
  wire.set_family(std::string(FamilyName(fit.family)));
  wire.set_fit_json(fit.json);
  wire.set_sha256(fit.sha256);
  wire.set_fitted_at_us(fit.fitted_at_us);
  return wire;
}

v1::FrozenPrediction ToWire(const FrozenPrediction& prediction) {
  v1::FrozenPrediction wire;
  wire.set_prediction_json(FrozenPredictionJson(prediction));
  wire.set_sha256(FrozenPredictionHash(prediction));
  wire.set_blind(prediction.blind);
  wire.set_frozen_at_us(prediction.frozen_at_us);
  return wire;
}

absl::StatusOr<FrozenPrediction> FromWire(const v1::FrozenPrediction& wire) {
  if (Sha256Hex(wire.prediction_json()) != wire.sha256()) {
    return DataLoss("frozen prediction: its bytes do not match its hash " + wire.sha256());
  }
  ASSIGN_OR_RETURN(FrozenPrediction prediction, FrozenPredictionFromJson(wire.prediction_json()));
  prediction.blind = wire.blind();
  prediction.frozen_at_us = wire.frozen_at_us();
  return prediction;
}

v1::Worker ToWire(const Worker& worker) {
  v1::Worker wire;
  wire.set_id(worker.id.text());
  wire.set_host(worker.host);
  wire.set_device(worker.device);
  wire.set_cpu(worker.cpu);
  wire.set_software(worker.software);
  wire.set_slots(worker.slots);
  wire.set_threads_per_slot(worker.threads_per_slot);
  wire.set_memory_bytes(worker.memory_bytes);
  wire.set_state(ToWire(worker.state));
  wire.set_reason(worker.reason);
  wire.set_registered_at_us(worker.registered_at_us);
  wire.set_last_seen_at_us(worker.last_seen_at_us);
  wire.set_drained(worker.drained);
  return wire;
}

absl::StatusOr<Worker> FromWire(const v1::Worker& wire) {
  Worker worker;
  ASSIGN_OR_RETURN(std::string id, NameFromWire(wire.id(), "worker id", 64));
  worker.id = WorkerId(std::move(id));
  for (const auto* text :
       {&wire.host(), &wire.device(), &wire.cpu(), &wire.software(), &wire.reason()}) {
    RETURN_IF_ERROR(CheckText(*text, "worker description"));
  }
  if (wire.slots() < 1 || wire.slots() > 1024) return Bad("worker slots", "must be 1 to 1024");
  if (wire.threads_per_slot() < 1 || wire.threads_per_slot() > 1024) {
    return Bad("worker threads_per_slot", "must be 1 to 1024");
  }
  RETURN_IF_ERROR(CheckCount(wire.memory_bytes(), "worker memory_bytes"));
  ASSIGN_OR_RETURN(worker.state, FromWire(wire.state()));
  worker.host = wire.host();
  worker.device = wire.device();
  worker.cpu = wire.cpu();
  worker.software = wire.software();
  worker.slots = wire.slots();
  worker.threads_per_slot = wire.threads_per_slot();
  worker.memory_bytes = wire.memory_bytes();
  worker.reason = wire.reason();
  worker.registered_at_us = wire.registered_at_us();
  worker.last_seen_at_us = wire.last_seen_at_us();
  worker.drained = wire.drained();
  return worker;
}

v1::Points ToWire(const std::vector<LossPoint>& points) {
  v1::Points wire;
  const int count = static_cast<int>(points.size());
  wire.mutable_series()->Reserve(count);
  wire.mutable_step()->Reserve(count);
  wire.mutable_value()->Reserve(count);
  for (const LossPoint& point : points) {
    wire.add_series(static_cast<std::uint32_t>(point.series));
    wire.add_step(point.step);
    wire.add_value(point.value);
  }
  return wire;
}

absl::StatusOr<std::vector<LossPoint>> FromWire(const v1::Points& wire, int limit) {
  const int count = wire.series_size();
  if (wire.step_size() != count || wire.value_size() != count) {
    return Bad("points", "the three columns differ in length");
  }
  if (count > limit) return Bad("points", "more than the limit of " + std::to_string(limit));
  std::vector<LossPoint> points;
  points.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const std::optional<Series> series = SeriesFromNumber(static_cast<int>(wire.series(i)));
    if (!series) return Bad("points series", "unknown number " + std::to_string(wire.series(i)));
    if (wire.step(i) < 0) return Bad("points step", "must not be negative");
    points.push_back({*series, wire.step(i), wire.value(i)});
  }
  return points;
}

}  // namespace etude
