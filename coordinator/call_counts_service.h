// Watches the server's calls, of whatever service: counts them as they end, and knows which are
// open.
#ifndef ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_
#define ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_

#include <grpcpp/server_builder.h>

#include "absl/time/time.h"
#include "coordinator/call_counts.h"
#include "lib/base/mutex.h"

namespace etude {

// How many calls of our own services are open; health checks, which may be watched for ever, are
// not. Thread-safe.
class OpenCalls {
 public:
  void Begin();
  void End();
  // True once there is none; false if some are still open after `patience`.
  bool AwaitNone(absl::Duration patience);

 private:
  Mutex mutex_;
  CondVar none_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What it is given must outlive the server. `counts` may be null.
void WatchCalls(grpc::ServerBuilder& builder, OpenCalls& open, CallCounts* counts);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CALL_COUNTS_SERVICE_H_
