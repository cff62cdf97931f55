#include "client/backup_directory.h"

#include <absl/strings/str_cat.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include "client/blob_tree.h"
#include "client/display_text.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

// "etude-0123456789ab.db"
bool IsDatabase(const std::string& name) {
  return name.starts_with("etude-") && name.ends_with(".db") && name.size() == 21 &&
         name.find_first_not_of("0123456789abcdef", 6) == 18;
}

// A path in the directory that only a backup writes.
bool IsOfBackup(const std::string& path) {
  return IsOfBlobTree(path, kBackupManifestFile) || IsDatabase(WithoutPartSuffix(path));
}

std::string PartOf(const std::string& path) { return path + std::string(kPartSuffix); }

}  // namespace

absl::StatusOr<BackupDirectory> BackupDirectory::Open(const std::string& path, Clock& clock) {
  RETURN_IF_ERROR(MakeDirectories(path, 0700));
  for (const std::string& file : BlobTree(path).Files()) {
    if (IsOfBackup(file)) continue;
    return WithHint(
        AlreadyExists(absl::StrCat(path, " holds ", file, ", which is not of a backup")),
        "etude db backup OTHER     (a new directory, or that of an earlier backup)");
  }
  absl::StatusOr<FileLock> lock = FileLock::Take(path + "/" + kTreeLockFile, kTreeLockLimit, clock);
  if (!lock.ok()) {
    return FailedPrecondition("another etude db backup is writing " + path + "; let it end");
  }
  return BackupDirectory(path, *std::move(lock));
}

absl::Status BackupDirectory::Begin(const BackupOffer& offer) {
  database_ = offer.database;
  if (!IsDatabase(database_.name)) {
    return DataLoss("the coordinator calls the database " + Printable(database_.name) +
                    "; nothing was written");
  }
  RETURN_IF_ERROR(BlobTree(path_).CheckRoom("the backup", database_.bytes, offer.blobs));
  part_.open(PartOf(path_ + "/" + database_.name), std::ios::binary | std::ios::trunc);
  return part_ ? absl::OkStatus() : FromErrno(errno, "create " + path_ + "/" + database_.name);
}

absl::Status BackupDirectory::AppendToDatabase(std::string_view bytes) {
  hash_.Update(bytes);
  part_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return part_ ? absl::OkStatus() : FromErrno(errno, "write " + path_ + "/" + database_.name);
}

absl::Status BackupDirectory::EndDatabase() {
  const std::string path = path_ + "/" + database_.name;
  part_.close();
  if (!part_) return FromErrno(errno, "write " + path);
  if (hash_.HexDigest() != database_.sha256) {
    unlink(PartOf(path).c_str());
    return DataLoss("the database came with another hash than the coordinator named; repeat: " +
                    ("etude db backup " + path_));
  }
  RETURN_IF_ERROR(SyncFile(PartOf(path)));
  if (std::rename(PartOf(path).c_str(), path.c_str()) != 0) {
    return FromErrno(errno, "rename " + path);
  }
  return SyncDirectory(path_);
}

absl::StatusOr<std::string> BackupDirectory::PathOf(const ArtifactFile& blob) {
  return BlobTree(path_).PathOf(blob);
}

absl::StatusOr<bool> BackupDirectory::Has(const ArtifactFile& blob) {
  return BlobTree(path_).Has(blob);
}

absl::Status BackupDirectory::Finish(const BackupOffer& offer) {
  RETURN_IF_ERROR(MakeDirectories(path_ + "/blobs"));
  RETURN_IF_ERROR(SyncDirectory(path_));
  RETURN_IF_ERROR(WriteFileAtomically(path_ + "/" + kBackupManifestFile, offer.manifest));
  return BlobTree(path_).RemoveOthers({kBackupManifestFile, offer.database.name}, offer.blobs,
                                      IsOfBackup);
}

}  // namespace etude
