// One open Report call.
#ifndef ETUDE_COORDINATOR_REPORT_SERVICE_H_
#define ETUDE_COORDINATOR_REPORT_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include <cstdint>

#include "absl/status/status.h"
#include "coordinator/authentication.h"
#include "coordinator/core.h"
#include "coordinator/worker_claims.h"
#include "etude/v1/worker.pb.h"
#include "lib/base/mutex.h"

namespace etude {

// Reads reports, hands each to the core, and acknowledges those that are committed; one read and
// one write are in flight at a time, and at most kMaxReportsInFlight reports. Deletes itself when
// the call is over. Thread-safe.
class ReportReactor final : public grpc::ServerBidiReactor<v1::ReportRequest, v1::ReportResponse> {
 public:
  // Ends the call at once unless `caller` is one. `claims` must outlive it.
  ReportReactor(Core& core, WorkerClaims& claims, const absl::StatusOr<CallerId>& caller);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  absl::Status Take(const v1::ReportRequest& request);
  void OnCommitted(std::uint64_t sequence, const absl::StatusOr<bool>& accepted);
  // What to start once the lock is released.
  struct Next {
    bool read = false;
    bool write = false;
    bool finish = false;
    absl::Status status;
  };
  Next Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Start(Next next);

  Core& core_;
  WorkerClaims& claims_;
  const CallerId caller_;
  v1::ReportRequest request_;    // of the read in flight
  v1::ReportResponse response_;  // of the write in flight

  Mutex mutex_;
  v1::ReportResponse pending_ ABSL_GUARDED_BY(mutex_);  // what the next write acknowledges
  bool has_pending_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;  // reports with the core
  // Decided by Advance and not yet started; the call must not end before.
  int starting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more is read
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_REPORT_SERVICE_H_
