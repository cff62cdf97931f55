#include "lib/models/point_buffer.h"

#include <utility>

namespace etude {

absl::Status PointBuffer::FlushIfDue(absl::Time now) {
  if (points_.size() < kLargestBatch && now - last_flush_ < kLongestWait) return absl::OkStatus();
  last_flush_ = now;
  return Flush();
}

absl::Status PointBuffer::Flush() {
  if (points_.empty()) return absl::OkStatus();
  const std::vector<LossPoint> batch = std::exchange(points_, {});
  return listener_.OnPoints(batch);
}

}  // namespace etude
