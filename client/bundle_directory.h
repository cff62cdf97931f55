// A bundle as it lies on a disk: rows.ndjson, blobs/ab/REST by their hash, and manifest.json with
// every file's hash and size, which is written last. A directory, not an archive: an interrupted
// export goes on, sha256sum and tar do what they always do, and no path in it has to be trusted.
#ifndef ETUDE_CLIENT_BUNDLE_DIRECTORY_H_
#define ETUDE_CLIENT_BUNDLE_DIRECTORY_H_

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coordinator_client.h"
#include "client/file_lock.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"

namespace etude {

inline constexpr char kBundleManifestFile[] = "manifest.json";
inline constexpr char kBundleRowsFile[] = "rows.ndjson";
inline constexpr std::int64_t kMaxBundleManifestBytes = std::int64_t{256} << 20;

struct BundleManifest {
  std::string software = "";
  std::int64_t created_at_us = 0;
  SweepId sweep = {};
  std::string name = "";
  ArtifactFile rows = {};
  std::vector<ArtifactFile> blobs = {};  // without names
};

std::string BundleManifestToJson(const BundleManifest& manifest);
// kDataLoss: it is not a bundle's manifest, or a file does not lie where its hash says.
// kInvalidArgument: of a later version.
absl::StatusOr<BundleManifest> BundleManifestFromJson(std::string_view json);

// Called with how many bytes have been read.
using BundleProgress = std::function<void(std::int64_t bytes)>;
// Reads every file that the manifest names. kNotFound: there is no manifest. kDataLoss: a file is
// missing, has another size or hash, or is no regular file of this directory.
absl::StatusOr<BundleManifest> VerifyBundle(const std::string& directory,
                                            const BundleProgress& progress);

// A bundle as it is written. Not thread-safe. What an interrupted export left is used by the next
// one into the same directory.
class BundleDirectory {
 public:
  // Makes it if need be. kAlreadyExists: it holds other things than a bundle. kFailedPrecondition:
  // another export is writing it.
  static absl::StatusOr<BundleDirectory> Open(const std::string& path, Clock& clock);

  // kResourceExhausted: there is not enough space for what is not there yet.
  absl::Status Begin(const BundleOffer& offer);
  absl::Status AppendToRows(std::string_view bytes);
  // kDataLoss: the bytes appended have another hash than the offer's.
  absl::Status EndRows();

  // Where the blob belongs, in a directory that is there.
  absl::StatusOr<std::string> PathOf(const ArtifactFile& blob);
  // With the right bytes: a file with others is removed.
  absl::StatusOr<bool> Has(const ArtifactFile& blob);

  // Everything the manifest names is durable before it is. Then removes what an earlier bundle held
  // beyond it.
  absl::Status Finish(const BundleOffer& offer, std::int64_t now_us);

 private:
  BundleDirectory(std::string path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string RowsPart() const;

  std::string path_;
  FileLock lock_;
  ArtifactFile rows_;
  std::ofstream part_;
  Sha256 hash_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_BUNDLE_DIRECTORY_H_
