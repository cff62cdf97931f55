#include "worker/coordinator_client.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

constexpr absl::Duration kLongPollSlack = absl::Seconds(5);

v1::HeldAttempt ToWire(const Transport::Held& held) {
  v1::HeldAttempt wire;
  wire.set_job(held.job.text());
  wire.set_attempt(held.attempt);
  wire.set_step(held.step);
  wire.set_local_step(held.local_step);
  return wire;
}

absl::StatusOr<Transport::Action> ActionFromWire(v1::Action action) {
  switch (action) {
    case v1::ACTION_KEEP:
      return Transport::Action::kKeep;
    case v1::ACTION_CANCEL:
      return Transport::Action::kCancel;
    case v1::ACTION_CHECKPOINT:
      return Transport::Action::kCheckpoint;
    case v1::ACTION_RELEASE:
      return Transport::Action::kRelease;
    case v1::ACTION_SUPERSEDED:
      return Transport::Action::kSuperseded;
    default:
      return InvalidArgument("unknown action " + std::to_string(action));
  }
}

absl::StatusOr<std::vector<Transport::Directive>> DirectivesFromWire(
    const google::protobuf::RepeatedPtrField<v1::Directive>& wire) {
  std::vector<Transport::Directive> directives;
  for (const v1::Directive& item : wire) {
    ASSIGN_OR_RETURN(const std::string job, NameFromWire(item.job(), "job"));
    ASSIGN_OR_RETURN(const Transport::Action action, ActionFromWire(item.action()));
    directives.push_back({JobId(job), item.attempt(), action});
  }
  return directives;
}

absl::StatusOr<Transport::Registration> RegistrationFromWire(const v1::RegisterResponse& wire) {
  if (wire.protocol() < kOldestProtocolVersion || wire.heartbeat_ms() < 1) {
    return FailedPrecondition("the coordinator speaks protocol " + std::to_string(wire.protocol()) +
                              ", this worker " + std::to_string(kProtocolVersion) +
                              "; install both from one version");
  }
  Transport::Registration registration;
  registration.heartbeat = absl::Milliseconds(wire.heartbeat_ms());
  // 0 of a coordinator that does not know it.
  registration.idle_heartbeat =
      std::max(registration.heartbeat, absl::Milliseconds(wire.idle_heartbeat_ms()));
  ASSIGN_OR_RETURN(registration.directives, DirectivesFromWire(wire.directives()));
  return registration;
}

absl::StatusOr<Transport::HeartbeatAnswer> HeartbeatFromWire(const v1::HeartbeatResponse& wire) {
  Transport::HeartbeatAnswer answer;
  ASSIGN_OR_RETURN(answer.directives, DirectivesFromWire(wire.directives()));
  answer.drain = wire.drain();
  return answer;
}

absl::StatusOr<Transport::Assignment> AssignmentFromWire(const v1::Assignment& wire) {
  Transport::Assignment assignment;
  ASSIGN_OR_RETURN(const std::string job, NameFromWire(wire.job(), "job"));
  ASSIGN_OR_RETURN(const std::string run, NameFromWire(wire.run(), "run"));
  assignment.job = JobId(job);
  assignment.run = RunKey(run);
  assignment.attempt = wire.attempt();
  ASSIGN_OR_RETURN(assignment.config, RunConfigFromJson(wire.config_json()));
  assignment.to = wire.to();
  ASSIGN_OR_RETURN(assignment.corpus, FromWire(wire.corpus()));
  assignment.start_step = wire.start_step();
  assignment.local_attempt = wire.local_attempt();
  if (wire.has_checkpoint()) {
    ASSIGN_OR_RETURN(assignment.checkpoint, FromWire(wire.checkpoint()));
  }
  assignment.branch_steps.assign(wire.branch_steps().begin(), wire.branch_steps().end());
  const bool resumes = assignment.local_attempt > 0 || assignment.checkpoint.has_value();
  if (assignment.attempt < 1 || assignment.to < 1 || assignment.local_attempt < 0 ||
      assignment.start_step < 0 || (assignment.start_step > 0) != resumes) {
    return InvalidArgument("assignment of job " + job + ": a number is out of range");
  }
  return assignment;
}

absl::StatusOr<Transport::Acquisition> AcquisitionFromWire(const v1::AcquireResponse& wire) {
  Transport::Acquisition acquisition;
  acquisition.reason = wire.reason();
  if (wire.has_assignment()) {
    ASSIGN_OR_RETURN(acquisition.assignment, AssignmentFromWire(wire.assignment()));
  }
  return acquisition;
}

// Has the caller's status if that is an error, else what `convert` makes of the reply.
template <typename Result, typename Response>
absl::StatusOr<Result> Answer(const absl::Status& status, const Response& response,
                              absl::StatusOr<Result> (*convert)(const Response&)) {
  if (!status.ok()) return status;
  return convert(response);
}

}  // namespace

// The stream of points: one write at a time, the rest waits in order; the agent bounds how many.
class CoordinatorClient::ReportStream
    : public grpc::ClientBidiReactor<v1::ReportRequest, v1::ReportResponse>,
      public std::enable_shared_from_this<ReportStream> {
 public:
  ReportStream(CoordinatorClient& client, CallId id) : client_(client), id_(id) {}

  void Start() {
    self_ = shared_from_this();  // until OnDone
    client_.channel_.Prepare(context_, kReportLifetime);
    client_.stub_->async()->Report(&context_, this);
    AddHold();  // writes start outside of reactions
    StartRead(&response_);
    StartCall();
  }
  void Send(v1::ReportRequest request) {
    MutexLock lock(mutex_);
    if (broken_) return;
    waiting_.push_back(std::move(request));
    if (waiting_.size() == 1) StartWrite(&waiting_.front());
  }
  void Cancel() {
    context_.TryCancel();
    LetGo();
  }
  CallId id() const { return id_; }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    if (!ok) return;
    waiting_.pop_front();
    if (!broken_ && !waiting_.empty()) StartWrite(&waiting_.front());
  }
  void OnReadDone(bool ok) override {
    if (!ok) return LetGo();
    client_.events_.Push(
        ReportAcknowledged{id_,
                           response_.committed_through(),
                           {response_.superseded().begin(), response_.superseded().end()}});
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<ReportStream> self = std::move(self_);
    client_.StreamEnded(id_, FromGrpc(status));
  }

 private:
  // Nothing more is written; the call may end.
  void LetGo() {
    {
      MutexLock lock(mutex_);
      if (broken_) return;
      broken_ = true;
    }
    RemoveHold();
  }

  CoordinatorClient& client_;
  const CallId id_;
  grpc::ClientContext context_;
  v1::ReportResponse response_;
  std::shared_ptr<ReportStream> self_;
  Mutex mutex_;
  std::deque<v1::ReportRequest> waiting_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

CoordinatorClient::CoordinatorClient(const CoordinatorChannel& channel, EventQueue& events,
                                     Clock& clock)
    : channel_(channel),
      events_(events),
      stub_(v1::WorkerService::NewStub(channel.channel())),
      blobs_(channel, clock) {
  for (int i = 0; i < kTransferThreads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { RunTransfers(stop); });
  }
}

CoordinatorClient::~CoordinatorClient() {
  std::shared_ptr<ReportStream> stream;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (CallState* call : calls_) call->context.TryCancel();
    stream = std::move(stream_);
    changed_.SignalAll();
  }
  if (stream != nullptr) stream->Cancel();
  {
    MutexLock lock(mutex_);
    while (!calls_.empty() || streams_open_ > 0) changed_.Wait(mutex_);
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

// Unary calls.

template <typename Request, typename Response>
void CoordinatorClient::Call(
    absl::Duration deadline, bool acquire, Request request,
    void (v1::WorkerService::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                   std::function<void(grpc::Status)>),
    std::function<Event(const absl::Status&, const Response&)> then) {
  struct State : CallState {
    Request request;
    Response response;
    std::function<Event(const absl::Status&, const Response&)> then;
  };
  auto* state = new State;  // deleted by the callback, which gRPC always makes
  state->acquire = acquire;
  state->request = std::move(request);
  state->then = std::move(then);
  channel_.Prepare(state->context, deadline);
  {
    MutexLock lock(mutex_);
    calls_.insert(state);
  }
  (stub_->async()->*method)(&state->context, &state->request, &state->response,
                            [this, state](const grpc::Status& status) {
                              events_.Push(state->then(FromGrpc(status), state->response));
                              const std::unique_ptr<State> owned(state);
                              Ended(state);
                            });
}

void CoordinatorClient::Ended(CallState* state) {
  MutexLock lock(mutex_);
  calls_.erase(state);
  changed_.SignalAll();
}

void CoordinatorClient::Register(CallId call, const Worker& worker, const std::vector<Held>& held) {
  v1::RegisterRequest request;
  *request.mutable_worker() = etude::ToWire(worker);
  request.set_protocol(kProtocolVersion);
  for (const Held& item : held) *request.add_held() = ToWire(item);
  Call<v1::RegisterRequest, v1::RegisterResponse>(
      kControlDeadline, false, std::move(request), &v1::WorkerService::Stub::async::Register,
      [call](const absl::Status& status, const v1::RegisterResponse& response) {
        return RegisterAnswered{call, Answer(status, response, RegistrationFromWire)};
      });
}

void CoordinatorClient::Heartbeat(CallId call, const WorkerId& worker,
                                  const std::vector<Held>& held, bool draining) {
  v1::HeartbeatRequest request;
  request.set_worker(worker.text());
  for (const Held& item : held) *request.add_held() = ToWire(item);
  request.set_draining(draining);
  Call<v1::HeartbeatRequest, v1::HeartbeatResponse>(
      kControlDeadline, false, std::move(request), &v1::WorkerService::Stub::async::Heartbeat,
      [call](const absl::Status& status, const v1::HeartbeatResponse& response) {
        return HeartbeatAnswered{call, Answer(status, response, HeartbeatFromWire)};
      });
}

void CoordinatorClient::Acquire(CallId call, const WorkerId& worker, int slot,
                                absl::Duration wait) {
  v1::AcquireRequest request;
  request.set_worker(worker.text());
  request.set_slot(slot);
  request.set_wait_ms(std::min(absl::ToInt64Milliseconds(wait), kMaxAcquireWaitMs));
  Call<v1::AcquireRequest, v1::AcquireResponse>(
      wait + kLongPollSlack, true, std::move(request), &v1::WorkerService::Stub::async::Acquire,
      [call, slot](const absl::Status& status, const v1::AcquireResponse& response) {
        return AcquireAnswered{call, slot, Answer(status, response, AcquisitionFromWire)};
      });
}

void CoordinatorClient::StopAcquiring() {
  MutexLock lock(mutex_);
  for (CallState* call : calls_) {
    if (call->acquire) call->context.TryCancel();
  }
}

void CoordinatorClient::CommitCheckpoint(CallId call, const WorkerId& worker,
                                         const Checkpoint& checkpoint) {
  v1::CommitCheckpointRequest request;
  request.set_worker(worker.text());
  *request.mutable_checkpoint() = etude::ToWire(checkpoint);
  Call<v1::CommitCheckpointRequest, v1::CommitCheckpointResponse>(
      kControlDeadline, false, std::move(request),
      &v1::WorkerService::Stub::async::CommitCheckpoint,
      [call](const absl::Status& status, const v1::CommitCheckpointResponse&) {
        return CheckpointCommitted{call, status};
      });
}

void CoordinatorClient::Finish(CallId call, const WorkerId& worker, const Ending& ending) {
  v1::FinishRequest request;
  request.set_worker(worker.text());
  request.set_job(ending.job.text());
  request.set_attempt(ending.attempt);
  request.set_outcome(etude::ToWire(ending.outcome));
  request.set_reason(ending.reason);
  if (ending.result) *request.mutable_result() = etude::ToWire(*ending.result);
  request.set_local_step(ending.local_step);
  request.set_numerics(ending.numerics);
  for (const ArtifactFile& file : ending.artifacts) *request.add_artifacts() = etude::ToWire(file);
  Call<v1::FinishRequest, v1::FinishResponse>(
      kControlDeadline, false, std::move(request), &v1::WorkerService::Stub::async::Finish,
      [call](const absl::Status& status, const v1::FinishResponse&) {
        return FinishAnswered{call, status};
      });
}

void CoordinatorClient::ShipLog(CallId call, const WorkerId& worker, const LogText& text) {
  v1::ShipLogRequest request;
  request.set_worker(worker.text());
  request.set_job(text.job.text());
  request.set_attempt(text.attempt);
  request.set_offset(text.offset);
  request.set_text(text.text);
  Call<v1::ShipLogRequest, v1::ShipLogResponse>(
      kControlDeadline, false, std::move(request), &v1::WorkerService::Stub::async::ShipLog,
      [call](const absl::Status& status, const v1::ShipLogResponse& response) {
        if (!status.ok()) return LogShipped{call, status};
        return LogShipped{call, response.next_offset()};
      });
}

// The stream.

void CoordinatorClient::OpenReport(CallId stream) {
  const auto opened = std::make_shared<ReportStream>(*this, stream);
  {
    MutexLock lock(mutex_);
    stream_ = opened;
    ++streams_open_;
  }
  opened->Start();
}

void CoordinatorClient::Report(CallId stream, const PointsBatch& batch) {
  std::shared_ptr<ReportStream> open;
  {
    MutexLock lock(mutex_);
    open = stream_;
  }
  if (open == nullptr || open->id() != stream) return;  // ReportClosed is on its way
  v1::ReportRequest request;
  request.set_sequence(batch.sequence);
  request.set_worker(batch.worker.text());
  request.set_job(batch.job.text());
  request.set_attempt(batch.attempt);
  *request.mutable_points() = etude::ToWire(batch.points);
  open->Send(std::move(request));
}

void CoordinatorClient::CloseReport(CallId stream) {
  std::shared_ptr<ReportStream> open;
  {
    MutexLock lock(mutex_);
    if (stream_ != nullptr && stream_->id() == stream) open = std::move(stream_);
  }
  if (open != nullptr) open->Cancel();
}

void CoordinatorClient::StreamEnded(CallId stream, const absl::Status& status) {
  events_.Push(ReportClosed{stream, status});
  MutexLock lock(mutex_);
  if (stream_ != nullptr && stream_->id() == stream) stream_.reset();
  --streams_open_;
  changed_.SignalAll();
}

// Files.

bool CoordinatorClient::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void CoordinatorClient::QueueTransfer(std::function<void()> transfer,
                                      const std::function<void()>& refuse) {
  {
    MutexLock lock(mutex_);
    if (transfers_.size() < kMaxQueuedTransfers) {
      transfers_.push_back(std::move(transfer));
      changed_.SignalAll();
      return;
    }
  }
  refuse();
}

void CoordinatorClient::RunTransfers(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::function<void()> transfer;
    {
      MutexLock lock(mutex_);
      while (transfers_.empty() && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      transfer = std::move(transfers_.front());
      transfers_.pop_front();
    }
    transfer();
  }
}

void CoordinatorClient::Upload(CallId call, const std::string& path) {
  QueueTransfer(
      [this, call, path] {
        events_.Push(
            Uploaded{call, blobs_.Upload(path, [this](std::int64_t) { return !stopping(); })});
      },
      [this, call] {
        events_.Push(Uploaded{call, ResourceExhausted("too many transfers")});
      });
}

void CoordinatorClient::Download(CallId call, const ArtifactFile& file, const std::string& path) {
  QueueTransfer(
      [this, call, file, path] {
        events_.Push(Downloaded{call, DownloadUnlessThere(file, path)});
      },
      [this, call] {
        events_.Push(Downloaded{call, ResourceExhausted("too many transfers")});
      });
}

absl::Status CoordinatorClient::DownloadUnlessThere(const ArtifactFile& file,
                                                    const std::string& path) {
  std::error_code error;
  if (static_cast<std::int64_t>(std::filesystem::file_size(path, error)) == file.bytes && !error) {
    const absl::StatusOr<std::string> sha256 = Sha256HexOfFile(path);
    if (sha256.ok() && *sha256 == file.sha256) return absl::OkStatus();
  }
  return blobs_.Download(file, path, [this](std::int64_t) { return !stopping(); });
}

}  // namespace etude
