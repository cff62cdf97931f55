#include "coordinator/worker_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "coordinator/authentication_service.h"
#include "coordinator/blob_check.h"
#include "coordinator/report_service.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

v1::Action ToWire(Action action) {
  switch (action) {
    case Action::kKeep:
      return v1::ACTION_KEEP;
    case Action::kCancel:
      return v1::ACTION_CANCEL;
    case Action::kCheckpoint:
      return v1::ACTION_CHECKPOINT;
    case Action::kRelease:
      return v1::ACTION_RELEASE;
    case Action::kSuperseded:
      return v1::ACTION_SUPERSEDED;
  }
  return v1::ACTION_UNSPECIFIED;
}

template <typename Response>
void AddDirectives(const std::vector<Directive>& directives, Response& response) {
  for (const Directive& directive : directives) {
    v1::Directive& wire = *response.add_directives();
    wire.set_job(directive.job.text());
    wire.set_attempt(directive.attempt);
    wire.set_action(ToWire(directive.action));
  }
}

absl::StatusOr<std::vector<HeldAttempt>> HeldFromWire(
    const google::protobuf::RepeatedPtrField<v1::HeldAttempt>& wire) {
  if (wire.size() > kMaxHeldAttempts) {
    return InvalidArgument(fmt::format("held: more than {} attempts", kMaxHeldAttempts));
  }
  std::vector<HeldAttempt> held;
  for (const v1::HeldAttempt& attempt : wire) {
    ASSIGN_OR_RETURN(std::string job, NameFromWire(attempt.job(), "held job"));
    held.push_back(
        {JobId(std::move(job)), attempt.attempt(), attempt.step(), attempt.local_step()});
  }
  return held;
}

v1::Assignment ToWire(const Assignment& assignment) {
  v1::Assignment wire;
  wire.set_job(assignment.job.text());
  wire.set_attempt(assignment.attempt);
  wire.set_run(assignment.run.text());
  wire.set_config_json(RunConfigToJson(assignment.config));
  wire.set_to(assignment.to);
  *wire.mutable_corpus() = ToWire(assignment.corpus);
  wire.set_start_step(assignment.start_step);
  wire.set_local_attempt(assignment.local_attempt);
  if (assignment.checkpoint) *wire.mutable_checkpoint() = ToWire(*assignment.checkpoint);
  for (const std::int64_t step : assignment.branch_steps) wire.add_branch_steps(step);
  return wire;
}

absl::StatusOr<FinishedAttempt> FinishedFromWire(const v1::FinishRequest& wire) {
  FinishedAttempt end;
  ASSIGN_OR_RETURN(std::string worker, NameFromWire(wire.worker(), "worker"));
  ASSIGN_OR_RETURN(std::string job, NameFromWire(wire.job(), "job"));
  ASSIGN_OR_RETURN(end.outcome, FromWire(wire.outcome()));
  if (wire.reason().size() > kMaxTextBytes || wire.numerics().size() > kMaxTextBytes) {
    return InvalidArgument(fmt::format("reason and numerics: at most {} bytes", kMaxTextBytes));
  }
  if (wire.has_result()) {
    ASSIGN_OR_RETURN(end.result, FromWire(wire.result()));
  }
  ASSIGN_OR_RETURN(end.artifacts, FilesFromWire(wire.artifacts()));
  end.worker = WorkerId(std::move(worker));
  end.job = JobId(std::move(job));
  end.attempt = wire.attempt();
  end.reason = wire.reason();
  end.local_step = wire.local_step();
  end.numerics = wire.numerics();
  return end;
}

absl::StatusOr<LogIntake::Text> LogTextFromWire(const v1::ShipLogRequest& wire) {
  ASSIGN_OR_RETURN(std::string job, NameFromWire(wire.job(), "job"));
  if (static_cast<std::int64_t>(wire.text().size()) > kMaxLogTextBytes) {
    return InvalidArgument(fmt::format("text: at most {} bytes", kMaxLogTextBytes));
  }
  return LogIntake::Text{JobId(std::move(job)), wire.attempt(), wire.offset(), wire.text()};
}

absl::Status CheckProtocol(int protocol) {
  if (protocol >= kOldestProtocolVersion && protocol <= kProtocolVersion) return absl::OkStatus();
  return FailedPrecondition(
      fmt::format("this worker speaks protocol {}, the coordinator {} to {}; install the same "
                  "release on both",
                  protocol, kOldestProtocolVersion, kProtocolVersion));
}

grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* context,
                                     const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

// A long poll: tells the core once nobody waits for it any more.
class AcquireReactor final : public grpc::ServerUnaryReactor {
 public:
  const std::shared_ptr<std::atomic<bool>>& gone() const { return gone_; }
  void OnCancel() override { gone_->store(true); }
  void OnDone() override { delete this; }

 private:
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

absl::StatusOr<WorkerId> WorkerService::Caller(const grpc::CallbackServerContext& context,
                                               const char* method, const std::string& worker) {
  ASSIGN_OR_RETURN(
      const CallerId caller,
      CheckCaller(authentication_, context, std::string("/etude.v1.WorkerService/") + method));
  return claims_.Claim(worker, caller);
}

grpc::ServerUnaryReactor* WorkerService::Register(grpc::CallbackServerContext* context,
                                                  const v1::RegisterRequest* request,
                                                  v1::RegisterResponse* response) {
  const auto known = Caller(*context, "Register", request->worker().id());
  if (!known.ok()) return FinishWith(context, known.status());
  const absl::Status status = CheckProtocol(request->protocol());
  if (!status.ok()) return FinishWith(context, status);
  absl::StatusOr<Worker> worker = FromWire(request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  absl::StatusOr<std::vector<HeldAttempt>> held = HeldFromWire(request->held());
  if (!held.ok()) return FinishWith(context, held.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const SchedulerOptions& options = core_.scheduler_options();
  response->set_protocol(kProtocolVersion);
  response->set_heartbeat_ms(absl::ToInt64Milliseconds(options.heartbeat));
  response->set_idle_heartbeat_ms(absl::ToInt64Milliseconds(options.idle_heartbeat()));
  response->set_lease_ms(absl::ToInt64Milliseconds(options.lease));
  core_.Register(*std::move(worker), *std::move(held),
                 [reactor, response](const absl::StatusOr<std::vector<Directive>>& directives) {
                   if (directives.ok()) AddDirectives(*directives, *response);
                   reactor->Finish(ToGrpc(directives.status()));
                 });
  return reactor;
}

grpc::ServerUnaryReactor* WorkerService::Acquire(grpc::CallbackServerContext* context,
                                                 const v1::AcquireRequest* request,
                                                 v1::AcquireResponse* response) {
  absl::StatusOr<WorkerId> worker = Caller(*context, "Acquire", request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  const std::int64_t wait_ms = std::clamp<std::int64_t>(request->wait_ms(), 0, kMaxAcquireWaitMs);
  auto* reactor = new AcquireReactor;
  core_.Acquire({*std::move(worker), request->slot(), absl::Milliseconds(wait_ms), reactor->gone()},
                [reactor, response](const absl::StatusOr<Scheduler::Acquired>& acquired) {
                  if (acquired.ok()) response->set_reason(acquired->reason);
                  if (acquired.ok() && acquired->assignment) {
                    *response->mutable_assignment() = ToWire(*acquired->assignment);
                  }
                  reactor->Finish(ToGrpc(acquired.status()));
                });
  return reactor;
}

grpc::ServerUnaryReactor* WorkerService::Heartbeat(grpc::CallbackServerContext* context,
                                                   const v1::HeartbeatRequest* request,
                                                   v1::HeartbeatResponse* response) {
  absl::StatusOr<WorkerId> worker = Caller(*context, "Heartbeat", request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  absl::StatusOr<std::vector<HeldAttempt>> held = HeldFromWire(request->held());
  if (!held.ok()) return FinishWith(context, held.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  core_.Heartbeat(*std::move(worker), *std::move(held), request->draining(),
                  [reactor, response](const absl::StatusOr<Scheduler::HeartbeatReply>& reply) {
                    if (reply.ok()) {
                      AddDirectives(reply->directives, *response);
                      response->set_drain(reply->drain);
                    }
                    reactor->Finish(ToGrpc(reply.status()));
                  });
  return reactor;
}

grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* WorkerService::Report(
    grpc::CallbackServerContext* context) {
  return new ReportReactor(
      core_, claims_, CheckCaller(authentication_, *context, "/etude.v1.WorkerService/Report"));
}

grpc::ServerUnaryReactor* WorkerService::CommitCheckpoint(
    grpc::CallbackServerContext* context, const v1::CommitCheckpointRequest* request,
    v1::CommitCheckpointResponse*) {
  absl::StatusOr<WorkerId> worker = Caller(*context, "CommitCheckpoint", request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  absl::StatusOr<Checkpoint> checkpoint = FromWire(request->checkpoint());
  if (!checkpoint.ok()) return FinishWith(context, checkpoint.status());
  const absl::Status complete = CheckComplete(blobs_, checkpoint->files);
  if (!complete.ok()) return FinishWith(context, complete);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  core_.CommitCheckpoint(
      *std::move(worker), *std::move(checkpoint),
      [reactor](const absl::Status& result) { reactor->Finish(ToGrpc(result)); });
  return reactor;
}

grpc::ServerUnaryReactor* WorkerService::Finish(grpc::CallbackServerContext* context,
                                                const v1::FinishRequest* request,
                                                v1::FinishResponse*) {
  const absl::StatusOr<WorkerId> worker = Caller(*context, "Finish", request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  absl::StatusOr<FinishedAttempt> end = FinishedFromWire(*request);
  if (!end.ok()) return FinishWith(context, end.status());
  const absl::Status complete = CheckComplete(blobs_, end->artifacts);
  if (!complete.ok()) return FinishWith(context, complete);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  // The log that it names takes the place of what came while it ran.
  LogIntake* outdated = end->artifacts.empty() ? nullptr : &log_intake_;
  const auto done = [reactor, outdated, job = end->job,
                     attempt = end->attempt](const absl::Status& result) {
    if (result.ok() && outdated != nullptr) outdated->Forget(job, attempt);
    reactor->Finish(ToGrpc(result));
  };
  core_.Finish(*std::move(end), done);
  return reactor;
}

grpc::ServerUnaryReactor* WorkerService::ShipLog(grpc::CallbackServerContext* context,
                                                 const v1::ShipLogRequest* request,
                                                 v1::ShipLogResponse* response) {
  absl::StatusOr<WorkerId> worker = Caller(*context, "ShipLog", request->worker());
  if (!worker.ok()) return FinishWith(context, worker.status());
  absl::StatusOr<LogIntake::Text> text = LogTextFromWire(*request);
  if (!text.ok()) return FinishWith(context, text.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto taken = [reactor, response](const absl::StatusOr<std::int64_t>& next_offset) {
    if (next_offset.ok()) response->set_next_offset(*next_offset);
    reactor->Finish(ToGrpc(next_offset.status()));
  };
  const auto shipped = std::make_shared<LogIntake::Text>(*std::move(text));
  core_.CheckHeld(*std::move(worker), shipped->job, shipped->attempt,
                  [this, taken, shipped](const absl::Status& held) {
                    if (!held.ok()) return taken(held);
                    log_intake_.Take(std::move(*shipped), taken);
                  });
  return reactor;
}

}  // namespace etude
