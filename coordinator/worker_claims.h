// Which worker is whose: a token may speak for the workers that it registered, and no other.
#ifndef ETUDE_COORDINATOR_WORKER_CLAIMS_H_
#define ETUDE_COORDINATOR_WORKER_CLAIMS_H_

#include <cstddef>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "coordinator/authentication.h"
#include "lib/base/mutex.h"
#include "lib/scaling/ids.h"

namespace etude {

inline constexpr std::size_t kMaxWorkerClaims = 100'000;

// Thread-safe. `authentication` must outlive it.
class WorkerClaims {
 public:
  explicit WorkerClaims(const Authentication& authentication) : authentication_(authentication) {}

  // The worker `name` as a call of `caller` may name it. The first caller that names a worker has
  // it until its token is revoked or expires, or the coordinator starts again. kPermissionDenied:
  // it is another's. kInvalidArgument: no worker can be called so. kResourceExhausted: too many.
  absl::StatusOr<WorkerId> Claim(const std::string& name, const CallerId& caller);

 private:
  const Authentication& authentication_;
  Mutex mutex_;
  std::unordered_map<std::string, CallerId> holders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_WORKER_CLAIMS_H_
