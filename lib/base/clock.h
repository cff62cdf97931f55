// The only place that asks the system for the time or sleeps. Pure code takes an absl::Time
// instead.
#ifndef ETUDE_LIB_BASE_CLOCK_H_
#define ETUDE_LIB_BASE_CLOCK_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace etude {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time: for display and stored timestamps, never for a decision.
  virtual absl::Time Now() = 0;
  // Monotonic time on an axis of its own (its zero means nothing): for leases, deadlines and
  // durations.
  virtual absl::Time MonotonicNow() = 0;
  virtual void SleepFor(absl::Duration duration) = 0;
};

// The process-wide real clock; never destroyed.
Clock& SystemClock();

// Microseconds since the Unix epoch, the form in which times are stored and sent.
std::int64_t ToMicros(absl::Time time);
absl::Time FromMicros(std::int64_t micros);
// ISO-8601 in UTC with whole seconds: "2026-11-23T08:30:00Z".
std::string ToIso8601(absl::Time time);

}  // namespace etude

#endif  // ETUDE_LIB_BASE_CLOCK_H_
