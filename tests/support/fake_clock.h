// Time that moves only when a test says so.
#ifndef ETUDE_TESTS_SUPPORT_FAKE_CLOCK_H_
#define ETUDE_TESTS_SUPPORT_FAKE_CLOCK_H_

#include "lib/base/clock.h"

namespace etude {

// Not thread-safe.
class FakeClock : public Clock {
 public:
  absl::Time Now() override { return absl::FromUnixSeconds(1'700'000'000) + passed_; }
  absl::Time MonotonicNow() override { return absl::UnixEpoch() + passed_; }
  void SleepFor(absl::Duration duration) override { Advance(duration); }
  void Advance(absl::Duration duration) { passed_ += duration; }

 private:
  absl::Duration passed_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_FAKE_CLOCK_H_
