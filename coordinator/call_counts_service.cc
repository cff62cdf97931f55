#include "coordinator/call_counts_service.h"

#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <memory>
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

}  // namespace

void CountCalls(grpc::ServerBuilder& builder, CallCounts& counts) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<CountingFactory>(counts));
  builder.experimental().SetInterceptorCreators(std::move(factories));
}

}  // namespace etude
