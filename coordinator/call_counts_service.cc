#include "coordinator/call_counts_service.h"

#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace etude {
namespace {

class CountingInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit CountingInterceptor(CallCounts::ByCode& counts) : counts_(counts) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      counts_[std::min(static_cast<std::size_t>(methods->GetSendStatus().error_code()),
                       CallCounts::kCodes - 1)]
          .Add();
    }
    methods->Proceed();
  }

 private:
  CallCounts::ByCode& counts_;
};

class CountingFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CountingFactory(CallCounts& counts) : counts_(counts) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new CountingInterceptor(counts_.Of(call->method()));
  }

 private:
  CallCounts& counts_;
};

// Lives as long as its call.
class OpenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit OpenInterceptor(OpenCalls& open) : open_(open) { open_.Begin(); }
  ~OpenInterceptor() override { open_.End(); }
  OpenInterceptor(const OpenInterceptor&) = delete;
  OpenInterceptor& operator=(const OpenInterceptor&) = delete;

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  OpenCalls& open_;
};

class OpenFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit OpenFactory(OpenCalls& open) : open_(open) {}

  // Null: that call needs none.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    const bool ours = std::string_view(call->method()).starts_with("/etude.");
    return ours ? new OpenInterceptor(open_) : nullptr;
  }

 private:
  OpenCalls& open_;
};

}  // namespace

void OpenCalls::Begin() {
  const MutexLock lock(mutex_);
  ++count_;
}

void OpenCalls::End() {
  const MutexLock lock(mutex_);
  if (--count_ == 0) none_.SignalAll();
}

bool OpenCalls::AwaitNone(absl::Duration patience) {
  const MutexLock lock(mutex_);
  return none_.WaitFor(mutex_, patience,
                       [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return count_ == 0; });
}

void WatchCalls(grpc::ServerBuilder& builder, OpenCalls& open, CallCounts* counts) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<OpenFactory>(open));
  if (counts != nullptr) factories.push_back(std::make_unique<CountingFactory>(*counts));
  builder.experimental().SetInterceptorCreators(std::move(factories));
}

}  // namespace etude
