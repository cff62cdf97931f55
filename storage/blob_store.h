// Content-addressed files: corpora, checkpoints, logs. A blob's name is the SHA-256 of its bytes.
#ifndef ETUDE_STORAGE_BLOB_STORE_H_
#define ETUDE_STORAGE_BLOB_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

// Thread-safe. A full disk is kResourceExhausted and leaves what was there. kUnavailable: the disk
// failed to store what was sent; send it again. Other errors of the disk are those of FromErrno.
class BlobStore {
 public:
  // Makes `directory` if need be.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& directory);
  virtual ~BlobStore() = default;

  struct Facts {
    bool complete = false;
    std::int64_t bytes = 0;  // whole size when complete, else received so far
  };
  virtual absl::StatusOr<Facts> Stat(const std::string& sha256) = 0;

  // Appends to a blob that is not complete. kFailedPrecondition: `offset` is not the size received
  // so far (ask Stat). Reaching `total_bytes` checks the hash and makes the blob complete and
  // durable; kDataLoss: the bytes have another hash, and what was received is dropped. Appending to
  // a complete blob is fine and does nothing.
  virtual absl::Status Append(const std::string& sha256, std::int64_t total_bytes,
                              std::int64_t offset, std::string_view bytes) = 0;

  // At most `max_bytes` from `offset` of a complete blob; empty at its end. kNotFound.
  virtual absl::StatusOr<std::string> Read(const std::string& sha256, std::int64_t offset,
                                           std::int64_t max_bytes) = 0;

  // Stores `bytes` and returns their SHA-256.
  virtual absl::StatusOr<std::string> Put(std::string_view bytes) = 0;

  // Reads a whole blob. kNotFound; kDataLoss: its bytes have another hash, and it is set aside.
  virtual absl::Status Check(const std::string& sha256) = 0;
  // A blob whose bytes turned out to be others: from now on it is not there, and may be sent again.
  // kNotFound.
  virtual absl::Status SetAside(const std::string& sha256) = 0;

  struct Usage {
    std::int64_t named = 0;  // complete blobs in `referenced`
    std::int64_t named_bytes = 0;
    std::int64_t others = 0;  // what Collect would delete, once it is old enough
    std::int64_t other_bytes = 0;
  };
  virtual absl::StatusOr<Usage> Measure(const std::vector<std::string>& referenced) = 0;

  // Deletes blobs and partial blobs not in `referenced` and last touched before `cutoff`; returns
  // how many.
  virtual absl::StatusOr<int> Collect(const std::vector<std::string>& referenced,
                                      absl::Time cutoff) = 0;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_BLOB_STORE_H_
