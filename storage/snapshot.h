// One moment of the results store, as a file of its own.
#ifndef ETUDE_STORAGE_SNAPSHOT_H_
#define ETUDE_STORAGE_SNAPSHOT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite.h"

namespace etude {

// A blob that a row names. kAnyBytes: the row does not say how long it is.
struct NamedBlob {
  std::string sha256;
  std::int64_t bytes = 0;
};
inline constexpr std::int64_t kAnyBytes = -1;

// Every blob that some row names, each once, by hash.
absl::StatusOr<std::vector<NamedBlob>> NamedBlobs(Database& database);

// Removed from the disk when it goes. Not thread-safe.
class Snapshot {
 public:
  struct Options {
    std::string store_path;           // a store that a SqliteResultsStore has made
    std::int64_t min_free_bytes = 0;  // what must be free on its disk once the snapshot is there
    Database::CopyProgress go_on;
  };
  // Copies the store beside it through a connection of its own, which neither writes nor
  // checkpoints it, and reads the whole copy. kResourceExhausted: not enough space. kDataLoss: the
  // store is damaged. kCancelled: `go_on` said so.
  static absl::StatusOr<std::unique_ptr<Snapshot>> Take(const Options& options);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const std::string& path() const { return path_; }
  const std::string& sha256() const { return sha256_; }
  std::int64_t bytes() const { return bytes_; }
  int schema_version() const { return schema_version_; }
  const std::vector<NamedBlob>& blobs() const { return blobs_; }

 private:
  explicit Snapshot(std::string path) : path_(std::move(path)) {}
  absl::Status Examine();

  const std::string path_;
  std::string sha256_;
  std::int64_t bytes_ = 0;
  int schema_version_ = 0;
  std::vector<NamedBlob> blobs_;
};

// Removes what processes that died have left; for the owner of the state directory, at its start.
void RemoveOldSnapshots(const std::string& state_dir);

}  // namespace etude

#endif  // ETUDE_STORAGE_SNAPSHOT_H_
