#include "client/coordinator_client.h"

#include <set>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "client/failure.h"
#include "etude/v1/bundle.grpc.pb.h"
#include "etude/v1/client.grpc.pb.h"
#include "etude/v1/store.grpc.pb.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "proto/blob_client.h"
#include "proto/channel.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

constexpr int kMaxPointsPerMessage = 1 << 20;
constexpr std::size_t kMaxCurvePoints = std::size_t{1} << 28;
constexpr absl::Duration kFitDeadline = absl::Minutes(10);
constexpr absl::Duration kImportDeadline = absl::Minutes(15);
constexpr absl::Duration kStoreDeadline = absl::Hours(12);  // of a backup or a check of the store
constexpr std::size_t kMaxManifestBytes = std::size_t{1} << 30;
constexpr std::size_t kMaxBackupBlobs = std::size_t{1} << 23;

absl::StatusOr<RunProgress> ProgressFromWire(const v1::RunProgress& wire) {
  RunProgress progress;
  ASSIGN_OR_RETURN(progress.run, FromWire(wire.run()));
  progress.step = wire.step();
  progress.train_loss = wire.train_loss();
  progress.val_probe = wire.val_probe();
  progress.tokens_per_s = wire.tokens_per_s();
  progress.worker = WorkerId(wire.worker());
  progress.attempts = wire.attempts();
  progress.wait_reason = wire.wait_reason();
  progress.held_out = wire.held_out();
  return progress;
}

absl::StatusOr<std::vector<RunProgress>> RunsFromWire(
    const google::protobuf::RepeatedPtrField<v1::RunProgress>& wire) {
  std::vector<RunProgress> runs;
  for (const v1::RunProgress& run : wire) {
    ASSIGN_OR_RETURN(RunProgress progress, ProgressFromWire(run));
    runs.push_back(std::move(progress));
  }
  return runs;
}

absl::StatusOr<SweepSummary> SummaryFromWire(const v1::SweepSummary& wire) {
  SweepSummary summary;
  ASSIGN_OR_RETURN(summary.sweep, FromWire(wire.sweep()));
  summary.queued = wire.queued();
  summary.running = wire.running();
  summary.succeeded = wire.succeeded();
  summary.failed = wire.failed();
  summary.cancelled = wire.cancelled();
  return summary;
}

absl::StatusOr<SweepView> ViewFromWire(const v1::GetSweepResponse& wire) {
  SweepView view;
  ASSIGN_OR_RETURN(view.summary, SummaryFromWire(wire.summary()));
  ASSIGN_OR_RETURN(view.runs, RunsFromWire(wire.runs()));
  view.eta_s = wire.eta_seconds();
  view.makespan_bound_s = wire.makespan_bound_seconds();
  view.makespan_s = wire.makespan_seconds();
  return view;
}

CoordinatorInfo InfoFromWire(const v1::GetInfoResponse& wire) {
  CoordinatorInfo info;
  info.software = wire.software();
  info.protocol = wire.protocol();
  info.sqlite_version = wire.sqlite_version();
  info.schema_version = wire.schema_version();
  info.started_at_us = wire.started_at_us();
  info.now_us = wire.now_us();
  info.state_dir = wire.state_dir();
  info.free_bytes = wire.free_bytes();
  info.active_sweeps = wire.active_sweeps();
  info.queued_jobs = wire.queued_jobs();
  info.leased_jobs = wire.leased_jobs();
  info.online_workers = wire.online_workers();
  info.read_only = wire.read_only();
  info.read_only_reason = wire.read_only_reason();
  return info;
}

v1::FitSweepRequest ToWire(const FitRequest& request) {
  v1::FitSweepRequest wire;
  wire.set_sweep(request.sweep);
  const FitOptions& options = request.options;
  wire.set_law(std::string(LawName(options.law)));
  wire.set_objective(std::string(ObjectiveName(options.objective)));
  if (options.delta) wire.set_delta(*options.delta);
  for (const FixedParameter& fixed : options.fixed) {
    v1::FitSweepRequest::Fixed& added = *wire.add_fixed();
    added.set_name(std::string(ParameterName(fixed.parameter)));
    added.set_value(fixed.value);
  }
  wire.set_bootstrap(options.bootstrap);
  wire.set_seed(options.seed);
  wire.set_allow_repeats(options.allow_repeats);
  wire.set_convention(std::string(NConventionName(request.convention)));
  wire.set_split(std::string(FitSplitName(request.split)));
  wire.set_where(request.where);
  return wire;
}

// The transport's own words for no connection end with the reason; what comes before says the
// endpoint again. Words of the coordinator stay whole.
std::string ShortReason(const std::string& message) {
  if (!message.starts_with("failed to connect")) return message;
  const std::size_t last = message.rfind(": ");
  return last == std::string::npos ? message : message.substr(last + 2);
}

// A record the coordinator sent that breaks the contract is its fault, not the user's.
absl::Status BadAnswer(const absl::Status& status) {
  if (status.ok()) return status;
  return Internal("the coordinator's answer cannot be read: " + MessageOf(status));
}

template <typename T>
absl::StatusOr<T> Checked(absl::StatusOr<T> value) {
  if (!value.ok()) return BadAnswer(value.status());
  return value;
}

}  // namespace

int ClientProtocol() { return kProtocolVersion; }
int OldestClientProtocol() { return kOldestProtocolVersion; }

absl::StatusOr<std::string> ReadTokenIfAny(const std::string& path) {
  absl::StatusOr<std::string> token = ReadTokenFile(path);
  if (token.status().code() == absl::StatusCode::kNotFound) return std::string();
  return token;
}

struct CoordinatorClient::Wire {
  Wire(ChannelOptions options, Clock& the_clock)
      : channel(std::move(options)),
        stub(v1::ClientService::NewStub(channel.channel())),
        store(v1::StoreService::NewStub(channel.channel())),
        bundles(v1::BundleService::NewStub(channel.channel())),
        blobs(channel, the_clock),
        clock(the_clock) {}

  // No connection and no answer are one thing to a person: the coordinator is not there.
  absl::Status Explain(const absl::Status& status) const {
    if (status.code() == absl::StatusCode::kDeadlineExceeded) {
      return Unavailable("the coordinator at " + channel.endpoint() +
                         " did not answer in time: " + MessageOf(status));
    }
    if (status.code() != absl::StatusCode::kUnavailable) return status;
    absl::Status away = Unavailable("no coordinator can be reached at " + channel.endpoint() +
                                    ": " + ShortReason(MessageOf(status)));
    if (IsLoopback(channel.endpoint()) && !channel.secured()) return away;
    return WithHint(away,
                    "etude doctor; it must run there, and --tls-ca, --tls-cert and --tls-key be of "
                    "its authority");
  }

  template <typename Request, typename Response>
  using Method = grpc::Status (v1::ClientService::Stub::*)(grpc::ClientContext*, const Request&,
                                                           Response*);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request,
                                RetryOptions retry = {},
                                absl::Duration deadline = kControlDeadline) {
    Response response;
    const absl::Status status = WithRetry(retry, clock, [&] {
      grpc::ClientContext context;
      channel.Prepare(context, deadline);
      response.Clear();
      return FromGrpc((stub.get()->*method)(&context, request, &response));
    });
    if (!status.ok()) return Explain(status);
    return response;
  }

  // A stream that may run for long begins, and can be stopped.
  void StartWatch(grpc::ClientContext& context, absl::Duration limit) {
    channel.Prepare(context, limit);
    const absl::MutexLock lock(&mutex);
    watches.insert(&context);
  }
  // Reads it until its end or until `take` refuses a message.
  template <typename Response>
  absl::Status ReadWatch(grpc::ClientContext& context, grpc::ClientReader<Response>& reader,
                         const std::function<absl::Status(const Response&)>& take) {
    absl::Status status;
    Response response;
    while (status.ok() && reader.Read(&response)) status = take(response);
    if (!status.ok()) context.TryCancel();
    const absl::Status end = FromGrpc(reader.Finish());
    {
      const absl::MutexLock lock(&mutex);
      watches.erase(&context);
    }
    if (!status.ok()) return status;
    return end.code() == absl::StatusCode::kDeadlineExceeded ? end : Explain(end);
  }

  absl::StatusOr<Sweep> Control(const v1::ControlSweepRequest& request) {
    ASSIGN_OR_RETURN(const v1::ControlSweepResponse response,
                     Call(&v1::ClientService::Stub::ControlSweep, request));
    return Checked(FromWire(response.sweep()));
  }

  CoordinatorChannel channel;
  std::unique_ptr<v1::ClientService::Stub> stub;
  std::unique_ptr<v1::StoreService::Stub> store;
  std::unique_ptr<v1::BundleService::Stub> bundles;
  BlobClient blobs;
  Clock& clock;
  absl::Mutex mutex;
  std::set<grpc::ClientContext*> watches ABSL_GUARDED_BY(mutex);
};

CoordinatorClient::CoordinatorClient(const std::string& endpoint, const std::string& token,
                                     Clock& clock)
    : CoordinatorClient(std::make_unique<Wire>(ChannelOptions{endpoint, token}, clock)) {}
CoordinatorClient::CoordinatorClient(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
CoordinatorClient::~CoordinatorClient() = default;

absl::StatusOr<std::unique_ptr<CoordinatorClient>> CoordinatorClient::Make(
    const ClientContext& context, Clock& clock) {
  ChannelOptions options{context.endpoint, "", std::nullopt};
  if (!context.token_file.empty()) {
    ASSIGN_OR_RETURN(options.token, ReadTokenIfAny(context.token_file));
  }
  ASSIGN_OR_RETURN(options.tls, ReadTls({context.tls_cert, context.tls_key, context.tls_ca}));
  RETURN_IF_ERROR(CheckPlainText(context.endpoint, options.tls));
  return std::unique_ptr<CoordinatorClient>(
      new CoordinatorClient(std::make_unique<Wire>(std::move(options), clock)));
}

const std::string& CoordinatorClient::endpoint() const { return wire_->channel.endpoint(); }

absl::StatusOr<CoordinatorInfo> CoordinatorClient::Info() {
  ASSIGN_OR_RETURN(const v1::GetInfoResponse response,
                   wire_->Call(&v1::ClientService::Stub::GetInfo, v1::GetInfoRequest()));
  return InfoFromWire(response);
}

absl::StatusOr<CoordinatorInfo> CoordinatorClient::Probe() {
  ASSIGN_OR_RETURN(const v1::GetInfoResponse response,
                   wire_->Call(&v1::ClientService::Stub::GetInfo, v1::GetInfoRequest(),
                               RetryOptions{.max_attempts = 1}));
  return InfoFromWire(response);
}

absl::StatusOr<PushedCorpus> CoordinatorClient::PushCorpus(const std::string& name,
                                                           const std::vector<ArtifactFile>& files) {
  v1::PushCorpusRequest request;
  request.set_name(name);
  for (const ArtifactFile& file : files) *request.add_files() = ToWire(file);
  ASSIGN_OR_RETURN(const v1::PushCorpusResponse response,
                   wire_->Call(&v1::ClientService::Stub::PushCorpus, request));
  PushedCorpus pushed;
  ASSIGN_OR_RETURN(pushed.corpus, Checked(FromWire(response.corpus())));
  pushed.created = response.created();
  return pushed;
}

absl::StatusOr<Corpus> CoordinatorClient::FindCorpus(const std::string& corpus) {
  v1::GetCorpusRequest request;
  request.set_corpus(corpus);
  ASSIGN_OR_RETURN(const v1::GetCorpusResponse response,
                   wire_->Call(&v1::ClientService::Stub::GetCorpus, request));
  return Checked(FromWire(response.corpus()));
}

absl::StatusOr<std::vector<Corpus>> CoordinatorClient::Corpora() {
  ASSIGN_OR_RETURN(const v1::ListCorporaResponse response,
                   wire_->Call(&v1::ClientService::Stub::ListCorpora, v1::ListCorporaRequest()));
  std::vector<Corpus> corpora;
  for (const v1::Corpus& wire : response.corpora()) {
    ASSIGN_OR_RETURN(Corpus corpus, Checked(FromWire(wire)));
    corpora.push_back(std::move(corpus));
  }
  return corpora;
}

absl::StatusOr<Submission> CoordinatorClient::Submit(const SubmitRequest& submit) {
  v1::SubmitSweepRequest request;
  request.set_spec_toml(submit.spec_toml);
  request.set_file_name(submit.file_name);
  request.set_corpus_id(submit.corpus.text());
  request.set_expected_sweep_id(submit.expected_sweep_id.text());
  ASSIGN_OR_RETURN(const v1::SubmitSweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::SubmitSweep, request));
  Submission submission;
  ASSIGN_OR_RETURN(submission.sweep, Checked(FromWire(response.sweep())));
  submission.created = response.created();
  submission.runs_shared = response.runs_shared();
  return submission;
}

absl::StatusOr<std::vector<SweepSummary>> CoordinatorClient::Sweeps() {
  ASSIGN_OR_RETURN(const v1::ListSweepsResponse response,
                   wire_->Call(&v1::ClientService::Stub::ListSweeps, v1::ListSweepsRequest()));
  std::vector<SweepSummary> sweeps;
  for (const v1::SweepSummary& wire : response.sweeps()) {
    ASSIGN_OR_RETURN(SweepSummary summary, Checked(SummaryFromWire(wire)));
    sweeps.push_back(std::move(summary));
  }
  return sweeps;
}

absl::StatusOr<SweepView> CoordinatorClient::FindSweep(const std::string& sweep) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  ASSIGN_OR_RETURN(const v1::GetSweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::GetSweep, request));
  return Checked(ViewFromWire(response));
}

absl::StatusOr<int> CoordinatorClient::DeleteSweep(const std::string& sweep,
                                                   const std::string& name) {
  v1::DeleteSweepRequest request;
  request.set_sweep(sweep);
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::DeleteSweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::DeleteSweep, request));
  return response.runs();
}

absl::StatusOr<Sweep> CoordinatorClient::CancelSweep(const std::string& sweep) {
  v1::CancelSweepRequest request;
  request.set_sweep(sweep);
  ASSIGN_OR_RETURN(const v1::CancelSweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::CancelSweep, request));
  return Checked(FromWire(response.sweep()));
}

absl::StatusOr<Sweep> CoordinatorClient::PauseSweep(const std::string& sweep, bool paused) {
  v1::ControlSweepRequest request;
  request.set_sweep(sweep);
  request.set_action(paused ? v1::ControlSweepRequest::ACTION_PAUSE
                            : v1::ControlSweepRequest::ACTION_RESUME);
  return wire_->Control(request);
}

absl::StatusOr<Sweep> CoordinatorClient::StopSweep(const std::string& sweep) {
  v1::ControlSweepRequest request;
  request.set_sweep(sweep);
  request.set_action(v1::ControlSweepRequest::ACTION_STOP);
  return wire_->Control(request);
}

absl::StatusOr<Sweep> CoordinatorClient::SetTurn(const std::string& sweep, int priority,
                                                 double weight) {
  v1::ControlSweepRequest request;
  request.set_sweep(sweep);
  request.set_action(v1::ControlSweepRequest::ACTION_SET_TURN);
  request.set_priority(priority);
  request.set_weight(weight);
  return wire_->Control(request);
}

absl::StatusOr<CoordinatorClient::Retried> CoordinatorClient::RetrySweep(const std::string& sweep,
                                                                         bool failed_only) {
  v1::RetrySweepRequest request;
  request.set_sweep(sweep);
  request.set_failed_only(failed_only);
  ASSIGN_OR_RETURN(const v1::RetrySweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::RetrySweep, request));
  Retried retried;
  ASSIGN_OR_RETURN(retried.sweep, Checked(FromWire(response.sweep())));
  retried.runs = response.runs();
  return retried;
}

absl::StatusOr<Run> CoordinatorClient::CancelRun(const std::string& run) {
  v1::CancelRunRequest request;
  request.set_run(run);
  ASSIGN_OR_RETURN(const v1::CancelRunResponse response,
                   wire_->Call(&v1::ClientService::Stub::CancelRun, request));
  return Checked(FromWire(response.run()));
}

absl::StatusOr<Run> CoordinatorClient::RetryRun(const std::string& run) {
  v1::RetryRunRequest request;
  request.set_run(run);
  ASSIGN_OR_RETURN(const v1::RetryRunResponse response,
                   wire_->Call(&v1::ClientService::Stub::RetryRun, request));
  return Checked(FromWire(response.run()));
}

absl::StatusOr<RunExplanation> CoordinatorClient::ExplainRun(const std::string& run) {
  v1::ExplainRunRequest request;
  request.set_run(run);
  ASSIGN_OR_RETURN(const v1::ExplainRunResponse response,
                   wire_->Call(&v1::ClientService::Stub::ExplainRun, request));
  RunExplanation explanation;
  ASSIGN_OR_RETURN(explanation.run, Checked(FromWire(response.run())));
  explanation.worker = response.worker();
  explanation.wait_reason = response.wait_reason();
  for (const auto& one : response.sweeps()) explanation.sweeps.push_back({one.who(), one.what()});
  for (const auto& one : response.workers()) explanation.workers.push_back({one.who(), one.what()});
  return explanation;
}

absl::StatusOr<Worker> CoordinatorClient::DrainWorker(const WorkerId& worker, bool drain) {
  v1::DrainWorkerRequest request;
  request.set_worker(worker.text());
  request.set_drain(drain);
  ASSIGN_OR_RETURN(const v1::DrainWorkerResponse response,
                   wire_->Call(&v1::ClientService::Stub::DrainWorker, request));
  return Checked(FromWire(response.worker()));
}

absl::Status CoordinatorClient::WatchSweep(const std::string& sweep, absl::Duration limit,
                                           const std::function<bool(const SweepView&)>& on_view) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  grpc::ClientContext context;
  wire_->StartWatch(context, limit);
  const auto reader = wire_->stub->WatchSweep(&context, request);
  return wire_->ReadWatch<v1::GetSweepResponse>(
      context, *reader, [&](const v1::GetSweepResponse& response) -> absl::Status {
        ASSIGN_OR_RETURN(const SweepView view, Checked(ViewFromWire(response)));
        return on_view(view) ? absl::OkStatus() : Cancelled("the watch was stopped");
      });
}

absl::Status CoordinatorClient::TailLog(const LogTail& tail, absl::Duration limit,
                                        const std::function<bool(const LogPart&)>& on_part) {
  v1::TailLogRequest request;
  request.set_run(tail.run);
  request.set_ordinal(tail.ordinal);
  request.set_offset(tail.offset);
  request.set_follow(tail.follow);
  grpc::ClientContext context;
  wire_->StartWatch(context, limit);
  const auto reader = wire_->stub->TailLog(&context, request);
  return wire_->ReadWatch<v1::TailLogResponse>(
      context, *reader, [&](const v1::TailLogResponse& response) -> absl::Status {
        LogPart part{std::nullopt, response.offset(), response.text()};
        if (response.has_attempt()) {
          ASSIGN_OR_RETURN(part.attempt, Checked(FromWire(response.attempt())));
        }
        return on_part(part) ? absl::OkStatus() : Cancelled("the tail was stopped");
      });
}

void CoordinatorClient::StopWatching() {
  const absl::MutexLock lock(&wire_->mutex);
  for (grpc::ClientContext* watch : wire_->watches) watch->TryCancel();
}

absl::StatusOr<std::vector<RunProgress>> CoordinatorClient::Runs(const std::string& sweep) {
  constexpr int kPage = 500;  // some 350 KiB: no answer holds the reader for long
  v1::ListRunsRequest request;
  request.set_sweep(sweep);
  request.set_limit(kPage);
  std::vector<RunProgress> runs;
  for (;;) {
    request.set_offset(static_cast<int>(runs.size()));
    ASSIGN_OR_RETURN(const v1::ListRunsResponse response,
                     wire_->Call(&v1::ClientService::Stub::ListRuns, request));
    ASSIGN_OR_RETURN(std::vector<RunProgress> page, Checked(RunsFromWire(response.runs())));
    std::move(page.begin(), page.end(), std::back_inserter(runs));
    if (response.runs_size() < kPage) return runs;
  }
}

absl::StatusOr<RunView> CoordinatorClient::FindRun(const std::string& run) {
  v1::GetRunRequest request;
  request.set_run(run);
  ASSIGN_OR_RETURN(const v1::GetRunResponse response,
                   wire_->Call(&v1::ClientService::Stub::GetRun, request));
  RunView view;
  ASSIGN_OR_RETURN(view.progress, Checked(ProgressFromWire(response.progress())));
  for (const v1::Job& wire : response.jobs()) {
    ASSIGN_OR_RETURN(Job job, Checked(FromWire(wire)));
    view.jobs.push_back(std::move(job));
  }
  for (const v1::Attempt& wire : response.attempts()) {
    AttemptView attempt;
    ASSIGN_OR_RETURN(attempt.attempt, Checked(FromWire(wire)));
    ASSIGN_OR_RETURN(attempt.artifacts, Checked(FilesFromWire(wire.artifacts())));
    view.attempts.push_back(std::move(attempt));
  }
  for (const v1::Checkpoint& wire : response.checkpoints()) {
    ASSIGN_OR_RETURN(Checkpoint checkpoint, Checked(FromWire(wire)));
    view.checkpoints.push_back(std::move(checkpoint));
  }
  view.sweeps.assign(response.sweeps().begin(), response.sweeps().end());
  return view;
}

absl::StatusOr<std::vector<LossPoint>> CoordinatorClient::Curve(const std::string& run,
                                                                const std::vector<Series>& series) {
  v1::GetCurveRequest request;
  request.set_run(run);
  for (const Series one : series) request.add_series(static_cast<std::uint32_t>(one));
  std::vector<LossPoint> points;
  const absl::Status status = WithRetry(RetryOptions(), wire_->clock, [&]() -> absl::Status {
    points.clear();
    grpc::ClientContext context;
    wire_->channel.Prepare(context, kDataDeadline);
    const auto reader = wire_->stub->GetCurve(&context, request);
    v1::GetCurveResponse response;
    absl::Status read;
    while (read.ok() && reader->Read(&response)) {
      auto part = Checked(FromWire(response.points(), kMaxPointsPerMessage));
      read = part.status();
      if (part.ok()) points.insert(points.end(), part->begin(), part->end());
      if (points.size() > kMaxCurvePoints) read = Internal("the curve has no end");
    }
    if (!read.ok()) context.TryCancel();
    const absl::Status end = FromGrpc(reader->Finish());
    return read.ok() ? end : read;
  });
  if (!status.ok()) return wire_->Explain(status);
  return points;
}

absl::StatusOr<std::vector<FamilyFit>> CoordinatorClient::FitSweep(const FitRequest& request) {
  ASSIGN_OR_RETURN(const v1::FitSweepResponse response,
                   wire_->Call(&v1::ClientService::Stub::FitSweep, ToWire(request), RetryOptions(),
                               kFitDeadline));
  std::vector<FamilyFit> fits;
  for (const v1::SweepFit& wire : response.fits()) {
    ASSIGN_OR_RETURN(Fit fit, Checked(FitFromJson(wire.fit_json())));
    const std::optional<Family> family = FamilyFromName(wire.family());
    if (!family) return BadAnswer(InvalidArgument("unknown family " + wire.family()));
    fits.push_back({family, std::move(fit), wire.fit_json()});
  }
  return fits;
}

absl::StatusOr<std::vector<FrozenPrediction>> CoordinatorClient::Predictions(
    const std::string& sweep) {
  v1::ListPredictionsRequest request;
  request.set_sweep(sweep);
  ASSIGN_OR_RETURN(const v1::ListPredictionsResponse response,
                   wire_->Call(&v1::ClientService::Stub::ListPredictions, request));
  std::vector<FrozenPrediction> predictions;
  for (const v1::FrozenPrediction& wire : response.predictions()) {
    ASSIGN_OR_RETURN(FrozenPrediction prediction, FromWire(wire));
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

absl::StatusOr<std::vector<WorkerView>> CoordinatorClient::Workers() {
  ASSIGN_OR_RETURN(const v1::ListWorkersResponse response,
                   wire_->Call(&v1::ClientService::Stub::ListWorkers, v1::ListWorkersRequest()));
  std::vector<WorkerView> workers;
  for (const v1::ListWorkersResponse::Entry& entry : response.workers()) {
    WorkerView view;
    ASSIGN_OR_RETURN(view.worker, Checked(FromWire(entry.worker())));
    for (const std::string& run : entry.runs()) view.runs.emplace_back(run);
    view.idle_reason = entry.idle_reason();
    workers.push_back(std::move(view));
  }
  return workers;
}

absl::StatusOr<StoreView> CoordinatorClient::Store() {
  grpc::ClientContext context;
  wire_->channel.Prepare(context, kDataDeadline);
  v1::GetStoreResponse response;
  const absl::Status status =
      FromGrpc(wire_->store->GetStore(&context, v1::GetStoreRequest(), &response));
  if (!status.ok()) return wire_->Explain(status);
  return StoreView{.database_bytes = response.database_bytes(),
                   .blobs = response.blobs(),
                   .blob_bytes = response.blob_bytes(),
                   .reclaimable = response.reclaimable(),
                   .reclaimable_bytes = response.reclaimable_bytes(),
                   .free_bytes = response.free_bytes()};
}

namespace {

// Adds the blobs of one message; their names are of no use here.
template <typename Blobs>
absl::Status AddBlobs(const Blobs& sent, std::vector<ArtifactFile>& blobs) {
  for (const v1::ArtifactFile& blob : sent) {
    if (!IsSha256Hex(blob.sha256()) || blob.bytes() < 0) {
      return BadAnswer(InvalidArgument("a blob without a hash or a size"));
    }
    blobs.push_back({"", blob.sha256(), blob.bytes()});
  }
  return blobs.size() <= kMaxBackupBlobs ? absl::OkStatus()
                                         : Internal("the coordinator's list of blobs has no end");
}

// Whether a chunk is the next one, and whole; `of` says of what.
absl::Status CheckChunk(const v1::Chunk& chunk, std::int64_t received, const std::string& of) {
  if (chunk.offset() == received && Crc32c(chunk.data()) == chunk.crc32c()) return absl::OkStatus();
  return Unavailable("a chunk of the " + of + " came damaged; repeat the same command");
}

// Reads until `parts` are whole, then lets the receiver fetch the blobs while the open call holds
// them. `what` ended early if they never are.
template <typename Part, typename Parts, typename Receiver, typename Explain>
absl::Status ReceiveParts(grpc::ClientContext& context, grpc::ClientReader<Part>& reader,
                          Parts& parts, Receiver& receiver, const std::string& what,
                          const Explain& explain) {
  Part part;
  absl::Status status;
  while (status.ok() && !parts.IsWhole() && reader.Read(&part)) status = parts.Take(part);
  const bool whole = status.ok() && parts.IsWhole();
  if (whole) status = receiver.OnBlobs(parts.offer());
  if (whole || !status.ok()) context.TryCancel();
  const absl::Status end = FromGrpc(reader.Finish());
  if (whole || !status.ok()) return status;
  return end.ok() ? Unavailable("the " + what + " ended early; repeat the same command")
                  : explain(end);
}

// The parts of a backup as they come, checked against the offer.
class BackupParts {
 public:
  explicit BackupParts(BackupReceiver& receiver) : receiver_(receiver) {}

  absl::Status Take(const v1::BackupPart& part) {
    switch (part.part_case()) {
      case v1::BackupPart::kCopied:
        receiver_.OnCopied(part.copied().pages_done(), part.copied().pages());
        return absl::OkStatus();
      case v1::BackupPart::kOffer: {
        ASSIGN_OR_RETURN(offer_.database, Checked(FromWire(part.offer().database())));
        offer_.missing.assign(part.offer().missing().begin(), part.offer().missing().end());
        return absl::OkStatus();
      }
      case v1::BackupPart::kBlobs:
        return AddBlobs(part.blobs().blobs(), offer_.blobs);
      case v1::BackupPart::kManifest:
        offer_.manifest += part.manifest();
        return offer_.manifest.size() <= kMaxManifestBytes ? absl::OkStatus() : TooMuch();
      case v1::BackupPart::kDatabase:
        return TakeDatabase(part.database());
      default:
        return Unimplemented("the coordinator sends a backup of a later version; update etude");
    }
  }

  bool IsWhole() const { return began_ && received_ == offer_.database.bytes; }
  const BackupOffer& offer() const { return offer_; }

 private:
  static absl::Status TooMuch() { return Internal("the coordinator's list of blobs has no end"); }

  absl::Status TakeDatabase(const v1::Chunk& chunk) {
    if (!began_) RETURN_IF_ERROR(receiver_.OnOffer(offer_));
    began_ = true;
    RETURN_IF_ERROR(CheckChunk(chunk, received_, "database"));
    received_ += static_cast<std::int64_t>(chunk.data().size());
    return receiver_.OnDatabase(chunk.data());
  }

  BackupReceiver& receiver_;
  BackupOffer offer_;
  bool began_ = false;
  std::int64_t received_ = 0;
};

}  // namespace

absl::Status CoordinatorClient::Backup(BackupReceiver& receiver) {
  grpc::ClientContext context;
  wire_->channel.Prepare(context, kStoreDeadline);
  const auto reader = wire_->store->Backup(&context, v1::BackupRequest());
  BackupParts parts(receiver);
  return ReceiveParts(context, *reader, parts, receiver, "backup",
                      [this](const absl::Status& end) { return wire_->Explain(end); });
}

absl::Status CoordinatorClient::VerifyStore(const StorePart& on_part) {
  grpc::ClientContext context;
  wire_->channel.Prepare(context, kStoreDeadline);
  const auto reader = wire_->store->Verify(&context, v1::VerifyRequest());
  v1::VerifyPart part;
  while (reader->Read(&part)) on_part(part.problem(), part.done_bytes(), part.bytes());
  return wire_->Explain(FromGrpc(reader->Finish()));
}

namespace {

// A bundle as it comes in.
class BundleParts {
 public:
  explicit BundleParts(BundleReceiver& receiver) : receiver_(receiver) {}

  absl::Status Take(const v1::ExportPart& part) {
    switch (part.part_case()) {
      case v1::ExportPart::kOffer:
        return TakeOffer(part.offer());
      case v1::ExportPart::kBlobs:
        return AddBlobs(part.blobs().blobs(), offer_.blobs);
      case v1::ExportPart::kRows:
        return TakeRows(part.rows());
      default:
        return Unimplemented("the coordinator sends a bundle of a later version; update etude");
    }
  }

  bool IsWhole() const { return began_ && received_ == offer_.rows.bytes; }
  const BundleOffer& offer() const { return offer_; }

 private:
  absl::Status TakeOffer(const v1::ExportPart::Offer& offer) {
    offer_.sweep = SweepId(offer.sweep_id());
    offer_.name = offer.name();
    offer_.software = offer.software();
    offer_.runs = offer.runs();
    offer_.runs_open = offer.runs_open();
    offer_.points = offer.points();
    ASSIGN_OR_RETURN(offer_.rows, Checked(FromWire(offer.rows())));
    return absl::OkStatus();
  }

  absl::Status TakeRows(const v1::Chunk& chunk) {
    if (!began_) RETURN_IF_ERROR(receiver_.OnOffer(offer_));
    began_ = true;
    RETURN_IF_ERROR(CheckChunk(chunk, received_, "rows"));
    received_ += static_cast<std::int64_t>(chunk.data().size());
    return receiver_.OnRows(chunk.data());
  }

  BundleReceiver& receiver_;
  BundleOffer offer_;
  bool began_ = false;
  std::int64_t received_ = 0;
};

}  // namespace

absl::Status CoordinatorClient::ExportBundle(const std::string& sweep, BundleReceiver& receiver) {
  grpc::ClientContext context;
  wire_->channel.Prepare(context, kStoreDeadline);
  v1::ExportRequest request;
  request.set_sweep(sweep);
  const auto reader = wire_->bundles->Export(&context, request);
  BundleParts parts(receiver);
  return ReceiveParts(context, *reader, parts, receiver, "bundle",
                      [this](const absl::Status& end) { return wire_->Explain(end); });
}

absl::StatusOr<ImportedSweep> CoordinatorClient::ImportBundle(const std::string& rows_sha256,
                                                              const std::string& name) {
  v1::ImportRequest request;
  request.set_rows_sha256(rows_sha256);
  request.set_name(name);
  v1::ImportResponse response;
  const absl::Status status = WithRetry({}, wire_->clock, [&] {
    grpc::ClientContext context;
    wire_->channel.Prepare(context, kImportDeadline);
    response.Clear();
    return FromGrpc(wire_->bundles->Import(&context, request, &response));
  });
  if (!status.ok()) return wire_->Explain(status);
  return ImportedSweep{.sweep = SweepId(response.sweep_id()),
                       .name = response.name(),
                       .created = response.created(),
                       .runs_added = response.runs_added(),
                       .runs_completed = response.runs_completed(),
                       .runs_kept = response.runs_kept(),
                       .runs_open = response.runs_open()};
}

absl::StatusOr<ArtifactFile> CoordinatorClient::Upload(const std::string& path,
                                                       const TransferProgress& progress) {
  absl::StatusOr<ArtifactFile> file = wire_->blobs.Upload(path, progress);
  if (!file.ok()) return wire_->Explain(file.status());
  return file;
}

absl::Status CoordinatorClient::Download(const ArtifactFile& file, const std::string& path,
                                         const TransferProgress& progress) {
  return wire_->Explain(wire_->blobs.Download(file, path, progress));
}

}  // namespace etude
