// A directory that a command fills with blobs and one or two files beside them, and may go on
// filling later: what is the same for backups and bundles.
#ifndef ETUDE_CLIENT_BLOB_TREE_H_
#define ETUDE_CLIENT_BLOB_TREE_H_

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/scaling/job.h"

namespace etude {

inline constexpr char kTreeLockFile[] = "lock";
inline constexpr absl::Duration kTreeLockLimit = absl::Seconds(1);
// Ends the name of a file that is not whole yet.
inline constexpr std::string_view kPartSuffix = ".part";
// Left free on the disk beside what is to be written.
inline constexpr std::int64_t kSpareTreeBytes = std::int64_t{16} << 20;

// "blobs/ab/REST", by the SHA-256 alone.
std::string BlobTreePath(const ArtifactFile& blob);

// The name that a file has once it is whole.
std::string WithoutPartSuffix(const std::string& path);

// A path that only such a command writes, its own files apart: the lock, a blob, or the manifest
// with the temporary files of its writing.
bool IsOfBlobTree(const std::string& path, std::string_view manifest);

class BlobTree {
 public:
  explicit BlobTree(std::string path) : path_(std::move(path)) {}

  // Every file, as paths from the directory; none if it cannot be read.
  std::vector<std::string> Files() const;

  // kResourceExhausted: the disk has no room for `bytes` and the blobs that are not there. `what`
  // takes it: "the backup".
  absl::Status CheckRoom(const std::string& what, std::int64_t bytes,
                         const std::vector<ArtifactFile>& blobs) const;

  // Where the blob goes; its directory is made.
  absl::StatusOr<std::string> PathOf(const ArtifactFile& blob) const;

  // Whether it is there, whole; one with other bytes is removed.
  absl::StatusOr<bool> Has(const ArtifactFile& blob) const;

  // Removes the files that `is_ours` and that are not among `kept`, the blobs and the lock.
  absl::Status RemoveOthers(std::set<std::string> kept, const std::vector<ArtifactFile>& blobs,
                            bool (*is_ours)(const std::string& path)) const;

 private:
  std::string path_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_BLOB_TREE_H_
