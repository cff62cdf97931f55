// BundleService on the wire: a sweep that leaves for another coordinator, or comes from one.
// Synchronous: a handler works on a thread of its own, with a connection of its own.
#ifndef ETUDE_COORDINATOR_BUNDLE_SERVICE_H_
#define ETUDE_COORDINATOR_BUNDLE_SERVICE_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <string>

#include "coordinator/client_service.h"
#include "etude/v1/bundle.grpc.pb.h"

namespace etude {

// A bundle's rows are in memory while they are sent or read, so there are few at once; more get
// kResourceExhausted.
inline constexpr int kMaxBundlesAtOnce = 2;
inline constexpr int kMaxBundleBlobsPerPart = 10'000;
// How long an export that its client has left goes unnoticed.
inline constexpr absl::Duration kExportPollEvery = absl::Milliseconds(50);

// Thread-safe. What it is given must outlive it.
class BundleService final : public v1::BundleService::Service {
 public:
  explicit BundleService(ClientService::Parts parts) : parts_(std::move(parts)) {}

  grpc::Status Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                      grpc::ServerWriter<v1::ExportPart>* writer) override;
  grpc::Status Import(grpc::ServerContext* context, const v1::ImportRequest* request,
                      v1::ImportResponse* response) override;

 private:
  absl::Status Check(const grpc::ServerContext& context, const char* method) const;
  absl::Status SendBundle(const grpc::ServerContext& context, const v1::ExportRequest& request,
                          grpc::ServerWriter<v1::ExportPart>& writer);
  absl::StatusOr<Bundle> ReadSent(const std::string& rows_sha256);
  absl::Status TakeBundle(const v1::ImportRequest& request, v1::ImportResponse& response);

  const ClientService::Parts parts_;
  std::atomic<int> open_ = 0;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_BUNDLE_SERVICE_H_
