// The simulated world's time: what is to happen, in order, and the clocks of its machines.
#ifndef ETUDE_TESTS_SIM_TIMELINE_H_
#define ETUDE_TESTS_SIM_TIMELINE_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace etude {

// Runs actions one after the other, each at its time; those of one time in the order in which they
// were added. Not thread-safe.
class Timeline {
 public:
  using Action = std::function<void()>;

  absl::Duration elapsed() const { return elapsed_; }
  void After(absl::Duration delay, Action action);
  // Moves time to the next action and runs it. False: there is none.
  bool Step();
  std::uint64_t steps() const { return steps_; }

 private:
  struct Entry {
    absl::Duration at;
    std::uint64_t number = 0;
    Action action;
  };
  static bool Later(const Entry& a, const Entry& b);

  absl::Duration elapsed_;
  std::uint64_t added_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Entry> entries_;  // a heap, the earliest in front
};

// One machine's. Its monotonic time has a zero of its own; its wall time may jump.
class SimClock : public Clock {
 public:
  explicit SimClock(const Timeline& timeline) : timeline_(timeline) {}

  absl::Time Now() override {
    return absl::FromUnixSeconds(1'700'000'000) + timeline_.elapsed() + wall_offset_;
  }
  absl::Time MonotonicNow() override {
    return absl::UnixEpoch() + timeline_.elapsed() + monotonic_offset_;
  }
  void SleepFor(absl::Duration) override {}

  void JumpWall(absl::Duration by) { wall_offset_ += by; }
  // The machine starts again, and its monotonic time from another zero.
  void Reboot(absl::Duration offset) { monotonic_offset_ = offset; }

 private:
  const Timeline& timeline_;
  absl::Duration wall_offset_;
  absl::Duration monotonic_offset_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_TIMELINE_H_
