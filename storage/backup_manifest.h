// What a backup holds. A backup is a directory: manifest.json, written last, and the files it
// names; a blob lies where it lies in a state directory.
#ifndef ETUDE_STORAGE_BACKUP_MANIFEST_H_
#define ETUDE_STORAGE_BACKUP_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr char kManifestFile[] = "manifest.json";
inline constexpr std::int64_t kMaxManifestBytes = std::int64_t{1} << 30;

struct BackupFile {
  std::string path = "";  // from the backup's directory
  std::int64_t bytes = 0;
  std::string sha256 = "";
};

struct BackupManifest {
  std::string software = "";
  std::int64_t created_at_us = 0;
  int schema_version = 0;              // of the database
  BackupFile database = {};            // DatabaseFileName of its hash
  std::vector<BackupFile> blobs = {};  // BlobPath of its hash
  // Blobs that the database names and that were missing, or damaged, when the backup was made.
  std::vector<std::string> missing = {};
};

// "etude-0123456789ab.db": a second backup into a directory leaves the first one's database alone
// until its own manifest is there.
std::string DatabaseFileName(const std::string& sha256);
// "blobs/ab/REST"
std::string BlobPath(const std::string& sha256);

std::string ManifestToJson(const BackupManifest& manifest);
// kDataLoss: it is not a manifest, or names a file that could lie outside the directory.
// kFailedPrecondition: of a later version.
absl::StatusOr<BackupManifest> ManifestFromJson(std::string_view json);
// Of a directory. kNotFound: there is none, so no backup was finished there.
absl::StatusOr<BackupManifest> ReadManifest(const std::string& directory);

}  // namespace etude

#endif  // ETUDE_STORAGE_BACKUP_MANIFEST_H_
