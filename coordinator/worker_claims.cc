#include "coordinator/worker_claims.h"

#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {

absl::StatusOr<WorkerId> WorkerClaims::Claim(const std::string& name, const CallerId& caller) {
  if (!IsSafeFileName(name)) {
    return InvalidArgument("worker: expected up to 128 of letters, digits and . _ -");
  }
  if (!authentication_.IsValid(caller)) {
    return Unauthenticated("the token (" + caller.name + ") was revoked or has expired");
  }
  const MutexLock lock(mutex_);
  const auto [held, is_new] = holders_.try_emplace(name, caller.name);
  if (is_new) {
    in_order_.push_back(name);
    if (in_order_.size() > kMaxWorkerClaims) {
      holders_.erase(in_order_.front());
      in_order_.pop_front();
    }
  } else if (held->second != caller.name) {
    if (authentication_.HasValid(held->second)) {
      return PermissionDenied("worker " + name + " belongs to the tokens named " + held->second +
                              "; make one more: etude token new worker --name " + held->second +
                              ", or remove their lines from the coordinator's token file");
    }
    held->second = caller.name;
  }
  return WorkerId(name);
}

}  // namespace etude
