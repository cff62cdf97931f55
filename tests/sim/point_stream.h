// One stream of points between a worker and the coordinator: in order both ways, until it breaks.
#ifndef ETUDE_TESTS_SIM_POINT_STREAM_H_
#define ETUDE_TESTS_SIM_POINT_STREAM_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "tests/sim/dice.h"
#include "tests/sim/sim_coordinator.h"
#include "tests/sim/sim_network.h"
#include "worker/event.h"
#include "worker/transport.h"

namespace etude {

// Both ends of it: the client's as CoordinatorClient has it, the server's as ReportReactor. Made by
// std::make_shared; what is in flight keeps it alive. Not thread-safe.
class PointStream : public std::enable_shared_from_this<PointStream> {
 public:
  PointStream(CallId id, int link, Timeline& timeline, SimNetwork& network,
              SimCoordinator& coordinator, const Dice& dice,
              std::function<void(const Event&)> deliver);

  CallId id() const { return id_; }
  void Send(const Transport::PointsBatch& batch);
  // The client lets go of it. What it sent may still arrive.
  void Cancel();
  // The client's process is gone.
  void Abandon() { client_open_ = false; }
  // The connection is gone: both ends hear so, each in its time.
  void Break();

 private:
  using Action = std::function<void()>;
  // The messages of one way, each with its earliest time of arrival.
  struct Lane {
    std::deque<std::pair<absl::Duration, Action>> messages;
    int waited = 0;
  };
  // `arrive` runs after everything sent that way before.
  void Carry(Way way, Action arrive);
  // Waits for the time of the lane's first message.
  void Await(Way way);
  // Lets the first message arrive; tries again while the link is cut or stalled, and breaks if that
  // takes too long.
  void Arrive(Way way);
  Lane& LaneOf(Way way) { return lanes_[static_cast<int>(way)]; }
  void Take(const Transport::PointsBatch& batch);
  void OnCommitted(std::uint64_t sequence, const absl::StatusOr<bool>& accepted);
  void EndServer(const absl::Status& status);
  void Close(const absl::Status& status);

  const CallId id_;
  const int link_;
  Timeline& timeline_;
  SimNetwork& network_;
  SimCoordinator& coordinator_;
  Dice dice_;
  const std::function<void(const Event&)> deliver_;
  Lane lanes_[2];
  bool broken_ = false;
  bool client_open_ = true;
  bool server_open_ = true;
  std::uint64_t last_sequence_ = 0;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_POINT_STREAM_H_
