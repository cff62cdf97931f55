#include "tests/support/scripted_sweep.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/scaling/loss_point.h"
#include "proto/blob_client.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

constexpr char kWorker[] = "scripted";
constexpr std::int64_t kSteps = 4;  // of each run: batch 8, context 64
constexpr int kCorpusTokens = 1'000'000;
constexpr std::int64_t kAcquireWaitMs = 2000;
constexpr absl::Duration kCallLimit = absl::Seconds(10);
const std::vector<std::string> kCorpusFiles = {"train.npy", "val.npy", "test.npy", "vocab.json"};

double LossAfter(std::int64_t step) { return 1.5 + 2.0 / static_cast<double>(step); }

std::string SpecOf(const std::string& name, const std::string& seeds) {
  return "name = \"" + name +
         "\"\ncorpus = \"scripted\"\n"
         "[train]\nbatch = 8\ncontext = 64\n[[grid]]\ntransformer = [\"1x16x2\"]\ntokens = [2048]\n"
         "seeds = [" +
         seeds + "]\n";
}

std::string ManifestOf(const std::map<std::string, v1::ArtifactFile>& files) {
  nlohmann::json root = {
      {"format_version", "1.0"}, {"tokenizer", "char"}, {"vocab", 37}, {"chars_per_token", 1.0}};
  for (const char* split : {"train", "val", "test"}) root["split"][split]["tokens"] = kCorpusTokens;
  for (const std::string& name : kCorpusFiles) {
    const v1::ArtifactFile& file = files.at(name);
    root["files"].push_back({{"name", name}, {"sha256", file.sha256()}, {"bytes", file.bytes()}});
  }
  return root.dump();
}

void WithoutTimes(v1::Run& run) {
  run.clear_created_at_us();
  run.clear_finished_at_us();
}

// Takes out each lease that the worker never heard of, and numbers what follows as if it had not
// been.
void WithoutLostAttempts(v1::GetRunResponse& run) {
  for (int i = 0; i < run.attempts_size();) {
    if (run.attempts(i).reason().find("came back without it") == std::string::npos) {
      ++i;
      continue;
    }
    const int number = run.attempts(i).number();
    run.mutable_attempts()->DeleteSubrange(i, 1);
    for (v1::Attempt& attempt : *run.mutable_attempts()) {
      if (attempt.number() > number) attempt.set_number(attempt.number() - 1);
    }
    for (v1::Checkpoint& checkpoint : *run.mutable_checkpoints()) {
      if (checkpoint.attempt() > number) checkpoint.set_attempt(checkpoint.attempt() - 1);
    }
    run.mutable_jobs(0)->set_attempts(run.jobs(0).attempts() - 1);
    run.mutable_progress()->set_attempts(run.progress().attempts() - 1);
  }
}

}  // namespace

// The script.

ScriptedSweep::ScriptedSweep(const std::string& directory) : directory_(directory) {
  for (const std::string& name : kCorpusFiles) AddUpload(name, "stands for " + name);
  Add("push the corpus", false, [this] { return PushCorpus(); });
  AddSubmit("first", "1, 2");
  AddControl("first", v1::ControlSweepRequest::ACTION_PAUSE);
  AddControl("first", v1::ControlSweepRequest::ACTION_RESUME);
  AddWholeRun("one");
  // A run in two attempts: what the first reported after its checkpoint is reported again.
  AddAcquire(1);
  AddReport(1, 2);
  AddCheckpoint("two", v1::CHECKPOINT_KIND_RESUME, 2);
  AddReport(3, 3);
  AddFinish(v1::JOB_OUTCOME_RELEASED);
  restart_before_ = steps_.size();
  AddAcquire(2);
  AddReport(3, 4);
  AddCheckpoint("two-last", v1::CHECKPOINT_KIND_LAST, kSteps);
  AddFinish(v1::JOB_OUTCOME_SUCCEEDED);
  AddSubmit("second", "2, 3");  // shares a run
  AddWholeRun("three");
}

void ScriptedSweep::Add(const std::string& name, bool by_worker,
                        std::function<absl::Status()> call) {
  steps_.push_back({name, by_worker, std::move(call)});
}

void ScriptedSweep::AddUpload(const std::string& name, const std::string& bytes) {
  Add("upload " + name, false, [this, name, bytes]() -> absl::Status {
    const std::string path = directory_ + "/" + name;
    RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
    BlobClient blobs(*channel_, clock_);
    ASSIGN_OR_RETURN(const ArtifactFile file, blobs.Upload(path));
    files_[name] = ToWire(file);
    return absl::OkStatus();
  });
}

void ScriptedSweep::AddSubmit(const std::string& sweep, const std::string& seeds) {
  Add("submit " + sweep, false, [this, spec = SpecOf(sweep, seeds)] {
    v1::SubmitSweepRequest request;
    v1::SubmitSweepResponse response;
    request.set_spec_toml(spec);
    request.set_file_name("scripted.toml");
    return Ask(*client_, &v1::ClientService::Stub::SubmitSweep, request, response);
  });
}

void ScriptedSweep::AddControl(const std::string& sweep, v1::ControlSweepRequest::Action action) {
  Add("control " + sweep, false, [this, sweep, action] {
    v1::ControlSweepRequest request;
    v1::ControlSweepResponse response;
    request.set_sweep(sweep);
    request.set_action(action);
    return Ask(*client_, &v1::ClientService::Stub::ControlSweep, request, response);
  });
}

// While the coordinator lives, a lost reply costs no attempt: its number is known beforehand.
void ScriptedSweep::AddAcquire(int attempt) {
  Add("acquire", true, [this, attempt]() -> absl::Status {
    v1::AcquireRequest request;
    v1::AcquireResponse response;
    request.set_worker(kWorker);
    request.set_wait_ms(kAcquireWaitMs);
    RETURN_IF_ERROR(Ask(*worker_, &v1::WorkerService::Stub::Acquire, request, response));
    const v1::Assignment& assignment = response.assignment();
    if (!response.has_assignment()) return Unavailable("no job: " + response.reason());
    lost_attempts_[assignment.job()] = assignment.attempt() - attempt;
    lease_ = {assignment.job(), assignment.attempt(), assignment.run()};
    return absl::OkStatus();
  });
}

void ScriptedSweep::AddReport(std::int64_t first, std::int64_t last) {
  Add("report", true, [this, first, last] { return Report(first, last); });
}

void ScriptedSweep::AddCheckpoint(const std::string& name, v1::CheckpointKind kind,
                                  std::int64_t step) {
  AddUpload(name, "the weights of " + name);
  Add("commit checkpoint", true, [this, name, kind, step] {
    v1::CommitCheckpointRequest request;
    v1::CommitCheckpointResponse response;
    request.set_worker(kWorker);
    v1::Checkpoint& checkpoint = *request.mutable_checkpoint();
    checkpoint.set_job(lease_->job);
    checkpoint.set_attempt(lease_->attempt);
    checkpoint.set_kind(kind);
    checkpoint.set_step(step);
    *checkpoint.add_files() = files_.at(name);
    return Ask(*worker_, &v1::WorkerService::Stub::CommitCheckpoint, request, response);
  });
}

void ScriptedSweep::AddFinish(v1::JobOutcome outcome) {
  Add("finish", true, [this, outcome] { return Finish(outcome); });
}

void ScriptedSweep::AddWholeRun(const std::string& name) {
  AddAcquire(1);
  AddReport(1, 2);
  AddReport(3, kSteps);
  AddCheckpoint(name, v1::CHECKPOINT_KIND_LAST, kSteps);
  AddFinish(v1::JOB_OUTCOME_SUCCEEDED);
}

// The calls.

void ScriptedSweep::Connect(const std::string& endpoint, const std::string& token) {
  channel_ =
      std::make_unique<CoordinatorChannel>(ChannelOptions{.endpoint = endpoint, .token = token});
  client_ = v1::ClientService::NewStub(channel_->channel());
  worker_ = v1::WorkerService::NewStub(channel_->channel());
  registered_ = false;
}

void ScriptedSweep::Disconnect() {
  client_.reset();
  worker_.reset();
  channel_.reset();
}

template <typename Stub, typename Request, typename Response>
absl::Status ScriptedSweep::Ask(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, Response& response) {
  grpc::ClientContext context;
  channel_->Prepare(context, kCallLimit);
  return FromGrpc((stub.*method)(&context, request, &response));
}

absl::Status ScriptedSweep::Advance() {
  const Step& step = steps_[next_];
  if (step.by_worker && !registered_) RETURN_IF_ERROR(Register());
  const absl::Status status = step.call();
  if (step.by_worker && absl::IsNotFound(status)) registered_ = false;
  if (status.ok()) ++next_;
  return status;
}

int ScriptedSweep::lost_attempts() const {
  int lost = 0;
  for (const auto& [job, attempts] : lost_attempts_) lost += attempts;
  return lost;
}

absl::Status ScriptedSweep::Register() {
  v1::RegisterRequest request;
  v1::RegisterResponse response;
  request.set_protocol(kProtocolVersion);
  v1::Worker& facts = *request.mutable_worker();
  facts.set_id(kWorker);
  facts.set_host("here");
  facts.set_device("cpu");
  facts.set_slots(1);
  facts.set_threads_per_slot(1);
  facts.set_state(v1::WORKER_STATE_ONLINE);
  if (lease_) {
    request.add_held()->set_job(lease_->job);
    request.mutable_held(0)->set_attempt(lease_->attempt);
  }
  RETURN_IF_ERROR(Ask(*worker_, &v1::WorkerService::Stub::Register, request, response));
  registered_ = true;
  // A lease ends when its Finish is committed, and not before, whoever died.
  for (const v1::Directive& directive : response.directives()) {
    if (directive.action() != v1::ACTION_KEEP && NameOfStep() != "finish") {
      return Internal("the lease was lost before: " + NameOfStep());
    }
  }
  return absl::OkStatus();
}

absl::Status ScriptedSweep::Report(std::int64_t first, std::int64_t last) {
  grpc::ClientContext context;
  channel_->Prepare(context, kCallLimit);
  v1::ReportRequest request;
  request.set_sequence(1);
  request.set_worker(kWorker);
  request.set_job(lease_->job);
  request.set_attempt(lease_->attempt);
  v1::Points& points = *request.mutable_points();
  for (std::int64_t step = first; step <= last; ++step) {
    for (const Series series : {Series::kTrain, Series::kLearningRate, Series::kGradNorm}) {
      points.add_series(static_cast<std::uint32_t>(series));
      points.add_step(step);
      points.add_value(LossAfter(step) / static_cast<double>(series));
    }
  }
  v1::ReportResponse response;
  const auto stream = worker_->Report(&context);
  const bool acknowledged = stream->Write(request) && stream->Read(&response);
  stream->WritesDone();
  const absl::Status ended = FromGrpc(stream->Finish());
  if (!acknowledged) return ended.ok() ? Unavailable("the stream has ended") : ended;
  return response.superseded().empty() ? absl::OkStatus() : FailedPrecondition("superseded");
}

absl::Status ScriptedSweep::Finish(v1::JobOutcome outcome) {
  v1::FinishRequest request;
  v1::FinishResponse response;
  request.set_worker(kWorker);
  request.set_job(lease_->job);
  request.set_attempt(lease_->attempt);
  request.set_outcome(outcome);
  if (outcome == v1::JOB_OUTCOME_SUCCEEDED) {
    request.mutable_result()->set_val_loss(LossAfter(kSteps));
    request.mutable_result()->set_device("cpu");
  }
  RETURN_IF_ERROR(Ask(*worker_, &v1::WorkerService::Stub::Finish, request, response));
  lease_.reset();
  return absl::OkStatus();
}

absl::Status ScriptedSweep::PushCorpus() {
  const std::string path = directory_ + "/corpus.json";
  RETURN_IF_ERROR(WriteFileAtomically(path, ManifestOf(files_)));
  BlobClient blobs(*channel_, clock_);
  ASSIGN_OR_RETURN(const ArtifactFile manifest, blobs.Upload(path));
  v1::PushCorpusRequest request;
  v1::PushCorpusResponse response;
  request.set_name("scripted");
  for (const std::string& name : kCorpusFiles) *request.add_files() = files_.at(name);
  *request.add_files() = ToWire(manifest);
  return Ask(*client_, &v1::ClientService::Stub::PushCorpus, request, response);
}

// What is stored.

absl::StatusOr<std::string> ScriptedSweep::Stored() {
  v1::ListCorporaResponse corpora;
  RETURN_IF_ERROR(
      Ask(*client_, &v1::ClientService::Stub::ListCorpora, v1::ListCorporaRequest(), corpora));
  std::string text = corpora.ShortDebugString() + "\n";
  v1::ListSweepsResponse sweeps;
  RETURN_IF_ERROR(
      Ask(*client_, &v1::ClientService::Stub::ListSweeps, v1::ListSweepsRequest(), sweeps));
  for (v1::SweepSummary& summary : *sweeps.mutable_sweeps()) {
    summary.mutable_sweep()->clear_created_at_us();
    summary.mutable_sweep()->clear_finished_at_us();
    text += summary.ShortDebugString() + "\n";
  }
  v1::ListRunsResponse runs;
  RETURN_IF_ERROR(Ask(*client_, &v1::ClientService::Stub::ListRuns, v1::ListRunsRequest(), runs));
  for (const v1::RunProgress& progress : runs.runs()) {
    ASSIGN_OR_RETURN(const std::string run, RunText(progress.run().key()));
    ASSIGN_OR_RETURN(const std::string curve, CurveOf(progress.run().key()));
    text += run + "\n" + curve + "\n";
  }
  RETURN_IF_ERROR(CheckBytes());
  return text;
}

absl::StatusOr<std::string> ScriptedSweep::RunText(const std::string& run) {
  v1::GetRunRequest request;
  v1::GetRunResponse response;
  request.set_run(run);
  RETURN_IF_ERROR(Ask(*client_, &v1::ClientService::Stub::GetRun, request, response));
  WithoutTimes(*response.mutable_progress()->mutable_run());
  response.mutable_progress()->clear_wait_reason();  // says who is online
  for (v1::Attempt& attempt : *response.mutable_attempts()) {
    attempt.clear_started_at_us();
    attempt.clear_ended_at_us();
  }
  WithoutLostAttempts(response);
  return response.ShortDebugString();
}

absl::StatusOr<std::string> ScriptedSweep::CurveOf(const std::string& run) {
  grpc::ClientContext context;
  channel_->Prepare(context, kCallLimit);
  v1::GetCurveRequest request;
  request.set_run(run);
  const auto reader = client_->GetCurve(&context, request);
  v1::GetCurveResponse response;
  std::string text;
  std::set<std::pair<std::uint32_t, std::int64_t>> seen;
  while (reader->Read(&response)) {
    const v1::Points& points = response.points();
    for (int i = 0; i < points.step_size(); ++i) {
      if (!seen.emplace(points.series(i), points.step(i)).second) {
        return DataLoss("twice in the curve of " + run + ": step " +
                        std::to_string(points.step(i)));
      }
    }
    text += points.ShortDebugString();
  }
  RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  return text;
}

absl::Status ScriptedSweep::CheckBytes() {
  BlobClient blobs(*channel_, clock_);
  for (const auto& [name, file] : files_) {
    ASSIGN_OR_RETURN(const ArtifactFile sent, FromWire(file));
    RETURN_IF_ERROR(blobs.Download(sent, directory_ + "/back." + name));
  }
  return absl::OkStatus();
}

}  // namespace etude
