// A results store whose commits fail when a test says so.
#ifndef ETUDE_TESTS_SUPPORT_FAULTY_RESULTS_STORE_H_
#define ETUDE_TESTS_SUPPORT_FAULTY_RESULTS_STORE_H_

#include <map>
#include <optional>
#include <span>

#include "lib/base/status.h"
#include "storage/results_store.h"

namespace etude {

// Not thread-safe. `store` must outlive it.
class FaultyResultsStore final : public ResultsStore {
 public:
  enum class When {
    kBeforeApplying,  // nothing is kept: a full disk
    kAfterApplying,   // everything is kept, but the caller is not told: power lost before the reply
  };

  explicit FaultyResultsStore(ResultsStore& store) : store_(store) {}

  // The `nth` Commit from now on (1 is the next) fails with `status`. The others pass. Several may
  // be planned.
  void FailCommit(int nth, When when, absl::Status status = Unavailable("planned fault"));
  // The next Load fails with `status`.
  void FailLoad(absl::Status status = Unavailable("planned fault"));
  int commits() const { return commits_; }  // calls so far, those that failed included

  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override { store_.Tidy(); }
  absl::StatusOr<StoredState> Load() override;

 private:
  struct Fault {
    When when = When::kBeforeApplying;
    absl::Status status;
  };

  ResultsStore& store_;
  int commits_ = 0;
  std::map<int, Fault> faults_;  // by number of the call, from 1
  std::optional<absl::Status> load_fault_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_FAULTY_RESULTS_STORE_H_
