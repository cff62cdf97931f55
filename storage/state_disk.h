// The disk that the state directory is on: how much is left, and whether it can be trusted.
#ifndef ETUDE_STORAGE_STATE_DISK_H_
#define ETUDE_STORAGE_STATE_DISK_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/results_store.h"

namespace etude {

// What its kind of network file system is called, "NFS"; empty for a local one. SQLite's locks and
// its shared memory do not hold over a network, and a sync may be a promise only.
std::string NetworkFileSystemOf(const std::string& directory);

// Of the disk that `directory` is on, for those without special rights.
absl::StatusOr<std::int64_t> FreeBytesOf(const std::string& directory);

// Of all files in `directory` and below; those that come or go meanwhile may count or not.
std::int64_t BytesUnder(const std::string& directory);

// Refuses commits while fewer than `min_free_bytes` are free in `directory`, so that a disk that
// fills up stops the coordinator while there is still room to look around and to back up.
// kResourceExhausted: there are, and how many are wanted. Otherwise as the store.
class FreeSpaceStore final : public ResultsStore {
 public:
  // `store` must outlive it.
  FreeSpaceStore(ResultsStore& store, const std::string& directory, std::int64_t min_free_bytes)
      : store_(store), directory_(directory), min_free_bytes_(min_free_bytes) {}

  absl::Status Commit(std::span<const Change> changes) override;
  // Whether a commit would be let through now. Thread-safe.
  absl::Status CheckSpace() const;
  void Tidy() override { store_.Tidy(); }
  absl::StatusOr<StoredState> Load() override { return store_.Load(); }

 private:
  ResultsStore& store_;
  const std::string directory_;
  const std::int64_t min_free_bytes_;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_STATE_DISK_H_
