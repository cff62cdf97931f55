// Chance, drawn in order from one stream of a seed: the same seed draws the same.
#ifndef ETUDE_TESTS_SIM_DICE_H_
#define ETUDE_TESTS_SIM_DICE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "lib/base/random.h"

namespace etude {

// Each part of the world draws from its own, so that what one draws moves no other.
enum class DiceOf : std::uint32_t {
  kNetwork,
  kStore,
  kCoordinator,
  kClient,
  kFaults,
  kWorker,
  kWorld,
  kSplit
};

class Dice {
 public:
  Dice(std::uint64_t seed, DiceOf part, std::uint32_t number = 0)
      : random_(seed, kSimulation, (static_cast<std::uint32_t>(part) << 16) + number) {}

  double Uniform() { return random_.Uniform(next_++); }
  bool Chance(double probability) { return Uniform() < probability; }
  // Both ends included.
  int Between(int low, int high) {
    return low +
           static_cast<int>(random_.Below(next_++, static_cast<std::uint64_t>(high - low) + 1));
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return absl::Trunc(low + (high - low) * Uniform(), absl::Microseconds(1));
  }
  // Other dice, for one part of what these are for.
  Dice Split() { return Dice(random_.Word64(next_++), DiceOf::kSplit); }

 private:
  // Not one of the product's: nothing that is trained depends on it.
  static constexpr auto kSimulation = static_cast<RandomStream>(0x51d);
  CounterRandom random_;
  std::uint64_t next_ = 0;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_DICE_H_
