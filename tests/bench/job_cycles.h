// Simulated workers that train: lease, report every point of the job, finish, ask again.
#ifndef ETUDE_TESTS_BENCH_JOB_CYCLES_H_
#define ETUDE_TESTS_BENCH_JOB_CYCLES_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "tests/bench/simulated_fleet.h"

namespace etude {

// Thread-safe. The fleet must outlive it, and trains nothing once it has gone.
class JobCycles {
 public:
  explicit JobCycles(SimulatedFleet& fleet);
  ~JobCycles();
  JobCycles(const JobCycles&) = delete;
  JobCycles& operator=(const JobCycles&) = delete;

  // Jobs whose success is durable.
  std::int64_t finished() const;
  // The first error; none is expected.
  absl::Status status() const;
  // kDeadlineExceeded, or the first error.
  absl::Status AwaitFinished(std::int64_t jobs, absl::Duration limit);

 private:
  void Train(SimulatedWorker& worker, const HeldJob& lease);
  void ReportFrom(SimulatedWorker& worker, const HeldJob& lease, std::int64_t first);
  void OnFinished(const absl::Status& status);

  SimulatedFleet& fleet_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::int64_t finished_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t training_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_JOB_CYCLES_H_
