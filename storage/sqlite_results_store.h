// The results store as one SQLite file.
#ifndef ETUDE_STORAGE_SQLITE_RESULTS_STORE_H_
#define ETUDE_STORAGE_SQLITE_RESULTS_STORE_H_

#include <memory>
#include <span>
#include <string>

#include "storage/results_store.h"
#include "storage/sqlite.h"
#include "storage/state_lock.h"

namespace etude {

// The only connection that writes or checkpoints the file, for as long as it lives: it holds the
// StateLock of the file's directory. Not thread-safe.
class SqliteResultsStore final : public ResultsStore {
 public:
  // Makes the file in its existing directory, or brings an older schema up to date. Checks every
  // page of a file of at most kMaxCheckedBytes, and its log; a damaged page of a larger one is
  // kDataLoss to whoever reads it. kFailedPrecondition: another coordinator has the
  // directory, or the file is newer than this program. kDataLoss: the file is damaged.
  static absl::StatusOr<std::unique_ptr<SqliteResultsStore>> Open(const std::string& path);

  // kUnavailable besides the interface's: the disk failed or is locked; nothing was kept, send it
  // again. The store stays usable after every error.
  absl::Status Commit(std::span<const Change> changes) override;
  void Tidy() override;
  absl::StatusOr<StoredState> Load() override;

  // Some milliseconds of the core's thread.
  static constexpr int kMaxPointsDeletedAtOnce = 5000;
  static constexpr std::int64_t kMaxCheckedBytes = std::int64_t{256} << 20;  // under a second

 private:
  SqliteResultsStore(StateLock lock, std::unique_ptr<Database> database)
      : lock_(std::move(lock)), database_(std::move(database)) {}

  StateLock lock_;  // released after the file is closed
  std::unique_ptr<Database> database_;
  bool has_deleted_ = true;  // perhaps: points of deleted sweeps
};

}  // namespace etude

#endif  // ETUDE_STORAGE_SQLITE_RESULTS_STORE_H_
