#include "coordinator/coordinator_service.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>

#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kMaxStreamsPerConnection = 128;
constexpr int kMaxThreads = 128;
constexpr int kMaxPollers = 4;
constexpr std::size_t kMaxBufferBytes = std::size_t{1} << 29;
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr int kKeepaliveTimeMs = 20000;
constexpr int kKeepaliveTimeoutMs = 10000;
constexpr int kMinPingIntervalMs = 10000;
// Of calls that came when the server was about to stop.
constexpr absl::Duration kLastCalls = absl::Milliseconds(200);

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("coordinator");
  quota.Resize(kMaxBufferBytes).SetMaxThreads(kMaxThreads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, kMaxPollers);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
}

void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
}

// gRPC's own words are for developers: what a user must know comes back as a status.
void LogGrpc(gpr_log_func_args* args) {
  Log(LogLevel::kDebug, std::string("grpc: ") + args->message);
}

// gRPC 1.51 lets its callback threads sleep for 100 ms after each second without a callback, and
// while all of them do, the threads of the synchronous services hear of no socket: an answer longer
// than a flow-control window, which has to hear from its reader, then stands still. A thread that
// always polls, on a queue in which nothing ever happens, hears for them all.
void PollUntilShutdown(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
}

}  // namespace

CoordinatorService::CoordinatorService(ClientService::Parts parts, CallCounts* calls)
    : worker_service_(parts.core, parts.blobs, parts.logs, parts.authentication),
      client_service_(parts),
      blob_service_(parts.blobs, parts.authentication,
                    [&core = parts.core](const std::string& sha256) { core.LoseBlob(sha256); }),
      store_service_(parts),
      bundle_service_(parts),
      calls_(calls) {}

CoordinatorService::~CoordinatorService() { Stop(absl::ZeroDuration()); }

absl::Status CoordinatorService::Start(const std::string& address,
                                       const std::optional<TlsIdentity>& tls) {
  gpr_set_log_function(LogGrpc);
  grpc::EnableDefaultHealthCheckService(true);
  // It answers without a token, so it is for this machine alone.
  if (!tls) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(builder);
  SetKeepalive(builder);
  WatchCalls(builder, open_calls_, calls_);
  // Otherwise two coordinators would share a port, and each get some of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int port = 0;
  if (!address.empty()) {
    builder.AddListeningPort(address, ServerCredentialsOf(tls), &port);
  }
  builder.RegisterService(&worker_service_);
  builder.RegisterService(&client_service_);
  builder.RegisterService(&blob_service_);
  builder.RegisterService(&store_service_);
  builder.RegisterService(&bundle_service_);
  poller_queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || (!address.empty() && port == 0)) {
    server_.reset();
    poller_queue_->Shutdown();
    PollUntilShutdown(*poller_queue_);
    return AlreadyExists(
        fmt::format("address in use: {}; another coordinator may be running; choose a free one: "
                    "etude-coordinator --listen 127.0.0.1:0",
                    address));
  }
  poller_ = std::jthread([queue = poller_queue_.get()] { PollUntilShutdown(*queue); });
  endpoint_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> CoordinatorService::InProcessChannel() {
  return server_->InProcessChannel(grpc::ChannelArguments());
}

void CoordinatorService::Stop(absl::Duration patience) {
  if (server_ == nullptr) return;
  // gRPC waits for connections, too, and one whose client does not look at it until its next call
  // is never closed: what may end is waited for here, and little is left to gRPC.
  open_calls_.AwaitNone(patience);
  // gRPC takes a point of its own real-time clock; nothing of ours compares against it.
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoMilliseconds(std::min(patience, kLastCalls)));
  poller_queue_->Shutdown();
  poller_.join();
  server_.reset();
}

}  // namespace etude
