// The way of many simulated workers to a coordinator: a few connections that they share, and calls
// whose answers come on gRPC's own threads.
#ifndef ETUDE_TESTS_BENCH_WORKER_LINK_H_
#define ETUDE_TESTS_BENCH_WORKER_LINK_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "etude/v1/worker.grpc.pb.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "proto/grpc_status.h"
#include "tests/bench/coordinator_process.h"

namespace etude {

// A connection of its own, with the settings of proto/channel.cc: channels made alike would share
// one. Messages of up to `max_reply_bytes` are taken.
std::shared_ptr<grpc::Channel> MakeBenchChannel(const std::string& endpoint, int max_reply_bytes);

// Sets token and deadline on a fresh context.
void PrepareCall(const CoordinatorAddress& address, absl::Duration deadline,
                 grpc::ClientContext& context);

// Thread-safe.
class WorkerLink {
 public:
  WorkerLink(CoordinatorAddress address, int connections);
  ~WorkerLink() { Close(); }

  // Cancels what is under way and waits for it. Calls made later are answered with kCancelled.
  void Close();

  template <typename Request, typename Response>
  using Method = void (v1::WorkerService::Stub::async::*)(grpc::ClientContext*, const Request*,
                                                          Response*,
                                                          std::function<void(grpc::Status)>);
  // One unary call for the worker of that number; `then` runs on a thread of gRPC's.
  template <typename Request, typename Response>
  void Call(int worker, absl::Duration deadline, Request request, Method<Request, Response> method,
            std::function<void(const absl::Status&, const Response&)> then);

  v1::WorkerService::Stub& StubOf(int worker) const {
    return *stubs_[static_cast<std::size_t>(worker) % stubs_.size()];
  }
  const CoordinatorAddress& address() const { return address_; }
  // Close waits for a context between these two. False: the link is closed.
  bool Enter(grpc::ClientContext* context);
  void Leave(grpc::ClientContext* context);

 private:
  const CoordinatorAddress address_;
  std::vector<std::unique_ptr<v1::WorkerService::Stub>> stubs_;
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> open_ ABSL_GUARDED_BY(mutex_);
};

template <typename Request, typename Response>
void WorkerLink::Call(int worker, absl::Duration deadline, Request request,
                      Method<Request, Response> method,
                      std::function<void(const absl::Status&, const Response&)> then) {
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;
    std::function<void(const absl::Status&, const Response&)> then;
  };
  auto* state = new State;  // deleted by the callback, which gRPC always makes
  state->request = std::move(request);
  state->then = std::move(then);
  PrepareCall(address_, deadline, state->context);
  if (!Enter(&state->context)) {
    const std::unique_ptr<State> owned(state);
    return owned->then(Cancelled("the simulated workers stop"), owned->response);
  }
  (StubOf(worker).async()->*method)(&state->context, &state->request, &state->response,
                                    [this, state](const grpc::Status& status) {
                                      const std::unique_ptr<State> owned(state);
                                      state->then(FromGrpc(status), state->response);
                                      Leave(&state->context);
                                    });
}

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_WORKER_LINK_H_
