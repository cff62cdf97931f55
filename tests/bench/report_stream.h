// One simulated worker's open Report call.
#ifndef ETUDE_TESTS_BENCH_REPORT_STREAM_H_
#define ETUDE_TESTS_BENCH_REPORT_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "etude/v1/worker.grpc.pb.h"
#include "lib/base/mutex.h"
#include "tests/bench/worker_link.h"

namespace etude {

// One write at a time, the rest waits in order, as in worker/coordinator_client.cc. Thread-safe;
// lives until the call is over, however few hold it.
class ReportStream : public grpc::ClientBidiReactor<v1::ReportRequest, v1::ReportResponse>,
                     public std::enable_shared_from_this<ReportStream> {
 public:
  using Done = std::function<void(const absl::Status&)>;

  static std::shared_ptr<ReportStream> Open(WorkerLink& link, int worker);
  // `done` runs once the points are durable, or refused (kFailedPrecondition), or the call broke.
  // The stream numbers the requests.
  void Send(v1::ReportRequest request, Done done);
  bool broken() const;

  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  explicit ReportStream(WorkerLink& link) : link_(link) {}
  void Start(int worker);
  void LetGo();

  WorkerLink& link_;
  grpc::ClientContext context_;
  v1::ReportResponse response_;
  std::shared_ptr<ReportStream> self_;  // until OnDone

  mutable Mutex mutex_;
  std::uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<v1::ReportRequest> unwritten_ ABSL_GUARDED_BY(mutex_);  // the first is being written
  std::deque<Done> unacknowledged_ ABSL_GUARDED_BY(mutex_);
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_REPORT_STREAM_H_
