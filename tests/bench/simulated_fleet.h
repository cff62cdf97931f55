// Simulated workers, their connections, and the thread that lets time pass for them.
#ifndef ETUDE_TESTS_BENCH_SIMULATED_FLEET_H_
#define ETUDE_TESTS_BENCH_SIMULATED_FLEET_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/bench/coordinator_process.h"
#include "tests/bench/simulated_worker.h"
#include "tests/bench/worker_link.h"

namespace etude {

struct FleetOptions {
  int workers = 1;
  int connections = 16;          // shared evenly
  std::string prefix = "bench";  // of the workers' ids
};

// Thread-safe.
class SimulatedFleet {
 public:
  // The workers start to register at once, and beat from then on.
  SimulatedFleet(const CoordinatorAddress& address, const FleetOptions& options);
  ~SimulatedFleet() { Stop(); }
  // Ends every call and waits for it: afterwards no callback runs.
  void Stop();

  int size() const { return static_cast<int>(workers_.size()); }
  SimulatedWorker& worker(int number) { return *workers_[static_cast<std::size_t>(number)]; }
  const std::vector<std::unique_ptr<SimulatedWorker>>& workers() const { return workers_; }

  using Test = std::function<bool(const SimulatedWorker::Standing&)>;
  int Count(const Test& test) const;
  // kDeadlineExceeded names what some worker last heard.
  absl::Status AwaitRegistered() const;
  // Every worker asks and keeps what it gets, until `leases` of them have one.
  absl::Status AwaitLeases(int leases);

 private:
  absl::Status Explain(const absl::Status& status) const;
  void Run(const std::stop_token& stop);

  std::vector<std::unique_ptr<SimulatedWorker>> workers_;
  WorkerLink link_;
  std::jthread clockwork_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_SIMULATED_FLEET_H_
