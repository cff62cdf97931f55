#include "coordinator/blob_check.h"

#include <fmt/format.h>

#include "lib/base/status.h"

namespace etude {

absl::Status CheckComplete(BlobStore& blobs, const std::vector<ArtifactFile>& files) {
  for (const ArtifactFile& file : files) {
    ASSIGN_OR_RETURN(const BlobStore::Facts facts, blobs.Stat(file.sha256));
    if (!facts.complete) {
      return InvalidArgument(fmt::format("file {} ({}) is not in the blob store; upload it first",
                                         file.name, file.sha256.substr(0, 12)));
    }
    if (facts.bytes != file.bytes) {
      return InvalidArgument(fmt::format("file {} has {} bytes in the blob store, not {}",
                                         file.name, facts.bytes, file.bytes));
    }
  }
  return absl::OkStatus();
}

}  // namespace etude
