#include "coordinator/worker_claims.h"

#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {

absl::StatusOr<WorkerId> WorkerClaims::Claim(const std::string& name, const CallerId& caller) {
  if (!IsSafeFileName(name)) {
    return InvalidArgument("worker: expected up to 128 of letters, digits and . _ -");
  }
  const MutexLock lock(mutex_);
  const auto held = holders_.find(name);
  if (held == holders_.end()) {
    if (holders_.size() >= kMaxWorkerClaims) {
      return ResourceExhausted("the coordinator has seen too many workers; start it again");
    }
    holders_.emplace(name, caller);
  } else if (held->second.token_sha256 != caller.token_sha256) {
    if (authentication_.IsValid(held->second)) {
      return PermissionDenied("worker " + name +
                              " was registered with another token; use that one, or revoke it");
    }
    held->second = caller;
  }
  return WorkerId(name);
}

}  // namespace etude
