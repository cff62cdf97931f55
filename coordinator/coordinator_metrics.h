// What the coordinator says about itself to Prometheus. Names, labels and units are a promise:
// dashboards and alerts are written against them.
#ifndef ETUDE_COORDINATOR_COORDINATOR_METRICS_H_
#define ETUDE_COORDINATOR_COORDINATOR_METRICS_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "coordinator/call_counts.h"
#include "coordinator/core.h"
#include "coordinator/measured_store.h"

namespace etude {

// What does not change while the coordinator runs.
struct MetricsFacts {
  std::string software;
  std::string state_dir;
  std::string store_path;
  std::int64_t started_at_us = 0;
};

// Thread-safe.
class CoordinatorMetrics {
 public:
  explicit CoordinatorMetrics(MetricsFacts facts) : facts_(std::move(facts)) {}

  StoreCounts& store() { return store_; }
  CallCounts& calls() { return calls_; }
  void SetBlobBytes(std::int64_t bytes) { blob_bytes_.store(bytes, std::memory_order_relaxed); }

  // Everything, as text. Reads counters, what the core last noted and a few facts of the system:
  // it waits for no commit and reads no table. `read_only`: the store takes no writes.
  std::string Text(const Core::Load& load, bool read_only) const;

 private:
  void AddProcess(MetricsText& text) const;
  void AddState(MetricsText& text, bool read_only) const;
  void AddStore(MetricsText& text) const;

  const MetricsFacts facts_;
  StoreCounts store_;
  CallCounts calls_;
  std::atomic<std::int64_t> blob_bytes_ = 0;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_COORDINATOR_METRICS_H_
