// Where a benchmark lies: a temporary state directory with a coordinator on it.
#ifndef ETUDE_TESTS_BENCH_BENCH_BED_H_
#define ETUDE_TESTS_BENCH_BENCH_BED_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/coordinator_process.h"

namespace etude {

struct BenchPlace {
  std::string coordinator;          // the program
  std::string parent;               // the temporary directory is made in it
  bool may_live_in_memory = false;  // the user chose it, and knows
};

// Removes everything when it goes. Not thread-safe.
class BenchBed {
 public:
  // kFailedPrecondition: the directory is in memory, where nothing is ever durable.
  static absl::StatusOr<std::unique_ptr<BenchBed>> Make(const BenchPlace& place);
  ~BenchBed();
  BenchBed(const BenchBed&) = delete;
  BenchBed& operator=(const BenchBed&) = delete;

  const std::string& directory() const { return directory_; }
  const std::string& file_system() const { return file_system_; }
  const CoordinatorProcess& coordinator() const { return *coordinator_; }
  // Valid until the coordinator is started again.
  const CoordinatorAddress& address() const { return coordinator_->address(); }

  // A coordinator on an empty state directory; the one before and all it stored go.
  absl::Status StartAfresh();
  // The coordinator dies in the midst of what it does, and another takes its place and its port.
  absl::Status KillAndRestart();

 private:
  BenchBed(BenchPlace place, std::string directory, std::string file_system)
      : place_(std::move(place)),
        directory_(std::move(directory)),
        file_system_(std::move(file_system)) {}

  const BenchPlace place_;
  const std::string directory_;
  const std::string file_system_;
  std::string state_dir_;
  int states_made_ = 0;
  std::unique_ptr<CoordinatorProcess> coordinator_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_BENCH_BED_H_
