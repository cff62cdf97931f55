// Backups on disk: is one whole, and a state directory made from one.
#ifndef ETUDE_STORAGE_BACKUP_H_
#define ETUDE_STORAGE_BACKUP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/backup_manifest.h"

namespace etude {

struct BackupCheck {
  BackupManifest manifest;
  // A line each, with the file's name. `damage`: what a restore would not survive. `notes`: blobs
  // that were missing already when the backup was made, and files that are not of the backup.
  std::vector<std::string> damage;
  std::vector<std::string> notes;
  std::int64_t bytes = 0;  // of the manifest's files
};

// Reads every byte of a backup: each file's size and hash, the database's pages, indexes and
// foreign keys, and whether each blob that it names is there. Errors are those of ReadManifest.
absl::StatusOr<BackupCheck> CheckBackup(const std::string& directory);

struct RestoreOptions {
  std::string backup;
  std::string state_dir;
  bool replace = false;  // what is there moves to STATE.before-DATE
};
struct Restored {
  BackupCheck check;
  std::string moved_to;    // the former state directory; empty: there was none
  int attempts_above = 0;  // as in StoredState
};

// Checks the backup, copies it to a new directory beside the state directory, checks the copies,
// notes the restore in the database, and renames: a crash leaves the old state or the new one. The
// owner's token stays that of the former directory; a backup holds none. kDataLoss: the backup is
// damaged. kFailedPrecondition: a coordinator holds the state directory, or the backup is of a
// later version. kAlreadyExists: the directory is not empty, and `replace` is not set.
// kResourceExhausted: not enough space.
absl::StatusOr<Restored> RestoreBackup(const RestoreOptions& options, absl::Time now);

// Attempts made after a restore have numbers above this: the seconds from 2025 on, which is more
// than any store can have given out before, also one that was restored itself and lost again; or
// kAttemptsPerRestore more than the backup's own, for a clock that went back.
inline constexpr int kAttemptsPerRestore = 100'000;
int AttemptsAbove(absl::Time now, int former);

}  // namespace etude

#endif  // ETUDE_STORAGE_BACKUP_H_
