// A results store that counts what goes through it.
#ifndef ETUDE_COORDINATOR_MEASURED_STORE_H_
#define ETUDE_COORDINATOR_MEASURED_STORE_H_

#include <array>
#include <span>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/metrics.h"
#include "lib/base/clock.h"
#include "storage/results_store.h"

namespace etude {

inline constexpr std::size_t kJobOutcomes = static_cast<std::size_t>(JobOutcome::kCancelled) + 1;

// Of batches that were committed, but for the durations, which are of all. Thread-safe.
struct StoreCounts {
  std::array<Counter, std::variant_size_v<Change>> changes;  // by the change's index
  std::array<Counter, kJobOutcomes> attempts_ended;
  Counter points;
  Counter commits_failed;
  Histogram commit_seconds{{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5}};
  Histogram batch_changes{{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}};
  Histogram batch_points{{0, 10, 100, 1000, 10'000, 100'000}};
};

// Not thread-safe, as every ResultsStore; its counts are.
class MeasuredStore final : public ResultsStore {
 public:
  // All must outlive it.
  MeasuredStore(ResultsStore& store, Clock& clock, StoreCounts& counts)
      : store_(store), clock_(clock), counts_(counts) {}

  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override { store_.Tidy(); }
  absl::StatusOr<StoredState> Load() override { return store_.Load(); }

 private:
  ResultsStore& store_;
  Clock& clock_;
  StoreCounts& counts_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_MEASURED_STORE_H_
