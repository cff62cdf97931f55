// BlobService on the wire: checksummed chunks in and out of the blob store. Synchronous.
#ifndef ETUDE_COORDINATOR_BLOB_SERVICE_H_
#define ETUDE_COORDINATOR_BLOB_SERVICE_H_

#include <grpcpp/server_context.h>

#include <functional>
#include <string>
#include <utility>

#include "coordinator/authentication.h"
#include "etude/v1/blob.grpc.pb.h"
#include "storage/blob_store.h"

namespace etude {

// Thread-safe. What it is given must outlive it. A blob that is read whole and whose bytes have
// another hash is set aside: the reader gets kDataLoss, and nobody gets the blob after.
class BlobService final : public v1::BlobService::Service {
 public:
  // `on_lost` hears of a blob that was asked for and is not there (any more), on any thread.
  BlobService(BlobStore& blobs, const Authentication& authentication,
              std::function<void(const std::string& sha256)> on_lost)
      : blobs_(blobs), authentication_(authentication), on_lost_(std::move(on_lost)) {}

  grpc::Status Stat(grpc::ServerContext* context, const v1::StatRequest* request,
                    v1::StatResponse* response) override;
  grpc::Status Read(grpc::ServerContext* context, const v1::ReadRequest* request,
                    grpc::ServerWriter<v1::Chunk>* writer) override;
  grpc::Status Write(grpc::ServerContext* context, grpc::ServerReader<v1::WriteRequest>* reader,
                     v1::WriteResponse* response) override;

 private:
  absl::Status SendChunks(const grpc::ServerContext& context, const v1::ReadRequest& request,
                          grpc::ServerWriter<v1::Chunk>& writer);
  absl::Status SetAside(const std::string& sha256);
  absl::Status TakeChunks(grpc::ServerReader<v1::WriteRequest>& reader,
                          v1::WriteResponse& response);

  BlobStore& blobs_;
  const Authentication& authentication_;
  const std::function<void(const std::string&)> on_lost_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_BLOB_SERVICE_H_
