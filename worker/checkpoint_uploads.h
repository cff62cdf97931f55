// Sends checkpoints to the blob store and has them committed, one after the other; a checkpoint is
// committed only once every point before it is acknowledged.
#ifndef ETUDE_WORKER_CHECKPOINT_UPLOADS_H_
#define ETUDE_WORKER_CHECKPOINT_UPLOADS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/attempt_dir.h"
#include "worker/backoff.h"
#include "worker/event.h"
#include "worker/spool.h"

namespace etude {

// Not thread-safe. `transport` and `next_call` must outlive it.
class CheckpointUploads {
 public:
  CheckpointUploads(AttemptDir dir, WorkerId worker, Transport& transport, CallId& next_call,
                    std::uint64_t seed);

  // Queues one. A queued one of the same kind that has not been begun is dropped for it, so the
  // queue holds one of a kind, but for branch points, all of which are kept. `required`: that it
  // fails is an error.
  void Add(const Spool::FoundCheckpoint& checkpoint, bool required);
  // Starts what can be started now.
  void Advance(const Spool& spool, absl::Time now);
  // True if the event was an answer to one of its calls.
  bool Handle(const Event& event, absl::Time now);

  bool idle() const { return queue_.empty(); }
  // Why a required one cannot be kept.
  const absl::Status& failure() const { return failure_; }
  // Of the newest resume checkpoint committed; 0 = none.
  std::int64_t committed_step() const { return committed_step_; }
  // When the newest resume checkpoint was committed; InfinitePast before that.
  absl::Time committed_at() const { return committed_at_; }

 private:
  struct Item {
    CheckpointRecord record;
    std::int64_t offset = 0;
    bool required = false;
    std::size_t uploaded = 0;  // files
  };
  void TakeUpload(const absl::StatusOr<ArtifactFile>& file, absl::Time now);
  void TakeCommit(const absl::Status& status, absl::Time now);
  void GiveUp(const absl::Status& why);

  AttemptDir dir_;
  WorkerId worker_;
  Transport& transport_;
  CallId& next_call_;
  std::deque<Item> queue_;
  CallId call_ = 0;  // under way for the front
  absl::Time retry_at_ = absl::InfinitePast();
  Backoff backoff_;
  absl::Status failure_;
  std::int64_t committed_step_ = 0;
  absl::Time committed_at_ = absl::InfinitePast();
};

// True when the same call may succeed later, so it is tried again.
bool IsTransient(const absl::Status& status);

}  // namespace etude

#endif  // ETUDE_WORKER_CHECKPOINT_UPLOADS_H_
