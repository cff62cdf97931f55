// A worker without a trainer: it registers, beats and asks for jobs as worker/agent.cc does, and
// what it reports comes from its caller.
#ifndef ETUDE_TESTS_BENCH_SIMULATED_WORKER_H_
#define ETUDE_TESTS_BENCH_SIMULATED_WORKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "etude/v1/worker.pb.h"
#include "lib/base/mutex.h"
#include "tests/bench/report_stream.h"
#include "tests/bench/worker_link.h"
#include "worker/backoff.h"

namespace etude {

struct HeldJob {
  std::string job;
  std::string run;
  int attempt = 0;
  std::int64_t steps = 0;
};

// Thread-safe. One slot. The link must be closed before it goes.
class SimulatedWorker {
 public:
  using Done = std::function<void(const absl::Status&)>;
  using OnLease = std::function<void(SimulatedWorker&, const HeldJob&)>;

  // `phase` (0 to 1) is its place among the others within a heartbeat's interval.
  SimulatedWorker(WorkerLink& link, int number, const std::string& prefix, double phase);

  int number() const { return number_; }
  // Starts the calls that are due. Call it every few milliseconds.
  void Advance(absl::Time now);
  // From now on it has a long poll open whenever it holds no lease. `on_lease` runs on a thread of
  // gRPC's.
  void Ask(OnLease on_lease);
  void StopAsking();  // once the poll that is open, if any, is answered

  // Of the lease it holds; `done` once that is durable.
  void Report(v1::Points points, Done done);
  // Success. Afterwards, and after `done`, it asks again.
  void Finish(double val_loss, Done done);

  struct Standing {
    bool registered = false;
    bool polls = false;  // a long poll is open
    std::optional<HeldJob> lease;
    absl::Time confirmed_at = absl::InfinitePast();  // last told to keep its lease
    int leases_lost = 0;                             // told to give one up
    absl::Status refusal;                            // of its newest call that failed
  };
  Standing standing() const;

 private:
  void Register();
  void OnRegistered(const absl::Status& status, const v1::RegisterResponse& response);
  void Beat();
  void OnBeat(const absl::Status& status, const v1::HeartbeatResponse& response);
  void Acquire();
  void OnAcquired(const absl::Status& status, const v1::AcquireResponse& response);
  void OnFinished(const absl::Status& status, const Done& done);
  template <typename Message>
  void AddHeld(Message& message) const;
  template <typename Message>
  void Follow(const Message& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  WorkerLink& link_;
  const int number_;
  const std::string id_;
  const double phase_;

  mutable Mutex mutex_;
  Standing standing_ ABSL_GUARDED_BY(mutex_);
  OnLease on_lease_ ABSL_GUARDED_BY(mutex_);  // empty: it asks for nothing
  bool registering_ ABSL_GUARDED_BY(mutex_) = false;
  bool beating_ ABSL_GUARDED_BY(mutex_) = false;
  bool polling_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration beat_every_ ABSL_GUARDED_BY(mutex_);
  absl::Duration idle_beat_every_ ABSL_GUARDED_BY(mutex_);
  absl::Time register_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time beaten_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time acquire_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Backoff register_backoff_ ABSL_GUARDED_BY(mutex_);
  Backoff acquire_backoff_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ReportStream> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_SIMULATED_WORKER_H_
