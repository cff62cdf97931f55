#include "lib/base/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace etude {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() override { return absl::Now(); }
  absl::Time MonotonicNow() override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::TimeFromTimespec(now);
  }
  void SleepFor(absl::Duration duration) override { absl::SleepFor(duration); }
};

}  // namespace

Clock& SystemClock() {
  // It has no state. NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
  static RealClock& clock = *new RealClock;
  return clock;
}

std::int64_t ToMicros(absl::Time time) { return absl::ToUnixMicros(time); }
absl::Time FromMicros(std::int64_t micros) { return absl::FromUnixMicros(micros); }
std::string ToIso8601(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace etude
