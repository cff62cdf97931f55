// Moves blobs to and from the coordinator in checksummed chunks, going on where an earlier try
// stopped.
#ifndef ETUDE_PROTO_BLOB_CLIENT_H_
#define ETUDE_PROTO_BLOB_CLIENT_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/scaling/job.h"
#include "proto/channel.h"

namespace etude {

// Thread-safe: each call has its own stream.
class BlobClient {
 public:
  BlobClient(const CoordinatorChannel& channel, Clock& clock) : channel_(channel), clock_(clock) {}

  // Called after each chunk with bytes moved so far; returning false stops the transfer with
  // kCancelled.
  using Progress = std::function<bool(std::int64_t bytes)>;

  // Sends a file unless the coordinator has it; returns name (the path's last component), hash and
  // size. kUnavailable once the retries are used up; kDataLoss if the file changed while it was
  // sent.
  absl::StatusOr<ArtifactFile> Upload(const std::string& path, const Progress& progress = nullptr);

  // Fetches `file` to `path` by way of `path`.part, which a later call continues; checks size and
  // hash before the rename. kDataLoss: the bytes have another hash, and the part is removed.
  // kNotFound: the coordinator has no such blob.
  absl::Status Download(const ArtifactFile& file, const std::string& path,
                        const Progress& progress = nullptr);

 private:
  absl::Status UploadOnce(const std::string& path, const ArtifactFile& file,
                          const Progress& progress);
  absl::Status DownloadOnce(const ArtifactFile& file, const std::string& part,
                            const Progress& progress);

  const CoordinatorChannel& channel_;
  Clock& clock_;
};

}  // namespace etude

#endif  // ETUDE_PROTO_BLOB_CLIENT_H_
