// Whether the bytes that a row is about to name are there.
#ifndef ETUDE_COORDINATOR_BLOB_CHECK_H_
#define ETUDE_COORDINATOR_BLOB_CHECK_H_

#include <vector>

#include "absl/status/status.h"
#include "lib/scaling/job.h"
#include "storage/blob_store.h"

namespace etude {

// kInvalidArgument: a file is not complete in the store, or has another size; upload it, then ask
// again.
absl::Status CheckComplete(BlobStore& blobs, const std::vector<ArtifactFile>& files);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_BLOB_CHECK_H_
