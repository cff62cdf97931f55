// Which worker is whose: tokens of a name speak for the workers that one of them registered, and no
// others do.
#ifndef ETUDE_COORDINATOR_WORKER_CLAIMS_H_
#define ETUDE_COORDINATOR_WORKER_CLAIMS_H_

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "coordinator/authentication.h"
#include "lib/base/mutex.h"
#include "lib/scaling/ids.h"

namespace etude {

inline constexpr std::size_t kMaxWorkerClaims = 100'000;  // the oldest makes room

// Thread-safe. `authentication` must outlive it.
class WorkerClaims {
 public:
  explicit WorkerClaims(const Authentication& authentication) : authentication_(authentication) {}

  // The worker `name` as a call of `caller` may name it. The name of the first caller's token has
  // the worker until no token of that name is valid, or the coordinator starts again.
  // kPermissionDenied: it is another's. kUnauthenticated: the caller's token was revoked or has
  // expired. kInvalidArgument: no worker can be called so.
  absl::StatusOr<WorkerId> Claim(const std::string& name, const CallerId& caller);

 private:
  const Authentication& authentication_;
  Mutex mutex_;
  std::unordered_map<std::string, std::string> holders_ ABSL_GUARDED_BY(mutex_);  // by worker
  std::deque<std::string> in_order_ ABSL_GUARDED_BY(mutex_);  // of their first claims
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_WORKER_CLAIMS_H_
