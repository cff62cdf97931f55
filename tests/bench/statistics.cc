#include "tests/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(2);

}  // namespace

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

double Median(const std::vector<double>& values) { return Percentile(values, 0.5); }

void LatencyLog::Add(absl::Duration latency) {
  const MutexLock lock(mutex_);
  milliseconds_.push_back(absl::ToDoubleMilliseconds(latency));
}

std::size_t LatencyLog::count() const {
  const MutexLock lock(mutex_);
  return milliseconds_.size();
}

double LatencyLog::PercentileMs(double share) const {
  const MutexLock lock(mutex_);
  return Percentile(milliseconds_, share);
}

void Pending::Add() {
  const MutexLock lock(mutex_);
  ++count_;
}

void Pending::Done(const absl::Status& status) {
  const MutexLock lock(mutex_);
  --count_;
  if (status_.ok()) status_ = status;
  changed_.SignalAll();
}

bool Pending::failed() const {
  const MutexLock lock(mutex_);
  return !status_.ok();
}

absl::Status Pending::Await(absl::Duration limit) {
  const MutexLock lock(mutex_);
  const bool over = changed_.WaitFor(
      mutex_, limit, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return count_ == 0; });
  if (!status_.ok() || over) return status_;
  return DeadlineExceeded(std::to_string(count_) + " calls are still open after " +
                          absl::FormatDuration(limit));
}

absl::Status AwaitThat(const char* what, absl::Duration limit,
                       const std::function<bool()>& condition) {
  const absl::Time deadline = SystemClock().MonotonicNow() + limit;
  while (!condition()) {
    if (SystemClock().MonotonicNow() >= deadline) {
      return DeadlineExceeded(std::string(what) + ": not within " + absl::FormatDuration(limit));
    }
    SystemClock().SleepFor(kLookEvery);
  }
  return absl::OkStatus();
}

}  // namespace etude
