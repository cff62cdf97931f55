#include <absl/strings/str_cat.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>

#include "absl/time/civil_time.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "storage/backup.h"
#include "storage/migrations.h"
#include "storage/sqlite.h"
#include "storage/state_disk.h"
#include "storage/state_lock.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kStoreFile[] = "etude.db";
constexpr char kTokenFile[] = "token";  // the owner's, of this machine and not of the results
constexpr unsigned kOwnerOnlyDirectory = 0700;
constexpr std::int64_t kMib = std::int64_t{1} << 20;
// What may lie in a state directory that is as good as empty.
constexpr const char* kLockFiles[] = {"lock", "up.lock"};

// A directory that is removed when it goes, unless it was kept.
class NewDirectory {
 public:
  explicit NewDirectory(std::string path) : path_(std::move(path)) {}
  ~NewDirectory() {
    std::error_code error;
    if (!kept_) fs::remove_all(path_, error);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  const std::string& path() const { return path_; }
  void Keep() { kept_ = true; }

 private:
  const std::string path_;
  bool kept_ = false;
};

bool HoldsNothing(const std::string& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (std::find(std::begin(kLockFiles), std::end(kLockFiles), name) == std::end(kLockFiles)) {
      return false;
    }
  }
  return !error;
}

absl::Status CheckSpace(const std::string& directory, std::int64_t needed) {
  const absl::StatusOr<std::int64_t> free_bytes = FreeBytesOf(directory);
  if (!free_bytes.ok() || *free_bytes >= needed) return absl::OkStatus();
  return ResourceExhausted("the backup takes " + std::to_string(needed / kMib) + " MiB, and " +
                           std::to_string(*free_bytes / kMib) + " MiB are free in " + directory);
}

// Copies, syncs and reads back: what is restored is what was backed up.
absl::Status CopyFile(const std::string& from, const std::string& to, const std::string& sha256) {
  RETURN_IF_ERROR(MakeDirectories(fs::path(to).parent_path().string(), kOwnerOnlyDirectory));
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return FromErrno(error.value(), "copy " + from + " to " + to);
  if (chmod(to.c_str(), 0600) != 0) return FromErrno(errno, "chmod " + to);
  RETURN_IF_ERROR(SyncFile(to));
  ASSIGN_OR_RETURN(const std::string found, Sha256HexOfFile(to));
  if (found == sha256) return absl::OkStatus();
  return DataLoss("copy " + from + " to " + to + ": the copy has other bytes. See: dmesg | tail");
}

absl::Status CopyAll(const std::string& backup, const BackupManifest& manifest,
                     const std::string& target) {
  RETURN_IF_ERROR(MakeDirectories(target + "/blobs", kOwnerOnlyDirectory));
  RETURN_IF_ERROR(CopyFile(backup + "/" + manifest.database.path, target + "/" + kStoreFile,
                           manifest.database.sha256));
  for (const BackupFile& blob : manifest.blobs) {
    RETURN_IF_ERROR(
        CopyFile(backup + "/" + blob.path, target + "/" + BlobPath(blob.sha256), blob.sha256));
  }
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(target + "/blobs", error)) {
    RETURN_IF_ERROR(SyncDirectory(entry.path().string()));
  }
  return SyncDirectory(target + "/blobs");
}

constexpr char kSelectAbove[] = "SELECT coalesce(max(attempts_above), 0) FROM restores";
constexpr char kInsertRestore[] =
    "INSERT INTO restores (attempts_above, backed_up_at_us, restored_at_us) VALUES (?, ?, ?)";

// From now on no attempt of the time before the restore is accepted.
absl::StatusOr<int> NoteRestore(const std::string& path, const BackupManifest& manifest,
                                absl::Time now) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                   Database::Open(path, Database::Access::kReadWrite));
  RETURN_IF_ERROR(Migrate(*database));
  ASSIGN_OR_RETURN(const std::int64_t former, database->ReadInteger(kSelectAbove));
  const int above = AttemptsAbove(now, static_cast<int>(former));
  ASSIGN_OR_RETURN(Statement insert, database->Prepare(kInsertRestore));
  RETURN_IF_ERROR(insert.Bind(above, manifest.created_at_us, ToMicros(now)).Run());
  return above;
}

absl::Status KeepToken(const std::string& from, const std::string& to) {
  const std::string path = from + "/" + kTokenFile;
  if (!FileExists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string token, ReadFile(path));
  return WriteFileAtomically(to + "/" + kTokenFile, token, 0600);
}

// Where root restores for the user that the service runs as.
absl::Status GiveToOwnerOf(const std::string& former, const std::string& directory) {
  struct stat owner {};
  if (geteuid() != 0 || stat(former.c_str(), &owner) != 0) return absl::OkStatus();
  std::error_code error;
  std::vector<std::string> paths = {directory};
  for (fs::recursive_directory_iterator i(directory, error), end; !error && i != end;
       i.increment(error)) {
    paths.push_back(i->path().string());
  }
  for (const std::string& path : paths) {
    if (lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return FromErrno(errno, absl::StrCat("give ", path, " to the owner of ", former));
    }
  }
  return absl::OkStatus();
}

absl::Status MoveTo(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  if (errno == EBUSY) {
    return FailedPrecondition("rename " + from +
                              ": a disk is mounted there. Restore to another "
                              "directory: etude db restore DIR --state OTHER");
  }
  return FromErrno(errno, "rename " + from + " to " + to);
}

absl::Status RefuseNonEmpty(const std::string& state_dir) {
  return AlreadyExists(state_dir + " holds results. To move them aside, to " + state_dir +
                       ".before-DATE, and put the backup in their place, add --replace; or name "
                       "another directory: --state DIR");
}

std::string FormerName(const std::string& state_dir, absl::Time now) {
  const std::string base =
      state_dir + ".before-" + absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  std::string name = base;
  for (int i = 2; FileExists(name); ++i) name = base + "." + std::to_string(i);
  return name;
}

}  // namespace

int AttemptsAbove(absl::Time now, int former) {
  static const absl::Time kStart = absl::FromCivil(absl::CivilDay(2025, 1, 1), absl::UTCTimeZone());
  constexpr std::int64_t kMost = std::numeric_limits<int>::max() - kAttemptsPerRestore;
  const std::int64_t by_clock = absl::ToInt64Seconds(now - kStart);
  const std::int64_t by_number = std::int64_t{former} + kAttemptsPerRestore;
  return static_cast<int>(std::min(std::max(by_clock, by_number), kMost));
}

absl::StatusOr<Restored> RestoreBackup(const RestoreOptions& options, absl::Time now) {
  const std::string state = fs::absolute(options.state_dir).lexically_normal().string();
  const std::string state_dir = state.ends_with('/') ? state.substr(0, state.size() - 1) : state;
  const bool there = FileExists(state_dir);
  std::optional<StateLock> lock;
  if (there) {
    ASSIGN_OR_RETURN(StateLock taken, StateLock::Take(state_dir));
    lock.emplace(std::move(taken));
    if (!options.replace && !HoldsNothing(state_dir)) return RefuseNonEmpty(state_dir);
  }
  Restored restored;
  ASSIGN_OR_RETURN(restored.check, CheckBackup(options.backup));
  const BackupManifest& manifest = restored.check.manifest;
  if (!restored.check.damage.empty()) {
    return DataLoss("the backup in " + options.backup + " is damaged, nothing was restored: " +
                    restored.check.damage[0] + ". See all with: etude db verify " + options.backup);
  }
  const std::string parent = fs::path(state_dir).parent_path().string();
  RETURN_IF_ERROR(MakeDirectories(parent));
  RETURN_IF_ERROR(CheckSpace(parent, restored.check.bytes));
  NewDirectory made(state_dir + ".restoring-" + std::to_string(getpid()));
  RETURN_IF_ERROR(MakeDirectories(made.path(), kOwnerOnlyDirectory));
  RETURN_IF_ERROR(CopyAll(options.backup, manifest, made.path()));
  ASSIGN_OR_RETURN(restored.attempts_above,
                   NoteRestore(made.path() + "/" + kStoreFile, manifest, now));
  if (there) {
    RETURN_IF_ERROR(KeepToken(state_dir, made.path()));
    RETURN_IF_ERROR(GiveToOwnerOf(state_dir, made.path()));
  }
  RETURN_IF_ERROR(SyncDirectory(made.path()));
  if (there && HoldsNothing(state_dir)) {
    for (const char* name : kLockFiles) unlink((state_dir + "/" + name).c_str());
    rmdir(state_dir.c_str());
  } else if (there) {
    restored.moved_to = FormerName(state_dir, now);
    RETURN_IF_ERROR(MoveTo(state_dir, restored.moved_to));
  }
  if (const absl::Status moved = MoveTo(made.path(), state_dir); !moved.ok()) {
    if (!restored.moved_to.empty()) RETURN_IF_ERROR(MoveTo(restored.moved_to, state_dir));
    return moved;
  }
  made.Keep();
  RETURN_IF_ERROR(SyncDirectory(parent));
  return restored;
}

}  // namespace etude
