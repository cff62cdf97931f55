#include <filesystem>
#include <map>
#include <set>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "storage/backup.h"
#include "storage/snapshot.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kLockFile[] = "lock";  // of the client that writes the backup

std::string Short(const std::string& sha256) { return sha256.substr(0, 12); }

void CheckFile(const std::string& directory, const BackupFile& file, BackupCheck& check) {
  const std::string path = directory + "/" + file.path;
  std::error_code error;
  if (!fs::exists(path, error)) {
    check.damage.push_back(file.path + ": is missing");
    return;
  }
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, error));
  if (error || bytes != file.bytes) {
    check.damage.push_back(file.path + ": has " + std::to_string(bytes) + " bytes, not " +
                           std::to_string(file.bytes));
    return;
  }
  const absl::StatusOr<std::string> sha256 = Sha256HexOfFile(path);
  if (!sha256.ok()) {
    check.damage.push_back(file.path + ": " + MessageOf(sha256.status()));
  } else if (*sha256 != file.sha256) {
    check.damage.push_back(file.path + ": its bytes have SHA-256 " + Short(*sha256) + "..., not " +
                           Short(file.sha256) + "...");
  }
}

// A file that is there besides the manifest's, as an interrupted later backup leaves it.
void CheckForOthers(const std::string& directory, BackupCheck& check) {
  std::set<std::string> known = {kManifestFile, kLockFile, check.manifest.database.path};
  for (const BackupFile& blob : check.manifest.blobs) known.insert(blob.path);
  std::error_code error;
  for (fs::recursive_directory_iterator i(directory, error), end; !error && i != end;
       i.increment(error)) {
    if (i->is_directory(error)) continue;
    const std::string path = fs::relative(i->path(), directory, error).generic_string();
    if (!known.contains(path)) check.notes.push_back(path + ": is not of the backup");
  }
}

absl::Status CheckDatabase(const std::string& path, BackupCheck& check) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                   Database::Open(path, Database::Access::kReadOnly));
  ASSIGN_OR_RETURN(const std::vector<std::string> damage,
                   database->FindDamage([] { return true; }));
  for (const std::string& line : damage) {
    check.damage.push_back(check.manifest.database.path + ": " + line);
  }
  ASSIGN_OR_RETURN(const std::vector<NamedBlob> named, NamedBlobs(*database));
  std::map<std::string, std::int64_t> there;
  for (const BackupFile& blob : check.manifest.blobs) there[blob.sha256] = blob.bytes;
  const std::set<std::string> missing(check.manifest.missing.begin(), check.manifest.missing.end());
  for (const NamedBlob& blob : named) {
    const auto found = there.find(blob.sha256);
    if (found == there.end() && missing.contains(blob.sha256)) {
      check.notes.push_back("blob " + blob.sha256 +
                            ": was missing or damaged when the backup was made");
    } else if (found == there.end()) {
      check.damage.push_back("blob " + blob.sha256 +
                             ": the database names it, the backup lacks it");
    } else if (blob.bytes != kAnyBytes && blob.bytes != found->second) {
      check.damage.push_back(BlobPath(blob.sha256) + ": the database says it has " +
                             std::to_string(blob.bytes) + " bytes");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BackupCheck> CheckBackup(const std::string& directory) {
  BackupCheck check;
  ASSIGN_OR_RETURN(check.manifest, ReadManifest(directory));
  const BackupFile& database = check.manifest.database;
  check.bytes = database.bytes;
  CheckFile(directory, database, check);
  // SQLite need not read bytes that are known to be others.
  if (check.damage.empty()) {
    const absl::Status status = CheckDatabase(directory + "/" + database.path, check);
    if (!status.ok()) check.damage.push_back(database.path + ": " + MessageOf(status));
  }
  for (const BackupFile& blob : check.manifest.blobs) {
    CheckFile(directory, blob, check);
    check.bytes += blob.bytes;
  }
  CheckForOthers(directory, check);
  return check;
}

}  // namespace etude
