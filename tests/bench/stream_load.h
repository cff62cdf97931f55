// Loss points in bulk: streams of jobs that are leased and never end.
#ifndef ETUDE_TESTS_BENCH_STREAM_LOAD_H_
#define ETUDE_TESTS_BENCH_STREAM_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "etude/v1/types.pb.h"
#include "tests/bench/simulated_fleet.h"
#include "tests/bench/statistics.h"

namespace etude {

inline constexpr int kStreams = 64;

struct Pace {
  int steps_per_batch = 40;
  absl::Duration every = absl::Milliseconds(100);  // a batch of each stream
  absl::Duration length = absl::Seconds(1);
};

// What a phase of load came to.
struct LoadResult {
  double points_per_s = 0;  // acknowledged within the phase
  double ack_p50_ms = 0;
  double ack_p99_ms = 0;
};

// Every worker of the fleet must hold a lease of a job that is longer than all that is reported.
// After an error the fleet is stopped. Not thread-safe.
class StreamLoad {
 public:
  explicit StreamLoad(SimulatedFleet& fleet);

  // New points, at a pace that does not depend on how fast they are acknowledged.
  absl::StatusOr<LoadResult> Paced(const Pace& pace);
  // New points as fast as they are taken: every stream has as many full batches under way as a
  // worker that catches up.
  absl::StatusOr<LoadResult> Saturated(absl::Duration length);
  // At the same pace points that are stored already: of each batch anew, out of all there are.
  absl::StatusOr<LoadResult> Retried(const Pace& pace);
  // New points until there are `points` or a batch more.
  absl::Status FillTo(std::int64_t points);

  std::int64_t stored() const { return stored_.load(); }  // points acknowledged as new

 private:
  struct Stream {
    SimulatedWorker* worker = nullptr;
    std::uint64_t seed = 0;
    std::atomic<std::int64_t> next_step = 1;
  };
  class Rush;

  v1::Points NewBatch(Stream& stream, std::int64_t steps);
  v1::Points OldBatch(const Stream& stream, std::int64_t steps);
  absl::Status Settle(Pending& pending, absl::Duration limit);
  absl::StatusOr<LoadResult> AtPace(const Pace& pace,
                                    const std::function<v1::Points(Stream& stream)>& make);

  SimulatedFleet& fleet_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::atomic<std::int64_t> made_ = 0;    // points
  std::atomic<std::int64_t> stored_ = 0;  // of them acknowledged
  std::uint64_t draw_ = 0;                // of the old batches
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_STREAM_LOAD_H_
