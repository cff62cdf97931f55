// What of one attempt's log the coordinator does not have yet. Reads ahead no further than the
// limit, so a coordinator that is away for days costs disk, not memory.
#ifndef ETUDE_WORKER_SPOOL_H_
#define ETUDE_WORKER_SPOOL_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/attempt_dir.h"
#include "worker/points_log.h"

namespace etude {

// Batches of one attempt that are read but not acknowledged; at the limit reading waits.
inline constexpr std::size_t kMaxUnacknowledgedBatches = 8;

// Not thread-safe.
class Spool {
 public:
  struct Batch {
    std::vector<LossPoint> points;
    std::int64_t begin = 0;  // offset in the log of its first record
    std::int64_t end = 0;    // and of the end of its last one
    bool sent = false;
  };
  struct FoundCheckpoint {
    CheckpointRecord record;
    std::int64_t offset = 0;  // of its record in the log
  };

  // Goes on where the coordinator's last written acknowledgement left it; checkpoints and the end
  // are read from the beginning.
  explicit Spool(AttemptDir dir);

  // Reads what is new. kDataLoss: the log is damaged; what came before it stays good.
  absl::Status Poll();
  // True when the last Poll read everything there was.
  bool drained() const { return drained_; }
  bool acknowledged() const { return batches_.empty(); }
  // True when every point before this place in the log is acknowledged.
  bool AcknowledgedThrough(std::int64_t offset) const {
    return batches_.empty() || batches_.front().begin >= offset;
  }

  // The oldest batch not sent, nullptr if none; the caller marks it. Valid until the next call.
  Batch* NextUnsent();
  // Every batch that ends at or before `end` is durable there.
  void Acknowledge(std::int64_t end);
  // What was sent and not acknowledged must be sent again.
  void Unsend();
  // Everything must be sent again.
  void Rewind();
  // Writes the acknowledged offset to disk if it has moved.
  absl::Status SaveAcknowledged();

  // Checkpoints read since the last call, in order.
  std::vector<FoundCheckpoint> TakeCheckpoints();
  const std::optional<DoneRecord>& done() const { return done_; }
  const std::string& numerics() const { return numerics_; }
  std::int64_t newest_step() const { return newest_step_; }
  // Of the newest resume checkpoint that is on this disk; 0 = none.
  std::int64_t local_step() const { return resume_ ? resume_->step : 0; }
  const std::optional<CheckpointRecord>& resume() const { return resume_; }
  // The newest resume checkpoint is no good.
  void ForgetResume() { resume_.reset(); }

 private:
  void Take(LogRecord record, std::int64_t begin);
  void TakePoints(PointsRecord record, std::int64_t begin);

  AttemptDir dir_;
  PointsLogReader reader_;
  std::deque<Batch> batches_;
  std::vector<FoundCheckpoint> found_;
  std::optional<CheckpointRecord> resume_;
  std::optional<DoneRecord> done_;
  std::string numerics_;
  std::int64_t newest_step_ = 0;
  std::int64_t acknowledged_ = 0;
  std::int64_t saved_ = 0;
  std::int64_t checkpoints_through_ = 0;  // offset up to which checkpoints were found
  bool drained_ = false;
  bool damaged_ = false;
};

}  // namespace etude

#endif  // ETUDE_WORKER_SPOOL_H_
