// Blobs as files: DIRECTORY/ab/REST for a complete one, DIRECTORY/partial/SHA256 while it arrives,
// DIRECTORY/damaged/SHA256 for one whose bytes turned out to be others, until it is collected.
#ifndef ETUDE_STORAGE_FILE_BLOB_STORE_H_
#define ETUDE_STORAGE_FILE_BLOB_STORE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"
#include "storage/blob_store.h"

namespace etude {

// Thread-safe; two blobs are written side by side. Stat, Append and Put touch the blob, so that
// Collect leaves one alone that somebody was just told is there.
class FileBlobStore final : public BlobStore {
 public:
  // The directories must be there; BlobStore::Open makes them.
  explicit FileBlobStore(std::string directory) : directory_(std::move(directory)) {}
  ~FileBlobStore() override;

  // kInvalidArgument besides the interface's errors: not a SHA-256, or a size out of range.
  absl::StatusOr<Facts> Stat(const std::string& sha256) override;
  absl::Status Append(const std::string& sha256, std::int64_t total_bytes, std::int64_t offset,
                      std::string_view bytes) override;
  absl::StatusOr<std::string> Read(const std::string& sha256, std::int64_t offset,
                                   std::int64_t max_bytes) override;
  absl::StatusOr<std::string> Put(std::string_view bytes) override;
  absl::Status Check(const std::string& sha256) override;
  absl::Status SetAside(const std::string& sha256) override;
  absl::StatusOr<Usage> Measure(const std::vector<std::string>& referenced) override;
  absl::StatusOr<int> Collect(const std::vector<std::string>& referenced,
                              absl::Time cutoff) override;

  static constexpr std::int64_t kMaxBlobBytes = std::int64_t{1} << 40;
  static constexpr std::int64_t kMaxReadBytes = std::int64_t{64} << 20;
  // Uploads whose hash so far is kept; one beyond them is hashed again when it goes on.
  static constexpr std::size_t kMaxOpenUploads = 64;

 private:
  class Upload;
  struct OpenUpload {
    std::shared_ptr<Upload> upload;
    std::int64_t used = 0;  // larger is later
  };
  struct Stored {
    std::string path;
    std::string blob;
    std::int64_t bytes = 0;
    bool named = false;  // a complete blob that is referenced
    bool spare = false;  // what Collect deletes, once it is old
  };
  // Every file that this store has written.
  absl::StatusOr<std::vector<Stored>> List(const std::vector<std::string>& referenced) const;
  std::string PathOf(const std::string& sha256) const;
  std::string PartialPathOf(const std::string& sha256) const;
  // The size of a complete blob, touched; -1 if there is none.
  std::int64_t TouchComplete(const std::string& sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  // What is received of a blob that is not complete, touched.
  std::int64_t TouchPartial(const std::string& sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<Upload> UploadOf(const std::string& sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(const std::string& sha256) ABSL_LOCKS_EXCLUDED(mutex_);
  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves a whole, synced file to its place, durably.
  absl::Status Publish(const std::string& sha256, const std::string& file);
  // True if the file was touched before `cutoff` and is gone now; `sha256` is what it is part of.
  bool RemoveIfOld(const std::string& path, const std::string& sha256, absl::Time cutoff)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string directory_;
  std::atomic<std::int64_t> puts_{0};
  Mutex mutex_;  // also held while a file is touched or collected
  std::map<std::string, OpenUpload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_FILE_BLOB_STORE_H_
