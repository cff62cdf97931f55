#include "storage/snapshot.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "storage/state_disk.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kSnapshotPrefix[] = "snapshot.";  // snapshot.PID.N
constexpr std::int64_t kMib = std::int64_t{1} << 20;

std::string NewPath(const std::string& directory) {
  static std::atomic<int> count = 0;
  return directory + "/" + kSnapshotPrefix + std::to_string(getpid()) + "." +
         std::to_string(++count);
}

std::int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

absl::Status CheckSpace(const Snapshot::Options& options, const std::string& directory) {
  const std::int64_t needed = FileBytes(options.store_path) +
                              FileBytes(options.store_path + "-wal") + options.min_free_bytes;
  const absl::StatusOr<std::int64_t> free_bytes = FreeBytesOf(directory);
  if (!free_bytes.ok() || *free_bytes >= needed) return absl::OkStatus();
  return ResourceExhausted("a snapshot of the results store needs " +
                           std::to_string(needed / kMib) + " MiB in " + directory + ", of which " +
                           std::to_string(*free_bytes / kMib) + " MiB are free. Free some space");
}

// A file's size is a row's, where a row says it: a run's weights are a checkpoint's file too.
constexpr char kSelectBlobs[] =
    "SELECT sha256, max(bytes) FROM (SELECT sha256, bytes FROM corpus_files "
    "UNION ALL SELECT sha256, bytes FROM attempt_artifacts "
    "UNION ALL SELECT sha256, bytes FROM checkpoint_files "
    "UNION ALL SELECT sha256, bytes FROM branch_point_files "
    "UNION ALL SELECT weights_sha256, -1 FROM runs WHERE weights_sha256 <> '') "
    "GROUP BY sha256 ORDER BY sha256";
constexpr char kReadVersion[] = "PRAGMA user_version";

}  // namespace

absl::StatusOr<std::vector<NamedBlob>> NamedBlobs(Database& database) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(kSelectBlobs));
  std::vector<NamedBlob> blobs;
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, rows.Next());
    if (!found) return blobs;
    blobs.push_back({rows.Text(0), rows.Integer(1)});
  }
}

absl::StatusOr<std::unique_ptr<Snapshot>> Snapshot::Take(const Options& options) {
  const std::string directory = fs::path(options.store_path).parent_path().string();
  RETURN_IF_ERROR(CheckSpace(options, directory));
  std::unique_ptr<Snapshot> snapshot(new Snapshot(NewPath(directory)));
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Database> store,
                     Database::Open(options.store_path, Database::Access::kReadOnly));
    RETURN_IF_ERROR(store->CopyTo(snapshot->path_, options.go_on));
  }
  RETURN_IF_ERROR(snapshot->Examine());
  return snapshot;
}

absl::Status Snapshot::Examine() {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> copy,
                   Database::Open(path_, Database::Access::kReadOnly));
  ASSIGN_OR_RETURN(const std::vector<std::string> damage, copy->FindDamage([] { return true; }));
  if (!damage.empty()) {
    return DataLoss("the results store is damaged, so no backup is made of it (" + damage[0] +
                    "). See all with: etude db verify. An earlier backup is brought back by: " +
                    "etude db restore DIR");
  }
  ASSIGN_OR_RETURN(const std::int64_t version, copy->ReadInteger(kReadVersion));
  schema_version_ = static_cast<int>(version);
  ASSIGN_OR_RETURN(blobs_, NamedBlobs(*copy));
  bytes_ = FileBytes(path_);
  ASSIGN_OR_RETURN(sha256_, Sha256HexOfFile(path_));
  return absl::OkStatus();
}

Snapshot::~Snapshot() { unlink(path_.c_str()); }

void RemoveOldSnapshots(const std::string& state_dir) {
  std::error_code error;
  std::vector<fs::path> old;
  for (fs::directory_iterator i(state_dir, error), end; !error && i != end; i.increment(error)) {
    if (i->path().filename().string().starts_with(kSnapshotPrefix)) old.push_back(i->path());
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

}  // namespace etude
