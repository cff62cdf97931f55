// A backup as it is written: the files first, the manifest last.
#ifndef ETUDE_CLIENT_BACKUP_DIRECTORY_H_
#define ETUDE_CLIENT_BACKUP_DIRECTORY_H_

#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/coordinator_client.h"
#include "client/file_lock.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"

namespace etude {

inline constexpr char kBackupManifestFile[] = "manifest.json";

// Not thread-safe. What an interrupted backup left is used by the next one into the same directory.
class BackupDirectory {
 public:
  // Makes it if need be. kAlreadyExists: it holds other things than a backup. kUnavailable: another
  // backup is writing it.
  static absl::StatusOr<BackupDirectory> Open(const std::string& path, Clock& clock);

  // kResourceExhausted: there is not enough space for what is not there yet.
  absl::Status Begin(const BackupOffer& offer);
  absl::Status AppendToDatabase(std::string_view bytes);
  // kDataLoss: the bytes appended have another hash than the offer's.
  absl::Status EndDatabase();

  // Where the blob belongs, in a directory that is there.
  absl::StatusOr<std::string> PathOf(const ArtifactFile& blob);
  // With the right bytes: a file with others is removed.
  absl::StatusOr<bool> Has(const ArtifactFile& blob);

  // Everything the manifest names is durable before it is. Then removes what an earlier backup held
  // beyond it.
  absl::Status Finish(const BackupOffer& offer);

 private:
  BackupDirectory(std::string path, FileLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileLock lock_;
  ArtifactFile database_;
  std::ofstream part_;
  Sha256 hash_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_BACKUP_DIRECTORY_H_
