// Somebody who submits sweeps and then changes his mind about sweeps, runs and workers.
#ifndef ETUDE_TESTS_SIM_SIM_CLIENT_H_
#define ETUDE_TESTS_SIM_SIM_CLIENT_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/calls.h"
#include "tests/sim/sim_transport.h"

namespace etude {

// Asks one thing after the other, each again and again until it is done. Not thread-safe.
class SimClient {
 public:
  // `link`: its own, of the network.
  SimClient(int link, const Wire& wire, Oracle& oracle, const Dice& dice);

  void Start();
  // Nothing may stay paused or drained: that nobody trains then is no fault. Call once nothing is
  // delivered late or twice any more.
  void Conclude();
  // True once it has concluded and everything it wanted was done.
  bool done() const { return concluded_ && wishes_.empty(); }
  void ConnectionBroke() { calls_.Break(); }

 private:
  using Done = SimCoordinator::Done<absl::Status>;
  struct Wish {
    std::string name;
    absl::Duration not_before;
    bool may_be_refused = false;  // what it is about may have ended, or never been
    std::function<void(SimCoordinator&, const Done&)> ask;
  };
  struct Order {
    Sweep sweep;
    std::vector<RunConfig> configs;
  };

  void PlanCorpus();
  void PlanSweeps();
  Order DrawSweep(const std::string& name, const std::vector<RunConfig>& pool);
  void WantSubmitted(const Order& order);
  void Want(const std::string& name, const SimCoordinator::Request& request);
  void WantControl(const Order& order);
  void WantCancelled(const Order& order);
  void WantDeleted(const Order& order);
  void WantRunControl(const Order& order);
  void WantDrained(const WorkerId& worker, bool drained);
  void Ask();
  void Take(const absl::Status& status);

  const Wire wire_;
  Oracle& oracle_;
  Dice dice_;
  Calls calls_;
  Corpus corpus_;
  std::vector<Order> orders_;
  absl::Duration at_;  // of the next wish
  std::deque<Wish> wishes_;
  bool asking_ = false;
  bool concluded_ = false;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_CLIENT_H_
