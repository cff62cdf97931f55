// The results store on a disk that can lose power: the real SQLite store under a journal of the
// batches it took, so that a crash can cut it back to the last one that was durable.
#ifndef ETUDE_TESTS_SIM_JOURNALED_STORE_H_
#define ETUDE_TESTS_SIM_JOURNALED_STORE_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/results_store.h"
#include "storage/sqlite.h"
#include "tests/sim/dice.h"
#include "tests/sim/oracle.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/trace.h"

namespace etude {

// What is wrong with the disk for now.
struct DiskTrouble {
  bool full = false;
  double fail_commit = 0;  // chances of each call
  double fail_load = 0;
};

// A batch is applied by Commit and durable after Sync; in between, a crash keeps it or loses it. A
// batch that failed may still be found after a crash, as SQLite finds a transaction in its WAL
// whose fsync failed. The oracle hears of every batch once it is durable. Not thread-safe.
class JournaledStore final : public ResultsStore {
 public:
  // Files go into `directory`, which exists and is empty.
  JournaledStore(std::string directory, const Timeline& timeline, Trace& trace, const Dice& dice,
                 Oracle& oracle, PlantedBug bug);

  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override { store_->Tidy(); }
  absl::StatusOr<StoredState> Load() override;
  void Sync();
  // The process that used it is gone; the next one finds what the disk kept.
  void Crash();

  void set_trouble(const DiskTrouble& trouble) { trouble_ = trouble; }
  bool full() const { return trouble_.full; }
  // A read-only connection to the file. Valid until the next Crash.
  Database& Reader();

 private:
  absl::Status Apply(std::span<const Change> changes);
  void MakeDurable();
  void Open();
  // A new file with what the journal holds.
  void Rebuild();
  void Tear();

  const std::string directory_;
  const Timeline& timeline_;
  Trace& trace_;
  Dice dice_;
  Oracle& oracle_;
  const PlantedBug bug_;
  int files_ = 0;
  DiskTrouble trouble_;
  std::unique_ptr<ResultsStore> store_;
  std::unique_ptr<Database> reader_;
  std::vector<CommittedBatch> journal_;    // durable
  std::optional<CommittedBatch> applied_;  // not synced yet
  std::optional<CommittedBatch> failed_;   // its frames may lie in the WAL
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_JOURNALED_STORE_H_
