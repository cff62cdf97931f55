// Calls over the simulated network: each answers exactly once, at the latest at its deadline.
#ifndef ETUDE_TESTS_SIM_CALLS_H_
#define ETUDE_TESTS_SIM_CALLS_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "tests/sim/sim_network.h"

namespace etude {

// One caller's end of a link. Once it is gone, nothing answers any more. Not thread-safe.
class Calls {
 public:
  template <typename Result>
  using Done = std::function<void(Result)>;

  Calls(Timeline& timeline, SimNetwork& network, int link)
      : timeline_(timeline), network_(network), link_(link) {}
  ~Calls() {
    *alive_ = false;
    for (const std::weak_ptr<Pending>& weak : pending_) {
      if (const auto pending = weak.lock()) pending->answered = true;
    }
  }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // `ask` runs at the other end, perhaps twice; what it is given takes the answer back. `done` runs
  // here. Result is an absl::Status or an absl::StatusOr.
  template <typename Result>
  void Call(absl::Duration deadline, std::function<void(Done<Result>)> ask, Done<Result> done) {
    const auto pending = std::make_shared<PendingCall<Result>>(std::move(done));
    std::erase_if(pending_, [](const auto& weak) { return weak.expired(); });
    pending_.push_back(pending);
    network_.Send(link_, Way::kUp,
                  [&network = network_, link = link_, ask = std::move(ask), pending] {
                    ask([&network, link, pending](const Result& result) {
                      network.Send(link, Way::kDown, [pending, result] { pending->Take(result); });
                    });
                  });
    timeline_.After(deadline, [pending] { pending->Fail(DeadlineExceeded("no answer in time")); });
  }

  // Runs `action` later, if the caller is still there.
  void After(absl::Duration delay, std::function<void()> action) {
    timeline_.After(delay, [alive = alive_, action = std::move(action)] {
      if (*alive) action();
    });
  }

  // The other end has died: what waits for it hears so soon, as after a TCP reset.
  void Break() {
    for (const std::weak_ptr<Pending>& weak : pending_) {
      const auto pending = weak.lock();
      if (pending == nullptr || pending->answered) continue;
      network_.Send(link_, Way::kDown,
                    [pending] { pending->Fail(Unavailable("connection reset")); });
    }
  }

 private:
  struct Pending {
    virtual ~Pending() = default;
    virtual void Fail(const absl::Status& status) = 0;
    bool answered = false;
  };
  template <typename Result>
  struct PendingCall : Pending {
    explicit PendingCall(Done<Result> to) : done(std::move(to)) {}
    void Fail(const absl::Status& status) override { Take(Result(status)); }
    void Take(const Result& result) {
      if (!std::exchange(this->answered, true)) done(result);
    }
    const Done<Result> done;
  };

  Timeline& timeline_;
  SimNetwork& network_;
  const int link_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::weak_ptr<Pending>> pending_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_CALLS_H_
