// The coordinator's one decider: a thread that drains a bounded queue, decides and applies each
// event in memory, writes the whole batch in one transaction, commits, then replies to all.
#ifndef ETUDE_COORDINATOR_CORE_H_
#define ETUDE_COORDINATOR_CORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/scheduler.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "storage/results_store.h"

namespace etude {

struct CoreOptions {
  SchedulerOptions scheduler;
  absl::Duration tick = absl::Seconds(1);  // how often time passes for the scheduler
};

// Beyond a limit a call is answered with kResourceExhausted at once.
inline constexpr std::size_t kMaxQueuedEvents = 8192;
inline constexpr std::size_t kMaxQueuedBeforeShedding = kMaxQueuedEvents / 4;
inline constexpr std::size_t kMaxQueuedPoints = std::size_t{1} << 22;  // about 100 MB
inline constexpr std::size_t kMaxQueuedHeartbeats = 16384;
inline constexpr std::size_t kMaxParkedAcquires = 16384;
// What one transaction takes at most.
inline constexpr std::size_t kMaxBatchEvents = 1024;
inline constexpr std::size_t kMaxBatchPoints = std::size_t{1} << 16;

// Thread-safe. A call that takes a `done` returns at once; `done` runs on the core's thread, once
// the decision is durable, and must neither block nor call back into the core except to post.
// Every other call blocks until then.
//
// Errors beside the scheduler's own: kUnavailable: the batch was not committed, or the core stops;
// nothing happened, send it again. kResourceExhausted: a queue is full, or the disk is; wait, then
// send it again.
class Core {
 public:
  template <typename Result>
  using Done = std::function<void(Result)>;

  // Reads the state from the store and starts the thread. Errors are those of ResultsStore::Load.
  // `clock` and `store` must outlive the core; the store is touched by no one else.
  static absl::StatusOr<std::unique_ptr<Core>> Start(const CoreOptions& options, Clock& clock,
                                                     ResultsStore& store);
  ~Core();
  // Answers what waits with kUnavailable and joins the thread. May be called twice.
  void Stop();

  const SchedulerOptions& scheduler_options() const { return options_.scheduler; }

  // For workers.
  void Register(Worker worker, std::vector<HeldAttempt> held,
                Done<absl::StatusOr<std::vector<Directive>>> done);
  // Answered ahead of everything that is queued, and without a commit.
  void Heartbeat(WorkerId worker, std::vector<HeldAttempt> held, bool draining,
                 Done<absl::StatusOr<Scheduler::HeartbeatReply>> done);
  struct AcquireCall {
    WorkerId worker;
    int slot = 0;
    absl::Duration wait;
    std::shared_ptr<std::atomic<bool>> gone;  // set once nobody waits for the answer any more
  };
  // Parked, without a thread, until there is a job or the wait is over. A later call for the same
  // slot takes the place of an earlier one.
  void Acquire(AcquireCall call, const Done<absl::StatusOr<Scheduler::Acquired>>& done);
  void AddPoints(WorkerId worker, JobId job, int attempt, std::vector<LossPoint> points,
                 Done<absl::StatusOr<bool>> done);
  void CommitCheckpoint(WorkerId worker, Checkpoint checkpoint, Done<absl::Status> done);
  void Finish(FinishedAttempt end, Done<absl::Status> done);
  // Whether the worker has the lease, for writes that are not the core's. Refused with
  // kResourceExhausted well before other events are.
  void CheckHeld(WorkerId worker, JobId job, int attempt, const Done<absl::Status>& done);

  // For clients.
  absl::StatusOr<bool> AddCorpus(const Corpus& corpus);
  absl::StatusOr<Scheduler::Submitted> Submit(Sweep sweep, const std::vector<RunConfig>& configs);
  // In one transaction, during which nothing else is decided.
  absl::StatusOr<Scheduler::Imported> Import(Bundle bundle, const std::string& name);
  absl::Status CancelSweep(const SweepId& sweep);
  absl::StatusOr<int> DeleteSweep(const SweepId& sweep, const std::string& name);
  absl::Status PauseSweep(const SweepId& sweep, bool paused);
  absl::Status StopSweep(const SweepId& sweep);
  absl::Status SetTurn(const SweepId& sweep, int priority, double weight);
  absl::StatusOr<int> RetrySweep(const SweepId& sweep, bool failed_only);
  absl::Status CancelRun(const RunKey& run);
  absl::Status RetryRun(const RunKey& run);
  absl::StatusOr<Worker> DrainWorker(const WorkerId& worker, bool drain);
  absl::Status AddFit(const SweepFit& fit);  // of a sweep that is stored
  absl::Status Freeze(const Forecast& forecast);
  // The blob cannot be read any more. Does not wait.
  void LoseBlob(const std::string& sha256);
  // Runs `look` on the core's thread, between batches.
  absl::Status Inspect(const std::function<void(const Scheduler&, const Moment&)>& look);

  // Whether the store refuses writes, and why; empty: it does not.
  std::string ReadOnlyReason() const;

  // What waits now, what was taken since the start, and what there was at the last tick. Waits for
  // no decision and no commit.
  struct Load {
    std::size_t events = 0;
    std::size_t points = 0;
    std::size_t heartbeats = 0;
    std::uint64_t events_taken = 0;
    std::uint64_t heartbeats_taken = 0;
    std::size_t parked_acquires = 0;
    Scheduler::Counts counts;
  };
  Load CurrentLoad() const;

  // How many batches have been committed. AwaitCommit returns once that is more than `seen`, or
  // after `timeout`, or when the core stops. AwaitStop: true if it stops within `timeout`.
  std::uint64_t commits() const;
  std::uint64_t AwaitCommit(std::uint64_t seen, absl::Duration timeout);
  bool AwaitStop(absl::Duration timeout);

 private:
  // What to tell the caller, once it is known whether the batch was committed.
  using Answer = std::function<void(const absl::Status& commit)>;
  struct Event {
    std::function<Answer(const Moment&, Scheduler::Changes&)> decide;
    std::function<void(const absl::Status&)> refuse;
    std::size_t points = 0;
    bool changes_nothing = false;
  };
  struct ParkedAcquire {
    AcquireCall call;
    absl::Time deadline;
    Done<absl::StatusOr<Scheduler::Acquired>> done;
    bool tried = false;
  };
  struct Batch {
    std::vector<Event> heartbeats;
    std::vector<Event> events;
  };

  Core(const CoreOptions& options, Clock& clock, ResultsStore& store);
  template <typename Result>
  using Decision = std::function<Result(const Moment&, Scheduler::Changes&)>;
  template <typename Result>
  static Event MakeEvent(Decision<Result> decide, Done<Result> done);
  template <typename Result>
  Result Wait(Decision<Result> decide);
  absl::Status Queue(Event& event);
  absl::Status QueueHeartbeat(Event& event);
  void Post(Event event);
  void Park(ParkedAcquire call);

  void Run();
  bool IsStopping() const;
  Batch AwaitWork();
  absl::Duration UntilNextDeadline() const;
  void AnswerHeartbeats(const std::vector<Event>& heartbeats, const Moment& now);
  void Process(const std::vector<Event>& events, const Moment& now);
  // `all`: and not only those that have not been looked at.
  void ServeParked(bool all, const Moment& now, Scheduler::Changes& changes,
                   std::vector<Answer>& answers);
  absl::Status Commit(const Scheduler::Changes& changes, const Moment& now);
  absl::Status Rebuild(const Moment& now);
  bool MayCommit(const Moment& now);
  void RefuseAll(const absl::Status& status);
  void NoteLoad();
  Moment Now();

  const CoreOptions options_;
  Clock& clock_;
  ResultsStore& store_;

  // Of the core's thread alone.
  Scheduler scheduler_;
  std::deque<ParkedAcquire> parked_;
  absl::Time parked_until_ = absl::InfiniteFuture();  // the first deadline among them
  Scheduler::Changes heartbeat_changes_;              // go with the next batch
  absl::Time last_tick_ = absl::InfinitePast();
  absl::Status last_commit_;                    // as it is told to those whose batch failed
  absl::Time retry_at_ = absl::InfinitePast();  // after a failure
  bool stale_ = false;                          // memory is not what the store holds

  mutable Mutex mutex_;
  CondVar work_;     // something was queued, or stopping_
  CondVar changed_;  // commits_ or stopping_
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  std::deque<Event> heartbeats_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_points_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t commits_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string read_only_reason_ ABSL_GUARDED_BY(mutex_);
  Load load_ ABSL_GUARDED_BY(mutex_);  // but for what the queues say themselves

  std::jthread thread_;  // last, so that it is joined first
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CORE_H_
