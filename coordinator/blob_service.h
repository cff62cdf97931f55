// BlobService on the wire: checksummed chunks in and out of the blob store. Synchronous.
#ifndef ETUDE_COORDINATOR_BLOB_SERVICE_H_
#define ETUDE_COORDINATOR_BLOB_SERVICE_H_

#include <grpcpp/server_context.h>

#include "coordinator/authentication.h"
#include "etude/v1/blob.grpc.pb.h"
#include "storage/blob_store.h"

namespace etude {

// Thread-safe. What it is given must outlive it.
class BlobService final : public v1::BlobService::Service {
 public:
  BlobService(BlobStore& blobs, const Authentication& authentication)
      : blobs_(blobs), authentication_(authentication) {}

  grpc::Status Stat(grpc::ServerContext* context, const v1::StatRequest* request,
                    v1::StatResponse* response) override;
  grpc::Status Read(grpc::ServerContext* context, const v1::ReadRequest* request,
                    grpc::ServerWriter<v1::Chunk>* writer) override;
  grpc::Status Write(grpc::ServerContext* context, grpc::ServerReader<v1::WriteRequest>* reader,
                     v1::WriteResponse* response) override;

 private:
  absl::Status SendChunks(const grpc::ServerContext& context, const v1::ReadRequest& request,
                          grpc::ServerWriter<v1::Chunk>& writer);
  absl::Status TakeChunks(grpc::ServerReader<v1::WriteRequest>& reader,
                          v1::WriteResponse& response);

  BlobStore& blobs_;
  const Authentication& authentication_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_BLOB_SERVICE_H_
