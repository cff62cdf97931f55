// The gRPC server: all services, health and reflection behind one port of this machine.
#ifndef ETUDE_COORDINATOR_COORDINATOR_SERVICE_H_
#define ETUDE_COORDINATOR_COORDINATOR_SERVICE_H_

#include <grpcpp/channel.h>
#include <grpcpp/server.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "coordinator/blob_service.h"
#include "coordinator/bundle_service.h"
#include "coordinator/call_counts.h"
#include "coordinator/call_counts_service.h"
#include "coordinator/client_service.h"
#include "coordinator/store_service.h"
#include "coordinator/worker_service.h"
#include "proto/tls.h"

namespace etude {

// Thread-safe.
class CoordinatorService {
 public:
  // What the services are given must outlive this, and so must `calls`, which counts every call
  // unless it is null.
  explicit CoordinatorService(ClientService::Parts parts, CallCounts* calls = nullptr);
  ~CoordinatorService();

  // Listens on `address`, HOST:PORT; port 0 picks a free one. kAlreadyExists: the port is taken.
  // An empty address serves InProcessChannel alone.
  absl::Status Start(const std::string& address,
                     const std::optional<TlsIdentity>& tls = std::nullopt);
  // HOST:PORT with the real port, once started.
  const std::string& endpoint() const { return endpoint_; }
  std::shared_ptr<grpc::Channel> InProcessChannel();

  // Waits at most `patience` for the open calls to end and cuts off those that have not. The core
  // must be stopped or still running: calls that wait for it are answered by it.
  void Stop(absl::Duration patience);

 private:
  WorkerService worker_service_;
  ClientService client_service_;
  BlobService blob_service_;
  StoreService store_service_;
  BundleService bundle_service_;
  CallCounts* const calls_;
  OpenCalls open_calls_;
  std::string endpoint_;
  std::unique_ptr<grpc::ServerCompletionQueue> poller_queue_;  // outlives the server
  std::unique_ptr<grpc::Server> server_;
  std::jthread poller_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_COORDINATOR_SERVICE_H_
