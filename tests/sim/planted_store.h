// A results store with a planted bug: it changes what it is given before the real one gets it.
#ifndef ETUDE_TESTS_SIM_PLANTED_STORE_H_
#define ETUDE_TESTS_SIM_PLANTED_STORE_H_

#include <map>
#include <memory>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/results_store.h"
#include "tests/sim/planted_bug.h"

namespace etude {

// Passes everything on as it is unless the bug is one of the store's. Not thread-safe.
class PlantedStore final : public ResultsStore {
 public:
  PlantedStore(std::unique_ptr<ResultsStore> store, PlantedBug bug)
      : store_(std::move(store)), bug_(bug) {}

  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override { store_->Tidy(); }
  absl::StatusOr<StoredState> Load() override { return store_->Load(); }

 private:
  using Changes = std::vector<Change>;
  void Spoil(const Change& change, Changes& spoiled);
  void Spoil(PointsAdded points, Changes& spoiled);
  void TakeOver(const Attempt& attempt, Changes& spoiled) const;

  const std::unique_ptr<ResultsStore> store_;
  const PlantedBug bug_;
  std::map<JobId, int> live_;  // attempts
  std::set<std::tuple<JobId, int, Series, std::int64_t>> seen_;
  std::map<JobId, std::vector<LossPoint>> reported_;  // by all attempts
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_PLANTED_STORE_H_
