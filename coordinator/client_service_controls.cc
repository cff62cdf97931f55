// What a person may ask of sweeps, runs and workers that are there.
#include "coordinator/client_service.h"
#include "lib/base/status.h"
#include "proto/convert.h"

namespace etude {
namespace {

void AddVerdicts(const std::vector<Scheduler::Verdict>& verdicts,
                 google::protobuf::RepeatedPtrField<v1::ExplainRunResponse::Verdict>& wire) {
  for (const Scheduler::Verdict& verdict : verdicts) {
    v1::ExplainRunResponse::Verdict& one = *wire.Add();
    one.set_who(verdict.who);
    one.set_what(verdict.what);
  }
}

}  // namespace

absl::StatusOr<SweepId> ClientService::SweepNamed(const std::string& text) {
  ASSIGN_OR_RETURN(const std::string name, NameFromWire(text, "sweep"));
  ASSIGN_OR_RETURN(const Sweep sweep, parts_.reader.FindSweep(name));
  return sweep.id;
}

absl::StatusOr<RunKey> ClientService::RunNamed(const std::string& text) {
  ASSIGN_OR_RETURN(const std::string prefix, NameFromWire(text, "run"));
  return parts_.reader.FindRun(prefix);
}

absl::Status ClientService::Control(const v1::ControlSweepRequest& request, const SweepId& sweep) {
  switch (request.action()) {
    case v1::ControlSweepRequest::ACTION_PAUSE:
      return parts_.core.PauseSweep(sweep, true);
    case v1::ControlSweepRequest::ACTION_RESUME:
      return parts_.core.PauseSweep(sweep, false);
    case v1::ControlSweepRequest::ACTION_STOP:
      return parts_.core.StopSweep(sweep);
    case v1::ControlSweepRequest::ACTION_SET_TURN:
      return parts_.core.SetTurn(sweep, request.priority(), request.weight());
    default:
      return InvalidArgument("action: not known to this coordinator");
  }
}

grpc::Status ClientService::ControlSweep(grpc::ServerContext* context,
                                         const v1::ControlSweepRequest* request,
                                         v1::ControlSweepResponse* response) {
  return Serve(*context, "ControlSweep", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const SweepId sweep, SweepNamed(request->sweep()));
    RETURN_IF_ERROR(Control(*request, sweep));
    ASSIGN_OR_RETURN(const Sweep changed, parts_.reader.FindSweep(sweep.text()));
    *response->mutable_sweep() = ToWire(changed);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::DeleteSweep(grpc::ServerContext* context,
                                        const v1::DeleteSweepRequest* request,
                                        v1::DeleteSweepResponse* response) {
  return Serve(*context, "DeleteSweep", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const SweepId sweep, SweepNamed(request->sweep()));
    ASSIGN_OR_RETURN(const int runs, parts_.core.DeleteSweep(sweep, request->name()));
    response->set_runs(runs);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::RetrySweep(grpc::ServerContext* context,
                                       const v1::RetrySweepRequest* request,
                                       v1::RetrySweepResponse* response) {
  return Serve(*context, "RetrySweep", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const SweepId sweep, SweepNamed(request->sweep()));
    ASSIGN_OR_RETURN(const int runs, parts_.core.RetrySweep(sweep, request->failed_only()));
    ASSIGN_OR_RETURN(const Sweep changed, parts_.reader.FindSweep(sweep.text()));
    *response->mutable_sweep() = ToWire(changed);
    response->set_runs(runs);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::CancelRun(grpc::ServerContext* context,
                                      const v1::CancelRunRequest* request,
                                      v1::CancelRunResponse* response) {
  return Serve(*context, "CancelRun", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const RunKey run, RunNamed(request->run()));
    RETURN_IF_ERROR(parts_.core.CancelRun(run));
    ASSIGN_OR_RETURN(const RunStanding standing, parts_.reader.Standing(run));
    *response->mutable_run() = ToWire(standing.run);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::RetryRun(grpc::ServerContext* context,
                                     const v1::RetryRunRequest* request,
                                     v1::RetryRunResponse* response) {
  return Serve(*context, "RetryRun", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const RunKey run, RunNamed(request->run()));
    RETURN_IF_ERROR(parts_.core.RetryRun(run));
    ASSIGN_OR_RETURN(const RunStanding standing, parts_.reader.Standing(run));
    *response->mutable_run() = ToWire(standing.run);
    return absl::OkStatus();
  });
}

grpc::Status ClientService::ExplainRun(grpc::ServerContext* context,
                                       const v1::ExplainRunRequest* request,
                                       v1::ExplainRunResponse* response) {
  return Serve(*context, "ExplainRun", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const RunKey run, RunNamed(request->run()));
    ASSIGN_OR_RETURN(const RunStanding standing, parts_.reader.Standing(run));
    Scheduler::Explanation explanation;
    RETURN_IF_ERROR(parts_.core.Inspect([&](const Scheduler& scheduler, const Moment& now) {
      explanation = scheduler.Explain(run, now);
    }));
    *response->mutable_run() = ToWire(standing.run);
    response->set_worker(explanation.now.worker.text());
    response->set_wait_reason(explanation.now.wait_reason);
    AddVerdicts(explanation.sweeps, *response->mutable_sweeps());
    AddVerdicts(explanation.workers, *response->mutable_workers());
    return absl::OkStatus();
  });
}

grpc::Status ClientService::DrainWorker(grpc::ServerContext* context,
                                        const v1::DrainWorkerRequest* request,
                                        v1::DrainWorkerResponse* response) {
  return Serve(*context, "DrainWorker", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(std::string id, NameFromWire(request->worker(), "worker"));
    ASSIGN_OR_RETURN(const Worker worker,
                     parts_.core.DrainWorker(WorkerId(std::move(id)), request->drain()));
    *response->mutable_worker() = ToWire(worker);
    return absl::OkStatus();
  });
}

}  // namespace etude
