// StoreService on the wire: the size of what is kept, backups, and the check of every byte.
// Synchronous: a handler works on a thread of its own, with a connection of its own.
#ifndef ETUDE_COORDINATOR_STORE_SERVICE_H_
#define ETUDE_COORDINATOR_STORE_SERVICE_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <string>

#include "coordinator/client_service.h"
#include "etude/v1/store.grpc.pb.h"

namespace etude {

// Backups and checks open at once; more get kResourceExhausted.
inline constexpr int kMaxStoreReaders = 4;
inline constexpr int kMaxBlobsPerPart = 10'000;
// How long a backup that its client has left goes unnoticed.
inline constexpr absl::Duration kBackupPollEvery = absl::Milliseconds(50);

// Thread-safe. What it is given must outlive it.
class StoreService final : public v1::StoreService::Service {
 public:
  explicit StoreService(ClientService::Parts parts) : parts_(std::move(parts)) {}

  grpc::Status GetStore(grpc::ServerContext* context, const v1::GetStoreRequest* request,
                        v1::GetStoreResponse* response) override;
  grpc::Status Backup(grpc::ServerContext* context, const v1::BackupRequest* request,
                      grpc::ServerWriter<v1::BackupPart>* writer) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      grpc::ServerWriter<v1::VerifyPart>* writer) override;

 private:
  absl::Status Check(const grpc::ServerContext& context, const char* method) const;
  absl::Status FillStore(v1::GetStoreResponse& response);
  absl::Status SendBackup(const grpc::ServerContext& context,
                          grpc::ServerWriter<v1::BackupPart>& writer);
  absl::Status SendVerdict(const grpc::ServerContext& context,
                           grpc::ServerWriter<v1::VerifyPart>& writer);

  const ClientService::Parts parts_;
  std::atomic<int> readers_ = 0;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_STORE_SERVICE_H_
