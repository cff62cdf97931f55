#include "worker/spool.h"

#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "worker/trainer_protocol.h"
#include "worker/transport.h"

namespace etude {

Spool::Spool(AttemptDir dir)
    : dir_(std::move(dir)),
      reader_(dir_.Path(kPointsLogFile)),
      acknowledged_(ReadAcknowledged(dir_)),
      saved_(acknowledged_) {}

absl::Status Spool::Poll() {
  if (damaged_) return absl::OkStatus();
  drained_ = false;
  while (batches_.size() < kMaxUnacknowledgedBatches) {
    const std::int64_t begin = reader_.offset();
    absl::StatusOr<std::optional<LogRecord>> record = reader_.Next();
    if (!record.ok()) {
      damaged_ = true;
      drained_ = true;
      return record.status();
    }
    if (!*record) {
      drained_ = true;
      return absl::OkStatus();
    }
    Take(**std::move(record), begin);
  }
  return absl::OkStatus();
}

void Spool::Take(LogRecord record, std::int64_t begin) {
  if (auto* points = std::get_if<PointsRecord>(&record)) {
    TakePoints(std::move(*points), begin);
  } else if (auto* numerics = std::get_if<NumericsRecord>(&record)) {
    numerics_ = std::move(numerics->json);
  } else if (auto* done = std::get_if<DoneRecord>(&record)) {
    done_ = std::move(*done);
  } else if (auto* checkpoint = std::get_if<CheckpointRecord>(&record)) {
    if (begin < checkpoints_through_) return;
    checkpoints_through_ = reader_.offset();
    if (checkpoint->kind == CheckpointKind::kResume) resume_ = *checkpoint;
    newest_step_ = std::max(newest_step_, checkpoint->step);
    found_.push_back({std::move(*checkpoint), begin});
  }
}

void Spool::TakePoints(PointsRecord record, std::int64_t begin) {
  for (const LossPoint& point : record.points) newest_step_ = std::max(newest_step_, point.step);
  const std::int64_t end = reader_.offset();
  if (end <= acknowledged_) return;
  const bool fits =
      !batches_.empty() && !batches_.back().sent &&
      batches_.back().points.size() + record.points.size() <= Transport::kMaxPointsPerBatch;
  if (!fits) {
    batches_.push_back({.points = std::move(record.points), .begin = begin, .end = end});
    return;
  }
  Batch& batch = batches_.back();
  batch.points.insert(batch.points.end(), record.points.begin(), record.points.end());
  batch.end = end;
}

Spool::Batch* Spool::NextUnsent() {
  const auto found =
      std::find_if(batches_.begin(), batches_.end(), [](const Batch& b) { return !b.sent; });
  return found == batches_.end() ? nullptr : &*found;
}

void Spool::Acknowledge(std::int64_t end) {
  while (!batches_.empty() && batches_.front().end <= end) {
    acknowledged_ = batches_.front().end;
    batches_.pop_front();
  }
}

void Spool::Unsend() {
  for (Batch& batch : batches_) batch.sent = false;
}

void Spool::Rewind() {
  batches_.clear();
  acknowledged_ = 0;
  reader_ = PointsLogReader(dir_.Path(kPointsLogFile));
  drained_ = false;
  damaged_ = false;
}

absl::Status Spool::SaveAcknowledged() {
  if (saved_ == acknowledged_) return absl::OkStatus();
  saved_ = acknowledged_;
  return WriteAcknowledged(dir_, acknowledged_);
}

std::vector<Spool::FoundCheckpoint> Spool::TakeCheckpoints() { return std::exchange(found_, {}); }

}  // namespace etude
