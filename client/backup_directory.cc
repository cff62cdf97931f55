#include "client/backup_directory.h"

#include <absl/strings/str_cat.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include "client/display_text.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kLockLimit = absl::Seconds(1);
constexpr char kLockFile[] = "lock";
constexpr char kPart[] = ".part";
constexpr std::int64_t kSpareBytes = std::int64_t{16} << 20;

std::string RelativePathOf(const ArtifactFile& blob) {
  return "blobs/" + blob.sha256.substr(0, 2) + "/" + blob.sha256.substr(2);
}

std::string WithoutPart(const std::string& path) {
  return path.ends_with(kPart) ? path.substr(0, path.size() - sizeof(kPart) + 1) : path;
}

// "etude-0123456789ab.db"
bool IsDatabase(const std::string& name) {
  return name.starts_with("etude-") && name.ends_with(".db") && name.size() == 21 &&
         name.find_first_not_of("0123456789abcdef", 6) == 18;
}

// A path in the directory that only a backup writes.
bool IsOfBackup(const std::string& path) {
  const std::string whole = WithoutPart(path);
  if (whole == kLockFile || whole == kBackupManifestFile || IsDatabase(whole)) return true;
  if (whole.starts_with(std::string(kBackupManifestFile) + ".tmp.")) return true;
  if (!whole.starts_with("blobs/") || whole.size() != 71) return false;
  return IsSha256Hex(whole.substr(6, 2) + whole.substr(9));
}

// Every file below `directory`, as paths from there.
std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator i(directory, error), end; !error && i != end;
       i.increment(error)) {
    if (i->is_directory(error)) continue;
    files.push_back(i->path().lexically_relative(directory).generic_string());
  }
  return files;
}

}  // namespace

absl::StatusOr<BackupDirectory> BackupDirectory::Open(const std::string& path, Clock& clock) {
  RETURN_IF_ERROR(MakeDirectories(path, 0700));
  for (const std::string& file : FilesIn(path)) {
    if (IsOfBackup(file)) continue;
    return WithHint(
        AlreadyExists(absl::StrCat(path, " holds ", file, ", which is not of a backup")),
        "etude db backup OTHER     (a new directory, or that of an earlier backup)");
  }
  absl::StatusOr<FileLock> lock = FileLock::Take(path + "/" + kLockFile, kLockLimit, clock);
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
  std::int64_t needed = database_.bytes + kSpareBytes;
  for (const ArtifactFile& blob : offer.blobs) {
    if (!FileExists(path_ + "/" + RelativePathOf(blob))) needed += blob.bytes;
  }
  std::error_code error;
  const fs::space_info space = fs::space(path_, error);
  if (!error && static_cast<std::int64_t>(space.available) < needed) {
    return ResourceExhausted(fmt::format("the backup takes {} in {}, where {} are free",
                                         BytesText(static_cast<double>(needed)), path_,
                                         BytesText(static_cast<double>(space.available))));
  }
  part_.open(path_ + "/" + database_.name + kPart, std::ios::binary | std::ios::trunc);
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
    unlink((path + kPart).c_str());
    return DataLoss("the database came with another hash than the coordinator named; repeat: " +
                    ("etude db backup " + path_));
  }
  RETURN_IF_ERROR(SyncFile(path + kPart));
  if (std::rename((path + kPart).c_str(), path.c_str()) != 0) {
    return FromErrno(errno, "rename " + path);
  }
  return SyncDirectory(path_);
}

absl::StatusOr<std::string> BackupDirectory::PathOf(const ArtifactFile& blob) {
  const std::string path = path_ + "/" + RelativePathOf(blob);
  const std::string parent = fs::path(path).parent_path().string();
  if (FileExists(parent)) return path;
  RETURN_IF_ERROR(MakeDirectories(parent));
  RETURN_IF_ERROR(SyncDirectory(path_ + "/blobs"));
  return path;
}

absl::StatusOr<bool> BackupDirectory::Has(const ArtifactFile& blob) {
  const std::string path = path_ + "/" + RelativePathOf(blob);
  if (!FileExists(path)) return false;
  ASSIGN_OR_RETURN(const std::string found, Sha256HexOfFile(path));
  if (found == blob.sha256) return true;
  if (unlink(path.c_str()) != 0) return FromErrno(errno, "remove " + path);
  return false;
}

absl::Status BackupDirectory::Finish(const BackupOffer& offer) {
  RETURN_IF_ERROR(MakeDirectories(path_ + "/blobs"));
  RETURN_IF_ERROR(SyncDirectory(path_));
  RETURN_IF_ERROR(WriteFileAtomically(path_ + "/" + kBackupManifestFile, offer.manifest));
  return RemoveOthers(offer);
}

absl::Status BackupDirectory::RemoveOthers(const BackupOffer& offer) {
  std::set<std::string> kept = {kLockFile, kBackupManifestFile, offer.database.name};
  for (const ArtifactFile& blob : offer.blobs) kept.insert(RelativePathOf(blob));
  for (const std::string& file : FilesIn(path_)) {
    if (kept.contains(file) || !IsOfBackup(file)) continue;
    if (unlink((path_ + "/" + file).c_str()) != 0) return FromErrno(errno, "remove " + file);
  }
  return absl::OkStatus();
}

}  // namespace etude
