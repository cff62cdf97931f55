#include "tests/sim/sim_network.h"

#include <algorithm>
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
    Stall(link, false);
  }
}

absl::Duration SimNetwork::Delay() {
  if (dice_.Chance(weather_.late)) {
    trace_.Count("delay");
    return dice_.Between(absl::Milliseconds(100), kLongestDelay);
  }
  return dice_.Between(absl::Milliseconds(1), absl::Milliseconds(15));
}

void SimNetwork::Carry(Direction& direction, absl::Duration delay, std::function<void()> deliver) {
  const absl::Duration arrival = timeline_.elapsed() + delay;
  if (arrival < direction.latest) trace_.Count("reorder");
  direction.latest = std::max(direction.latest, arrival);
  timeline_.After(delay, std::move(deliver));
}

void SimNetwork::Send(int link, Way way, std::function<void()> deliver) {
  Direction& direction = Find(link, way);
  if (direction.cut) {
    if (dice_.Chance(kKeptByCut)) direction.kept.push_back(std::move(deliver));
    return;
  }
  if (dice_.Chance(weather_.drop)) return trace_.Count("drop");
  if (dice_.Chance(weather_.duplicate)) {
    trace_.Count("duplicate");
    Carry(direction, dice_.Between(absl::Milliseconds(1), kLongestDelay), deliver);
  }
  Carry(direction, Delay(), std::move(deliver));
}

}  // namespace etude
