// The wires between the coordinator and those who call it.
#ifndef ETUDE_TESTS_SIM_SIM_NETWORK_H_
#define ETUDE_TESTS_SIM_SIM_NETWORK_H_

#include <array>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "tests/sim/dice.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace etude {

enum class Way { kUp, kDown };  // to the coordinator, from it

// Chances of each message.
struct NetworkWeather {
  double drop = 0;
  double duplicate = 0;  // the second one comes up to kLongestDelay later
  double late = 0;       // seconds instead of milliseconds, and so in another order
};

// Not thread-safe.
class SimNetwork {
 public:
  static constexpr absl::Duration kLongestDelay = absl::Seconds(8);

  SimNetwork(Timeline& timeline, Trace& trace, const Dice& dice, int links)
      : timeline_(timeline), trace_(trace), dice_(dice), links_(static_cast<std::size_t>(links)) {}

  void set_weather(const NetworkWeather& weather) { weather_ = weather; }
  void Cut(int link, Way way) { Find(link, way).cut = true; }
  // What was kept back by the cut now comes late.
  void Heal(int link, Way way);
  void HealAll();
  bool IsCut(int link, Way way) { return Find(link, way).cut; }
  // Nothing moves on the link's streams, while its calls pass.
  void Stall(int link, bool stalled) { Find(link, Way::kUp).stalled = stalled; }
  bool IsStalled(int link) { return Find(link, Way::kUp).stalled; }

  // One message: runs `deliver` later, once, twice or never. A message into a cut is lost or comes
  // when the cut heals, as what TCP sends again.
  void Send(int link, Way way, std::function<void()> deliver);
  absl::Duration Delay();

 private:
  struct Direction {
    bool cut = false;
    bool stalled = false;
    absl::Duration latest;  // arrival of what was sent so far
    std::vector<std::function<void()>> kept;
  };
  Direction& Find(int link, Way way) {
    return links_.at(static_cast<std::size_t>(link)).at(static_cast<std::size_t>(way));
  }

  void Carry(Direction& direction, absl::Duration delay, std::function<void()> deliver);

  Timeline& timeline_;
  Trace& trace_;
  Dice dice_;
  NetworkWeather weather_;
  std::vector<std::array<Direction, 2>> links_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_NETWORK_H_
