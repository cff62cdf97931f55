// The transport over gRPC.
#ifndef ETUDE_WORKER_COORDINATOR_CLIENT_H_
#define ETUDE_WORKER_COORDINATOR_CLIENT_H_

#include <grpcpp/client_context.h>

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "etude/v1/worker.grpc.pb.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "proto/blob_client.h"
#include "proto/channel.h"
#include "worker/event_queue.h"
#include "worker/transport.h"

namespace etude {

inline constexpr int kTransferThreads = 4;
// Transfers that wait for a thread; one more is answered with kResourceExhausted.
inline constexpr std::size_t kMaxQueuedTransfers = 4096;
// A stream of points is opened anew after so long, so that it too has a deadline.
inline constexpr absl::Duration kReportLifetime = absl::Minutes(30);

// Thread-safe. Answers go to `events`, which, like `channel` and `clock`, must outlive it.
// Unary calls and the stream use gRPC's callbacks; files move on threads of its own.
class CoordinatorClient : public Transport {
 public:
  CoordinatorClient(const CoordinatorChannel& channel, EventQueue& events, Clock& clock);
  // Cancels what is under way and waits for it. Close `events` first.
  ~CoordinatorClient() override;

  void Register(CallId call, const Worker& worker, const std::vector<Held>& held) override;
  void Heartbeat(CallId call, const WorkerId& worker, const std::vector<Held>& held,
                 bool draining) override;
  void Acquire(CallId call, const WorkerId& worker, int slot, absl::Duration wait) override;
  void StopAcquiring() override;
  void OpenReport(CallId stream) override;
  void Report(CallId stream, const PointsBatch& batch) override;
  void CloseReport(CallId stream) override;
  void CommitCheckpoint(CallId call, const WorkerId& worker, const Checkpoint& checkpoint) override;
  void Finish(CallId call, const WorkerId& worker, const Ending& ending) override;
  void ShipLog(CallId call, const WorkerId& worker, const LogText& text) override;
  void Upload(CallId call, const std::string& path) override;
  void Download(CallId call, const ArtifactFile& file, const std::string& path) override;

 private:
  class ReportStream;
  struct CallState {
    grpc::ClientContext context;
    bool acquire = false;
  };

  // Starts one unary call: `start` hands it to gRPC, `then` turns its answer into an event.
  template <typename Request, typename Response>
  void Call(absl::Duration deadline, bool acquire, Request request,
            void (v1::WorkerService::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                                           Response*,
                                                           std::function<void(grpc::Status)>),
            std::function<Event(const absl::Status&, const Response&)> then);
  void Ended(CallState* state);
  void StreamEnded(CallId stream, const absl::Status& status);
  void QueueTransfer(std::function<void()> transfer, const std::function<void()>& refuse);
  void RunTransfers(const std::stop_token& stop);
  absl::Status DownloadUnlessThere(const ArtifactFile& file, const std::string& path);
  bool stopping() const;

  const CoordinatorChannel& channel_;
  EventQueue& events_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  BlobClient blobs_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<CallState*> calls_ ABSL_GUARDED_BY(mutex_);
  int streams_open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<ReportStream> stream_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> transfers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_COORDINATOR_CLIENT_H_
