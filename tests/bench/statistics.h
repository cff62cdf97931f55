// Percentiles, and the two things that callbacks of other threads report to: how long something
// took, and that it is over.
#ifndef ETUDE_TESTS_BENCH_STATISTICS_H_
#define ETUDE_TESTS_BENCH_STATISTICS_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace etude {

// The smallest value that at least `share` (0 to 1) of the values do not exceed; NaN of none.
double Percentile(std::vector<double> values, double share);
double Median(const std::vector<double>& values);

// Thread-safe.
class LatencyLog {
 public:
  void Add(absl::Duration latency);
  std::size_t count() const;
  double PercentileMs(double share) const;

 private:
  mutable Mutex mutex_;
  std::vector<double> milliseconds_ ABSL_GUARDED_BY(mutex_);
};

// Things that are under way elsewhere; the first error among them is kept. Thread-safe.
class Pending {
 public:
  void Add();
  void Done(const absl::Status& status);
  bool failed() const;
  // Until nothing is under way; then the first error. kDeadlineExceeded after `limit`.
  absl::Status Await(absl::Duration limit);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Looks every few milliseconds until `condition` holds. kDeadlineExceeded after `limit`, naming
// `what`.
absl::Status AwaitThat(const char* what, absl::Duration limit,
                       const std::function<bool()>& condition);

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_STATISTICS_H_
