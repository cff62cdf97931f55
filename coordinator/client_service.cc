#include "coordinator/client_service.h"

#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <utility>

#include "coordinator/authentication_service.h"
#include "coordinator/blob_check.h"
#include "coordinator/corpus_manifest.h"
#include "coordinator/progress.h"
#include "coordinator/seat.h"
#include "coordinator/submission.h"
#include "coordinator/sweep_fits.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr int kMaxSeriesAsked = 16;

// The test loss is sealed: it is stored, and sent to no client.
v1::Run ToClient(const Run& run) {
  v1::Run wire = ToWire(run);
  if (wire.has_result()) wire.mutable_result()->clear_test_loss();
  return wire;
}

v1::RunProgress ToClient(const RunProgress& progress) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const RunStanding& standing = progress.standing;
  v1::RunProgress wire;
  *wire.mutable_run() = ToClient(standing.run);
  wire.set_step(standing.step);
  wire.set_train_loss(standing.train_loss.value_or(kNaN));
  wire.set_val_probe(standing.val_probe.value_or(kNaN));
  wire.set_tokens_per_s(standing.tokens_per_s.value_or(0));
  wire.set_worker(progress.worker.text());
  wire.set_attempts(standing.attempts);
  wire.set_wait_reason(progress.wait_reason);
  wire.set_held_out(progress.held_out);
  return wire;
}

v1::SweepSummary ToClient(const Sweep& sweep, const RunCounts& counts) {
  v1::SweepSummary wire;
  *wire.mutable_sweep() = ToWire(sweep);
  wire.mutable_sweep()->clear_spec_toml();
  wire.mutable_sweep()->clear_resolved_json();
  wire.set_queued(counts.queued);
  wire.set_running(counts.running);
  wire.set_succeeded(counts.succeeded);
  wire.set_failed(counts.failed);
  wire.set_cancelled(counts.cancelled);
  return wire;
}

absl::StatusOr<std::vector<Series>> SeriesFromWire(
    const google::protobuf::RepeatedField<std::uint32_t>& wire) {
  if (wire.size() > kMaxSeriesAsked) {
    return InvalidArgument(fmt::format("series: more than {}", kMaxSeriesAsked));
  }
  std::vector<Series> series;
  for (const std::uint32_t number : wire) {
    const std::optional<Series> known = SeriesFromNumber(static_cast<int>(number));
    if (!known) return InvalidArgument(fmt::format("series: {} is not one", number));
    if (*known == Series::kTest) {
      return PermissionDenied("the test loss is sealed, so that no choice is made by it");
    }
    series.push_back(*known);
  }
  return series;
}

template <typename Value>
absl::StatusOr<Value> ValueFromWire(const std::string& name, const char* what,
                                    std::optional<Value> (*from_name)(std::string_view)) {
  const std::optional<Value> value = from_name(name);
  if (!value) return InvalidArgument(fmt::format("{}: \"{}\" is not one", what, name));
  return *value;
}

absl::StatusOr<SweepFitRequest> FitRequestFromWire(const v1::FitSweepRequest& wire) {
  SweepFitRequest request;
  FitOptions& options = request.options;
  ASSIGN_OR_RETURN(request.sweep, NameFromWire(wire.sweep(), "sweep"));
  ASSIGN_OR_RETURN(options.law, ValueFromWire(wire.law(), "law", LawFromName));
  ASSIGN_OR_RETURN(options.objective,
                   ValueFromWire(wire.objective(), "objective", ObjectiveFromName));
  options.delta = wire.has_delta() ? std::optional(wire.delta()) : std::nullopt;
  if (wire.fixed_size() > static_cast<int>(kParameterCount)) {
    return InvalidArgument(fmt::format("fixed: more than {}", kParameterCount));
  }
  for (const v1::FitSweepRequest::Fixed& fixed : wire.fixed()) {
    ASSIGN_OR_RETURN(const Parameter parameter,
                     ValueFromWire(fixed.name(), "fixed", ParameterFromName));
    options.fixed.push_back({parameter, fixed.value()});
  }
  options.bootstrap = wire.bootstrap();
  options.seed = wire.seed();
  options.allow_repeats = wire.allow_repeats();
  ASSIGN_OR_RETURN(request.selection.convention,
                   ValueFromWire(wire.convention(), "convention", NConventionFromName));
  ASSIGN_OR_RETURN(request.selection.split, ValueFromWire(wire.split(), "split", FitSplitFromName));
  ASSIGN_OR_RETURN(request.selection.where, ParseWhere(wire.where()));
  return request;
}

}  // namespace

grpc::Status ClientService::Serve(const grpc::ServerContext& context, const char* method,
                                  const std::function<absl::Status()>& call) {
  const absl::Status permitted =
      CheckCaller(parts_.authentication, context, std::string("/etude.v1.ClientService/") + method)
          .status();
  return ToGrpc(permitted.ok() ? call() : permitted);
}

grpc::Status ClientService::GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest*,
                                    v1::GetInfoResponse* response) {
  return Serve(*context, "GetInfo", [&] { return FillInfo(*response); });
}

absl::Status ClientService::FillInfo(v1::GetInfoResponse& response) {
  Scheduler::Counts counts;
  RETURN_IF_ERROR(parts_.core.Inspect(
      [&](const Scheduler& scheduler, const Moment&) { counts = scheduler.Count(); }));
  std::error_code ignored;
  const auto space = std::filesystem::space(parts_.facts.state_dir, ignored);
  const std::string read_only = parts_.core.ReadOnlyReason();
  response.set_software(parts_.facts.software);
  response.set_protocol(kProtocolVersion);
  response.set_sqlite_version(parts_.facts.sqlite_version);
  response.set_schema_version(parts_.facts.schema_version);
  response.set_started_at_us(parts_.facts.started_at_us);
  response.set_now_us(ToMicros(parts_.clock.Now()));
  response.set_state_dir(parts_.facts.state_dir);
  response.set_free_bytes(ignored ? 0 : static_cast<std::int64_t>(space.available));
  response.set_active_sweeps(counts.active_sweeps);
  response.set_queued_jobs(counts.queued_jobs);
  response.set_leased_jobs(counts.leased_jobs);
  response.set_online_workers(counts.online_workers);
  response.set_read_only(!read_only.empty());
  response.set_read_only_reason(read_only);
  return absl::OkStatus();
}

grpc::Status ClientService::PushCorpus(grpc::ServerContext* context,
                                       const v1::PushCorpusRequest* request,
                                       v1::PushCorpusResponse* response) {
  return Serve(*context, "PushCorpus", [&] { return AddCorpus(*request, *response); });
}

absl::Status ClientService::AddCorpus(const v1::PushCorpusRequest& request,
                                      v1::PushCorpusResponse& response) {
  ASSIGN_OR_RETURN(std::string name, NameFromWire(request.name(), "corpus name", kMaxNameBytes));
  ASSIGN_OR_RETURN(const std::vector<ArtifactFile> files, FilesFromWire(request.files()));
  RETURN_IF_ERROR(CheckComplete(parts_.blobs, files));
  ASSIGN_OR_RETURN(const ArtifactFile manifest, FindCorpusManifest(files));
  ASSIGN_OR_RETURN(const std::string json,
                   parts_.blobs.Read(manifest.sha256, 0, kMaxCorpusManifestBytes));
  ASSIGN_OR_RETURN(Corpus corpus, CorpusFromManifest(json, files));
  corpus.name = std::move(name);
  ASSIGN_OR_RETURN(const bool created, parts_.core.AddCorpus(corpus));
  *response.mutable_corpus() = ToWire(corpus);
  response.set_created(created);
  return absl::OkStatus();
}

grpc::Status ClientService::GetCorpus(grpc::ServerContext* context,
                                      const v1::GetCorpusRequest* request,
                                      v1::GetCorpusResponse* response) {
  return Serve(*context, "GetCorpus", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string text, NameFromWire(request->corpus(), "corpus"));
    ASSIGN_OR_RETURN(const Corpus corpus, parts_.reader.FindCorpus(text));
    *response->mutable_corpus() = ToWire(corpus);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::ListCorpora(grpc::ServerContext* context, const v1::ListCorporaRequest*,
                                        v1::ListCorporaResponse* response) {
  return Serve(*context, "ListCorpora", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<Corpus> corpora, parts_.reader.Corpora());
    for (const Corpus& corpus : corpora) *response->add_corpora() = ToWire(corpus);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::SubmitSweep(grpc::ServerContext* context,
                                        const v1::SubmitSweepRequest* request,
                                        v1::SubmitSweepResponse* response) {
  return Serve(*context, "SubmitSweep", [&] { return Submit(*request, *response); });
}

absl::Status ClientService::Submit(const v1::SubmitSweepRequest& request,
                                   v1::SubmitSweepResponse& response) {
  ASSIGN_OR_RETURN(Submission submission,
                   PrepareSubmission({.spec_toml = request.spec_toml(),
                                      .file_name = request.file_name(),
                                      .corpus_id = request.corpus_id(),
                                      .expected_sweep_id = request.expected_sweep_id()},
                                     parts_.reader));
  ASSIGN_OR_RETURN(const Scheduler::Submitted submitted,
                   parts_.core.Submit(std::move(submission.sweep), submission.configs));
  ASSIGN_OR_RETURN(const Sweep sweep, parts_.reader.FindSweep(submitted.sweep.text()));
  *response.mutable_sweep() = ToWire(sweep);
  response.set_created(submitted.created);
  response.set_runs_shared(submitted.runs_shared);
  return absl::OkStatus();
}

grpc::Status ClientService::ListSweeps(grpc::ServerContext* context, const v1::ListSweepsRequest*,
                                       v1::ListSweepsResponse* response) {
  return Serve(*context, "ListSweeps", [&] { return FillSweeps(*response); });
}

absl::Status ClientService::FillSweeps(v1::ListSweepsResponse& response) {
  ASSIGN_OR_RETURN(const std::vector<Sweep> sweeps, parts_.reader.Sweeps());
  for (const Sweep& sweep : sweeps) {
    ASSIGN_OR_RETURN(const std::vector<RunStanding> standings, parts_.reader.Standings(sweep.id));
    *response.add_sweeps() = ToClient(sweep, CountStates(standings));
  }
  return absl::OkStatus();
}

grpc::Status ClientService::GetSweep(grpc::ServerContext* context,
                                     const v1::GetSweepRequest* request,
                                     v1::GetSweepResponse* response) {
  return Serve(*context, "GetSweep", [&] { return FillSweep(request->sweep(), *response); });
}

absl::Status ClientService::FillSweep(const std::string& text, v1::GetSweepResponse& response) {
  ASSIGN_OR_RETURN(const std::string name, NameFromWire(text, "sweep"));
  ASSIGN_OR_RETURN(const SweepProgress progress, ProgressOf(parts_.core, parts_.reader, name));
  *response.mutable_summary() = ToClient(progress.sweep, progress.counts);
  response.mutable_summary()->mutable_sweep()->set_spec_toml(progress.sweep.spec_toml);
  for (const RunProgress& run : progress.runs) *response.add_runs() = ToClient(run);
  response.set_eta_seconds(progress.left.eta_s);
  const bool ended = progress.sweep.state != SweepState::kActive;
  response.set_makespan_bound_seconds(ended ? progress.makespan.least_s : progress.left.least_s);
  response.set_makespan_seconds(progress.makespan.seconds);
  return absl::OkStatus();
}

grpc::Status ClientService::WatchSweep(grpc::ServerContext* context,
                                       const v1::GetSweepRequest* request,
                                       grpc::ServerWriter<v1::GetSweepResponse>* writer) {
  return Serve(*context, "WatchSweep", [&] { return Watch(*context, request->sweep(), *writer); });
}

absl::Status ClientService::Watch(const grpc::ServerContext& context, const std::string& sweep,
                                  grpc::ServerWriter<v1::GetSweepResponse>& writer) {
  const Seat seat(watchers_);
  if (!seat.IsWithin(kMaxWatchers)) {
    return ResourceExhausted(fmt::format(
        "{} sweeps are being watched; close one, or ask now and then: etude sweep show {}",
        kMaxWatchers, sweep));
  }
  std::string sent;
  std::uint64_t seen = 0;
  while (!context.IsCancelled()) {
    seen = parts_.core.commits();
    v1::GetSweepResponse response;
    RETURN_IF_ERROR(FillSweep(sweep, response));
    std::string bytes = response.SerializeAsString();
    if (bytes != sent && !writer.Write(response)) return Cancelled("the watcher has gone");
    sent = std::move(bytes);
    if (response.summary().sweep().state() != v1::SWEEP_STATE_ACTIVE) return absl::OkStatus();
    if (parts_.core.AwaitStop(kWatchInterval)) {
      return Unavailable("the coordinator is stopping; watch again once it is back");
    }
    // A worker's coming or going is no commit, and changes why a run waits: look again then, too.
    parts_.core.AwaitCommit(seen, kWatchInterval);
  }
  return Cancelled("the watcher has gone");
}

grpc::Status ClientService::CancelSweep(grpc::ServerContext* context,
                                        const v1::CancelSweepRequest* request,
                                        v1::CancelSweepResponse* response) {
  return Serve(*context, "CancelSweep", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string text, NameFromWire(request->sweep(), "sweep"));
    ASSIGN_OR_RETURN(const Sweep sweep, parts_.reader.FindSweep(text));
    RETURN_IF_ERROR(parts_.core.CancelSweep(sweep.id));
    ASSIGN_OR_RETURN(const Sweep cancelled, parts_.reader.FindSweep(sweep.id.text()));
    *response->mutable_sweep() = ToWire(cancelled);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::ListRuns(grpc::ServerContext* context,
                                     const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) {
  return Serve(*context, "ListRuns", [&] { return FillRuns(*request, *response); });
}

absl::Status ClientService::FillRuns(const v1::ListRunsRequest& request,
                                     v1::ListRunsResponse& response) {
  const std::string& text = request.sweep();
  if (request.offset() < 0 || request.limit() < 0) {
    return InvalidArgument("list of runs: offset and limit must not be negative");
  }
  const int limit = request.limit() == 0 ? -1 : request.limit();
  Sweep sweep;  // none: every run
  if (!text.empty()) {
    ASSIGN_OR_RETURN(const std::string name, NameFromWire(text, "sweep"));
    ASSIGN_OR_RETURN(sweep, parts_.reader.FindSweepHead(name));
  }
  ASSIGN_OR_RETURN(std::vector<RunStanding> standings,
                   parts_.reader.Standings(sweep.id, request.offset(), limit));
  ASSIGN_OR_RETURN(const std::vector<RunProgress> runs,
                   JoinProgress(parts_.core, std::move(standings), sweep));
  for (const RunProgress& run : runs) *response.add_runs() = ToClient(run);
  return absl::OkStatus();
}

grpc::Status ClientService::GetRun(grpc::ServerContext* context, const v1::GetRunRequest* request,
                                   v1::GetRunResponse* response) {
  return Serve(*context, "GetRun", [&] { return FillRun(request->run(), *response); });
}

absl::Status ClientService::FillRun(const std::string& text, v1::GetRunResponse& response) {
  ASSIGN_OR_RETURN(const std::string prefix, NameFromWire(text, "run"));
  ASSIGN_OR_RETURN(const RunKey key, parts_.reader.FindRun(prefix));
  ASSIGN_OR_RETURN(RunStanding standing, parts_.reader.Standing(key));
  ASSIGN_OR_RETURN(const std::vector<RunProgress> progress,
                   JoinProgress(parts_.core, {std::move(standing)}, Sweep()));
  ASSIGN_OR_RETURN(const std::vector<Job> jobs, parts_.reader.JobsOf(key));
  ASSIGN_OR_RETURN(const auto attempts, parts_.reader.AttemptsOf(key));
  ASSIGN_OR_RETURN(const std::vector<Checkpoint> checkpoints, parts_.reader.CheckpointsOf(key));
  ASSIGN_OR_RETURN(const std::vector<std::string> sweeps, parts_.reader.SweepNamesOf(key));
  *response.mutable_progress() = ToClient(progress.front());
  for (const Job& job : jobs) *response.add_jobs() = ToWire(job);
  for (const ResultsReader::AttemptRow& row : attempts) {
    v1::Attempt& attempt = *response.add_attempts();
    attempt = ToWire(row.attempt);
    for (const ArtifactFile& file : row.artifacts) *attempt.add_artifacts() = ToWire(file);
  }
  for (const Checkpoint& checkpoint : checkpoints) {
    *response.add_checkpoints() = ToWire(checkpoint);
  }
  for (const std::string& name : sweeps) response.add_sweeps(name);
  return absl::OkStatus();
}

grpc::Status ClientService::GetCurve(grpc::ServerContext* context,
                                     const v1::GetCurveRequest* request,
                                     grpc::ServerWriter<v1::GetCurveResponse>* writer) {
  return Serve(*context, "GetCurve", [&] { return StreamCurve(*context, *request, *writer); });
}

absl::Status ClientService::StreamCurve(const grpc::ServerContext& context,
                                        const v1::GetCurveRequest& request,
                                        grpc::ServerWriter<v1::GetCurveResponse>& writer) {
  ASSIGN_OR_RETURN(const std::string prefix, NameFromWire(request.run(), "run"));
  ASSIGN_OR_RETURN(const std::vector<Series> series, SeriesFromWire(request.series()));
  ASSIGN_OR_RETURN(const RunKey key, parts_.reader.FindRun(prefix));
  std::int64_t after_step = -1;
  while (!context.IsCancelled()) {
    ASSIGN_OR_RETURN(const std::vector<LossPoint> points,
                     parts_.reader.Curve(key, series, after_step, kMaxCurveRows));
    if (points.empty()) return absl::OkStatus();
    v1::GetCurveResponse response;
    *response.mutable_points() = ToWire(points);
    if (!writer.Write(response)) break;
    after_step = points.back().step;
  }
  return Cancelled("the reader of the curve has gone");
}

grpc::Status ClientService::FitSweep(grpc::ServerContext* context,
                                     const v1::FitSweepRequest* request,
                                     v1::FitSweepResponse* response) {
  return Serve(*context, "FitSweep", [&] { return FillFits(*request, *response); });
}

absl::Status ClientService::FillFits(const v1::FitSweepRequest& request,
                                     v1::FitSweepResponse& response) {
  const Seat seat(fitters_);
  if (!seat.IsWithin(kMaxFitters)) {
    return ResourceExhausted(
        fmt::format("{} fits are being computed; ask again in a moment", kMaxFitters));
  }
  ASSIGN_OR_RETURN(const SweepFitRequest asked, FitRequestFromWire(request));
  ASSIGN_OR_RETURN(const std::vector<SweepFit> fits,
                   etude::FitSweep(parts_.core, parts_.reader, asked));
  for (const SweepFit& fit : fits) *response.add_fits() = ToWire(fit);
  return absl::OkStatus();
}

grpc::Status ClientService::ListPredictions(grpc::ServerContext* context,
                                            const v1::ListPredictionsRequest* request,
                                            v1::ListPredictionsResponse* response) {
  return Serve(*context, "ListPredictions", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::string text, NameFromWire(request->sweep(), "sweep"));
    ASSIGN_OR_RETURN(const Sweep sweep, parts_.reader.FindSweep(text));
    ASSIGN_OR_RETURN(const auto predictions, parts_.reader.PredictionsOf(sweep.id));
    for (const FrozenPrediction& one : predictions) *response->add_predictions() = ToWire(one);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest*,
                                        v1::ListWorkersResponse* response) {
  return Serve(*context, "ListWorkers", [&] { return FillWorkers(*response); });
}

absl::Status ClientService::FillWorkers(v1::ListWorkersResponse& response) {
  std::vector<Scheduler::WorkerNow> workers;
  RETURN_IF_ERROR(parts_.core.Inspect(
      [&](const Scheduler& scheduler, const Moment&) { workers = scheduler.Workers(); }));
  for (const Scheduler::WorkerNow& worker : workers) {
    v1::ListWorkersResponse::Entry& entry = *response.add_workers();
    *entry.mutable_worker() = ToWire(worker.worker);
    for (const RunKey& run : worker.runs) entry.add_runs(run.text());
    entry.set_idle_reason(worker.idle_reason);
  }
  return absl::OkStatus();
}

}  // namespace etude
