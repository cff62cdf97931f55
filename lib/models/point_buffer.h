// Collects loss points and hands them on in batches, so that a fast run does not make one call a
// step.
#ifndef ETUDE_LIB_MODELS_POINT_BUFFER_H_
#define ETUDE_LIB_MODELS_POINT_BUFFER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/models/trainer.h"

namespace etude {

// Not thread-safe.
class PointBuffer {
 public:
  static constexpr absl::Duration kLongestWait = absl::Milliseconds(50);
  static constexpr std::size_t kLargestBatch = 4096;

  explicit PointBuffer(TrainListener& listener) : listener_(listener) {}
  void Add(Series series, std::int64_t step, double value) {
    points_.push_back({series, step, value});
  }
  // Hands the points on when the last batch is kLongestWait ago or the buffer is full. Errors are
  // the listener's.
  absl::Status FlushIfDue(absl::Time now);
  absl::Status Flush();

 private:
  TrainListener& listener_;
  std::vector<LossPoint> points_;
  absl::Time last_flush_ = absl::InfinitePast();
};

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_POINT_BUFFER_H_
