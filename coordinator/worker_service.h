// WorkerService on the wire. Every call decodes, asks the core once and encodes; the callback API
// keeps a thousand calls open without a thread each.
#ifndef ETUDE_COORDINATOR_WORKER_SERVICE_H_
#define ETUDE_COORDINATOR_WORKER_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include "coordinator/authentication.h"
#include "coordinator/core.h"
#include "coordinator/log_intake.h"
#include "coordinator/worker_claims.h"
#include "etude/v1/worker.grpc.pb.h"
#include "storage/attempt_logs.h"
#include "storage/blob_store.h"

namespace etude {

inline constexpr int kMaxHeldAttempts = 4096;
// Reports of one stream that are read and not yet committed; the worker's next one waits.
inline constexpr int kMaxReportsInFlight = 4;

// Thread-safe. What it is given must outlive it.
class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  WorkerService(Core& core, BlobStore& blobs, AttemptLogs& logs,
                const Authentication& authentication)
      : core_(core),
        blobs_(blobs),
        authentication_(authentication),
        claims_(authentication),
        log_intake_(logs) {}

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const v1::RegisterRequest* request,
                                     v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* Acquire(grpc::CallbackServerContext* context,
                                    const v1::AcquireRequest* request,
                                    v1::AcquireResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context,
                                      const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;
  grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse>* Report(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* CommitCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::CommitCheckpointRequest* request,
                                             v1::CommitCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                   const v1::FinishRequest* request,
                                   v1::FinishResponse* response) override;
  grpc::ServerUnaryReactor* ShipLog(grpc::CallbackServerContext* context,
                                    const v1::ShipLogRequest* request,
                                    v1::ShipLogResponse* response) override;

 private:
  // The worker that a call names, if the call may be made and the worker is the caller's.
  absl::StatusOr<WorkerId> Caller(const grpc::CallbackServerContext& context, const char* method,
                                  const std::string& worker);

  Core& core_;
  BlobStore& blobs_;
  const Authentication& authentication_;
  WorkerClaims claims_;
  LogIntake log_intake_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_WORKER_SERVICE_H_
