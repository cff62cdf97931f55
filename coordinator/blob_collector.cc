#include "coordinator/blob_collector.h"

#include <string>
#include <vector>

#include "lib/base/status.h"

namespace etude {

absl::StatusOr<int> BlobCollector::Collect() {
  const MutexLock lock(mutex_);
  if (!holds_.empty() && *holds_.rbegin() > clock_.MonotonicNow()) return 0;
  ASSIGN_OR_RETURN(const std::vector<std::string> named, reader_.ReferencedBlobs());
  return blobs_.Collect(named, clock_.Now() - kMinUnreferencedAge);
}

BlobCollector::Hold::Hold(BlobCollector& collector)
    : collector_(collector), until_(collector.clock_.MonotonicNow() + kMaxBlobHold) {
  const MutexLock lock(collector_.mutex_);
  place_ = collector_.holds_.insert(until_);
}

BlobCollector::Hold::~Hold() {
  const MutexLock lock(collector_.mutex_);
  collector_.holds_.erase(place_);
}

}  // namespace etude
