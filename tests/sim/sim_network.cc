#include "tests/sim/sim_network.h"

#include <utility>

namespace etude {
namespace {

constexpr double kKeptByCut = 0.5;

}  // namespace

void SimNetwork::Heal(int link, Way way) {
  Direction& direction = Find(link, way);
  direction.cut = false;
  for (std::function<void()>& deliver : std::exchange(direction.kept, {})) {
    timeline_.After(Delay(), std::move(deliver));
  }
}

void SimNetwork::HealAll() {
  for (int link = 0; link < static_cast<int>(links_.size()); ++link) {
    Heal(link, Way::kUp);
    Heal(link, Way::kDown);
  }
}

absl::Duration SimNetwork::Delay() {
  if (dice_.Chance(weather_.late)) return dice_.Between(absl::Milliseconds(100), kLongestDelay);
  return dice_.Between(absl::Milliseconds(1), absl::Milliseconds(15));
}

void SimNetwork::Send(int link, Way way, std::function<void()> deliver) {
  Direction& direction = Find(link, way);
  if (direction.cut) {
    if (dice_.Chance(kKeptByCut)) direction.kept.push_back(std::move(deliver));
    return;
  }
  if (dice_.Chance(weather_.drop)) return;
  if (dice_.Chance(weather_.duplicate)) {
    timeline_.After(dice_.Between(absl::Milliseconds(1), kLongestDelay), deliver);
  }
  timeline_.After(Delay(), std::move(deliver));
}

}  // namespace etude
