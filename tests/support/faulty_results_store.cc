#include "tests/support/faulty_results_store.h"

#include <utility>

namespace etude {

void FaultyResultsStore::FailCommit(int nth, When when, absl::Status status) {
  ENSURE(nth >= 1 && !status.ok());
  faults_[commits_ + nth] = {when, std::move(status)};
}

void FaultyResultsStore::FailLoad(absl::Status status) { load_fault_ = std::move(status); }

absl::Status FaultyResultsStore::Commit(std::span<const Change> changes) {
  const auto fault = faults_.find(++commits_);
  if (fault == faults_.end()) return store_.Commit(changes);
  if (fault->second.when == When::kAfterApplying) RETURN_IF_ERROR(store_.Commit(changes));
  return fault->second.status;
}

absl::StatusOr<StoredState> FaultyResultsStore::Load() {
  if (load_fault_) return *std::exchange(load_fault_, std::nullopt);
  return store_.Load();
}

}  // namespace etude
