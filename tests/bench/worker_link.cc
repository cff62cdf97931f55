#include "tests/bench/worker_link.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

namespace etude {
namespace {

constexpr int kKeepaliveTimeMs = 20000;
constexpr int kKeepaliveTimeoutMs = 10000;
constexpr int kMaxReconnectBackoffMs = 2000;
constexpr int kMaxWorkerReplyBytes = 4 << 20;

// gRPC 1.51 takes down the threads of its callbacks with the last channel that used them, and
// sometimes frees their queue twice. One channel that never goes keeps them.
void KeepOne(const std::shared_ptr<grpc::Channel>& channel) {
  static const auto& kept = *new std::shared_ptr<grpc::Channel>(channel);
  ENSURE(kept != nullptr);
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeBenchChannel(const std::string& endpoint, int max_reply_bytes) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(max_reply_bytes);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

void PrepareCall(const CoordinatorAddress& address, absl::Duration deadline,
                 grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(deadline));
  context.AddMetadata("authorization", "Bearer " + address.token);
}

WorkerLink::WorkerLink(CoordinatorAddress address, int connections) : address_(std::move(address)) {
  for (int i = 0; i < connections; ++i) {
    const auto channel = MakeBenchChannel(address_.endpoint, kMaxWorkerReplyBytes);
    KeepOne(channel);
    stubs_.push_back(v1::WorkerService::NewStub(channel));
  }
}

void WorkerLink::Close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : open_) context->TryCancel();
  while (!open_.empty()) changed_.Wait(mutex_);
}

bool WorkerLink::Enter(grpc::ClientContext* context) {
  const MutexLock lock(mutex_);
  if (!closed_) open_.insert(context);
  return !closed_;
}

void WorkerLink::Leave(grpc::ClientContext* context) {
  const MutexLock lock(mutex_);
  open_.erase(context);
  changed_.SignalAll();
}

}  // namespace etude
