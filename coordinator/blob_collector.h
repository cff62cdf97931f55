// Which blobs stay. Kept is what a row names: a corpus's files; of every run the last and the best
// checkpoint; the resume checkpoint of a job that is not over; the logs of every attempt. Anything
// else is deleted once nobody has asked for it for kMinUnreferencedAge: it may be about to be
// named.
#ifndef ETUDE_COORDINATOR_BLOB_COLLECTOR_H_
#define ETUDE_COORDINATOR_BLOB_COLLECTOR_H_

#include <memory>
#include <set>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "storage/blob_store.h"
#include "storage/results_store.h"

namespace etude {

inline constexpr absl::Duration kCollectBlobsEvery = absl::Hours(1);
inline constexpr absl::Duration kMinUnreferencedAge = absl::Hours(1);
inline constexpr absl::Duration kMaxBlobHold = absl::Hours(12);

// Thread-safe. What it is given must outlive it, and it its holds.
class BlobCollector {
 public:
  BlobCollector(ResultsReader& reader, BlobStore& blobs, Clock& clock)
      : reader_(reader), blobs_(blobs), clock_(clock) {}

  // How many were deleted; none while there is a hold.
  absl::StatusOr<int> Collect() ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is deleted from its making until it goes, or kMaxBlobHold has passed: what a snapshot
  // taken meanwhile names can be read.
  class Hold {
   public:
    explicit Hold(BlobCollector& collector);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    bool IsOver() const { return collector_.clock_.MonotonicNow() >= until_; }

   private:
    BlobCollector& collector_;
    const absl::Time until_;
    std::multiset<absl::Time>::iterator place_;
  };

 private:
  ResultsReader& reader_;
  BlobStore& blobs_;
  Clock& clock_;
  Mutex mutex_;                                              // held while blobs are deleted
  std::multiset<absl::Time> holds_ ABSL_GUARDED_BY(mutex_);  // by their ends
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_BLOB_COLLECTOR_H_
