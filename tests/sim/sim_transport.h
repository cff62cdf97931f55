// A worker's transport over the simulated network.
#ifndef ETUDE_TESTS_SIM_SIM_TRANSPORT_H_
#define ETUDE_TESTS_SIM_SIM_TRANSPORT_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/calls.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/point_stream.h"
#include "tests/sim/sim_coordinator.h"
#include "tests/sim/trace.h"
#include "worker/event.h"
#include "worker/transport.h"

namespace etude {

// Bytes by their SHA-256: the blob store, whose acknowledged blobs are durable.
using Blobs = std::map<std::string, std::string>;

// What all workers share.
struct Wire {
  Timeline& timeline;
  SimNetwork& network;
  SimCoordinator& coordinator;
  Blobs& blobs;
  Trace& trace;
  SchedulerOptions options;  // of the coordinator
  PlantedBug bug = PlantedBug::kNone;
};

// Lives as long as its worker's process: once it is gone, no answer comes any more, but what was
// sent still arrives. Events are never delivered from within a call. Not thread-safe.
class SimTransport final : public Transport {
 public:
  using Deliver = std::function<void(const Event&)>;

  SimTransport(const Wire& wire, int link, const Dice& dice, Deliver deliver);
  ~SimTransport() override;

  // The coordinator has died.
  void Break();
  // Attempts that the newest registration or heartbeat named.
  std::size_t held() const { return held_; }

  void Register(CallId call, const Worker& worker, const std::vector<Held>& held) override;
  void Heartbeat(CallId call, const WorkerId& worker, const std::vector<Held>& held,
                 bool draining) override;
  void Acquire(CallId call, const WorkerId& worker, int slot, absl::Duration wait) override;
  void StopAcquiring() override;
  void OpenReport(CallId stream) override;
  void Report(CallId stream, const PointsBatch& batch) override;
  void CloseReport(CallId stream) override;
  void CommitCheckpoint(CallId call, const WorkerId& worker, const Checkpoint& checkpoint) override;
  void Finish(CallId call, const WorkerId& worker, const Ending& ending) override;
  void ShipLog(CallId call, const WorkerId& worker, const LogText& text) override;
  void Upload(CallId call, const std::string& path) override;
  void Download(CallId call, const ArtifactFile& file, const std::string& path) override;

 private:
  struct Polled {
    int slot = 0;
    std::shared_ptr<bool> gone = std::make_shared<bool>(false);
  };
  void Note(const std::string& line) const;
  void EndPoll(CallId call, const absl::StatusOr<Acquisition>& answer);
  void Forge(CallId stream, const PointsBatch& batch);
  bool IsResent(const PointsBatch& batch);

  const Wire wire_;
  const int link_;
  Dice dice_;
  const Deliver deliver_;
  Calls calls_;
  std::map<CallId, Polled> polls_;
  std::shared_ptr<PointStream> stream_;
  std::size_t held_ = 0;
  std::set<std::tuple<JobId, int, std::int64_t>> sent_;  // first steps, of the planted bug
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_TRANSPORT_H_
