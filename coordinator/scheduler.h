// Decides which worker trains which job, and until when.
#ifndef ETUDE_COORDINATOR_SCHEDULER_H_
#define ETUDE_COORDINATOR_SCHEDULER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/schedule.h"
#include "lib/scaling/loss_point.h"
#include "storage/bundle.h"
#include "storage/change.h"
#include "storage/results_store.h"

namespace etude {

// The time of a decision: `monotonic` decides, `wall_us` (since the Unix epoch) is stored and
// shown.
struct Moment {
  absl::Time monotonic;
  std::int64_t wall_us = 0;
};

struct SchedulerOptions {
  absl::Duration heartbeat = absl::Seconds(2);  // what workers are told
  absl::Duration lease = absl::Seconds(15);     // silent for so long, a worker is offline
  absl::Duration grace = absl::Seconds(45);     // and after so much more its attempts are over
  // What workers are told for as long as they hold nothing: no lease needs them, and each call of
  // theirs is a sign of life, too.
  absl::Duration idle_heartbeat() const { return std::max(heartbeat, lease / 2); }
  // A job whose newest checkpoint is on a live worker's disk waits so long for that worker.
  absl::Duration local_resume_hold = absl::Seconds(10);
  // A job that crashed waits so long for a worker it has not crashed on.
  absl::Duration retry_elsewhere_hold = absl::Seconds(60);
  // A worker that fails jobs in a row takes none for so long, and then has one try.
  absl::Duration quarantine = absl::Minutes(15);
  int quarantine_after = 3;                // distinct jobs in a row
  int max_counted_failures = 3;            // of a job, unknown class
  int max_infrastructure_retries = 20;     // of a job in a row, none further on than the one before
  std::size_t max_known_workers = 10'000;  // beyond it those unseen for longest are forgotten
};

inline constexpr std::size_t kMaxKnownRuns = 1'000'000;
inline constexpr int kMaxSlots = 1024;  // of one worker
// What a trainer takes at least beside the model's own memory: LibTorch, code, buffers. One that
// trained the smallest models had 108 MiB.
inline constexpr std::int64_t kTrainerBaseBytes = std::int64_t{96} << 20;

// An attempt that a worker says it holds.
struct HeldAttempt {
  JobId job;
  int attempt = 0;
  std::int64_t step = 0;
  std::int64_t local_step = 0;  // newest resume checkpoint on its disk; 0 = none
};

enum class Action { kKeep, kCancel, kCheckpoint, kRelease, kSuperseded };

struct Directive {
  JobId job;
  int attempt = 0;
  Action action = Action::kKeep;
};

// What a worker needs to start an attempt.
struct Assignment {
  JobId job;
  int attempt = 0;
  RunKey run;
  RunConfig config;
  std::int64_t to = 0;
  Corpus corpus;
  std::int64_t start_step = 0;
  int local_attempt = 0;  // resume from that attempt's directory on the worker; 0: not
  std::optional<Checkpoint> checkpoint;    // or from these blobs; nullopt: not
  std::vector<std::int64_t> branch_steps;  // commit a branch point after these, ascending
};

struct FinishedAttempt {
  WorkerId worker;
  JobId job;
  int attempt = 0;
  JobOutcome outcome = JobOutcome::kSucceeded;
  std::string reason = "";
  std::optional<RunResult> result = std::nullopt;  // with kSucceeded
  std::int64_t local_step = 0;
  std::string numerics = "";
  std::vector<ArtifactFile> artifacts = {};
};

// Time comes in as an argument and effects go out as changes: no threads, clocks, sockets or SQL.
// Every call that changes something has applied it here when it returns and has appended it to
// `changes`, in the order in which the store must apply them; the caller commits them before it
// replies, and makes a new scheduler from the store if that fails. A call that returns an error has
// changed nothing. Not thread-safe.
//
// Order: sweeps of the highest priority first; among those the one that has the fewest leases for
// its weight, then the one submitted first; within a sweep the job first that would keep this
// worker busy for longest, by the rates that runs were measured at (lib/scaling/training_rate.h),
// so that the last jobs to end are short. What waits for a job's branch points counts as its own. A
// held-out run waits for its prediction, unless another sweep wants it for its own sake. A job does
// not go to a worker whose memory a slot is too small for it.
//
// Runs that share a trunk (lib/scaling/trunk.h) train its steps once: the longest of a sweep by its
// own job, the others from that one's branch points, for which their jobs wait. A job that ends
// without such a branch point leaves those that wait for it to start elsewhere, from the beginning
// if need be. What was committed serves later sweeps too.
class Scheduler {
 public:
  using Changes = std::vector<Change>;

  explicit Scheduler(SchedulerOptions options) : options_(options) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  Scheduler(Scheduler&&) = default;
  Scheduler& operator=(Scheduler&&) = default;

  // Starts from what is stored; call once, first. Workers must register again; live attempts get a
  // whole lease and grace in which to be claimed. In a store that was restored from a backup those
  // of before are over: their workers went on, and nobody knows how far. kDataLoss: the rows
  // contradict each other.
  absl::Status Restore(StoredState state, const Moment& now);

  // True if it is new under this name. kAlreadyExists: the name stands for another corpus.
  absl::StatusOr<bool> AddCorpus(const Corpus& corpus, const Moment& now, Changes& changes);

  struct Submitted {
    SweepId sweep;
    bool created = false;  // false: this sweep (the same id) was there already
    int runs_shared = 0;   // runs that an earlier sweep had made
  };
  // `configs` are the runs of the sweep in its order; sweep.runs is filled in. A cancelled sweep is
  // revived: those of its runs that were cancelled start again. kNotFound: no such corpus.
  // kAlreadyExists: the name stands for another sweep. kResourceExhausted: too many runs.
  absl::StatusOr<Submitted> Submit(Sweep sweep, const std::vector<RunConfig>& configs,
                                   const Moment& now, Changes& changes);

  struct Imported {
    SweepId sweep;
    std::string name;
    bool created = false;    // false: the sweep was here already
    int runs_added = 0;      // that were not here, with those whose trunk they share
    int runs_completed = 0;  // that had not succeeded here
    int runs_kept = 0;       // as they are here
    int runs_open = 0;       // of the sweep, which are queued here or train
  };
  // Takes over a sweep of another coordinator, under `name` unless that is empty. The bundle has
  // passed CheckBundle and its corpus is complete. A run that succeeded here stays as it is; one
  // that has succeeded there alone ends with that result. Runs that have not ended go on, from the
  // newest checkpoint in the bundle. Repeating it changes nothing. kAlreadyExists: the name stands
  // for another sweep. kFailedPrecondition: a run that is finished there trains here.
  // kResourceExhausted: too many runs.
  absl::StatusOr<Imported> Import(Bundle bundle, const std::string& name, const Moment& now,
                                  Changes& changes);

  // Cancels what no other live sweep wants. A sweep that has ended stays as it is. kNotFound.
  absl::Status CancelSweep(const SweepId& sweep, const Moment& now, Changes& changes);

  // A paused sweep leases nothing; what trains for it alone is to give its job back, and goes on
  // when the sweep is resumed. kNotFound. kFailedPrecondition: it has ended.
  absl::Status PauseSweep(const SweepId& sweep, bool paused, const Moment& now, Changes& changes);
  // Leases nothing more, lets what trains end, and cancels the rest. Errors as above.
  absl::Status StopSweep(const SweepId& sweep, const Moment& now, Changes& changes);
  // Deletes a sweep that has ended and those of its runs that no other sweep has and from whose
  // steps none started; how many. kNotFound. kInvalidArgument: that is not its name.
  // kFailedPrecondition: it is active.
  absl::StatusOr<int> DeleteSweep(const SweepId& sweep, const std::string& name, Changes& changes);
  // kInvalidArgument: out of range, see kMaxSweepPriority and kMaxSweepWeight. kNotFound.
  absl::Status SetTurn(const SweepId& sweep, int priority, double weight, Changes& changes);
  // Starts the sweep's failed runs again with new jobs, and its cancelled ones unless
  // `failed_only`; how many. kNotFound.
  absl::StatusOr<int> RetrySweep(const SweepId& sweep, bool failed_only, const Moment& now,
                                 Changes& changes);
  // kNotFound. A run that has ended stays as it is.
  absl::Status CancelRun(const RunKey& run, const Moment& now, Changes& changes);
  // kNotFound. kFailedPrecondition: it neither failed nor was cancelled, or every sweep that has it
  // was cancelled.
  absl::Status RetryRun(const RunKey& run, const Moment& now, Changes& changes);
  // The worker gives its jobs back and takes no more until it is undrained, over restarts of either
  // side. kNotFound.
  absl::StatusOr<Worker> DrainWorker(const WorkerId& worker, bool drain, const Moment& now,
                                     Changes& changes);

  // The active sweeps whose fit runs have all ended and that have held-out runs without a forecast.
  std::vector<SweepId> AwaitingForecast() const;
  // Stores the forecast of such a sweep: predicted runs may be leased from now on, unpredicted ones
  // are cancelled unless another sweep wants them. kNotFound. kFailedPrecondition: the sweep does
  // not await one (any more).
  absl::Status Freeze(const Forecast& forecast, const Moment& now, Changes& changes);

  // Makes a worker known and matches what it holds with what it is leased: a match goes on, a lease
  // it does not hold goes back to the queue. One directive for each held attempt.
  // kInvalidArgument: slots out of range. kResourceExhausted: too many workers.
  absl::StatusOr<std::vector<Directive>> Register(Worker worker,
                                                  const std::vector<HeldAttempt>& held,
                                                  const Moment& now, Changes& changes);

  struct HeartbeatReply {
    std::vector<Directive> directives;  // one for each held attempt
    bool drain = false;                 // an operator wants it to
  };
  // Renews the leases of the attempts held. kNotFound: register again.
  absl::StatusOr<HeartbeatReply> Heartbeat(const WorkerId& worker,
                                           const std::vector<HeldAttempt>& held, bool draining,
                                           const Moment& now, Changes& changes);

  // The worker asks for something: it is there. One that is not known will be told so.
  void Hear(const WorkerId& worker, const Moment& now, Changes& changes);

  struct Acquired {
    std::optional<Assignment> assignment;
    std::string reason;  // why there is none
  };
  // Leases the best queued job to one slot of a worker. A slot that holds a lease gets that one
  // again, so a lost reply may be asked for twice. kNotFound: register again. kInvalidArgument: no
  // such slot.
  absl::StatusOr<Acquired> Acquire(const WorkerId& worker, int slot, const Moment& now,
                                   Changes& changes);

  // False if the attempt is over and its points are refused. kInvalidArgument: a step beyond the
  // job's last. kNotFound: no such job.
  absl::StatusOr<bool> AddPoints(const WorkerId& worker, const JobId& job, int attempt,
                                 std::vector<LossPoint> points, Changes& changes);

  // kFailedPrecondition: the attempt is over, or training points through the checkpoint's step have
  // not been reported. kInvalidArgument: a step outside the job. kNotFound: no such job.
  absl::Status CommitCheckpoint(const WorkerId& worker, const Checkpoint& checkpoint,
                                const Moment& now, Changes& changes);

  // Jobs whose resume checkpoint or branch point needs this blob start without it next time.
  void LoseBlob(const std::string& sha256, const Moment& now, Changes& changes);

  // Ends an attempt and decides what becomes of its job. Repeating it is fine. An attempt that is
  // over already may end in any way but success. kFailedPrecondition: success of an attempt that is
  // over, or before all its points were reported. kInvalidArgument: success without a result.
  // kNotFound: no such job.
  absl::Status Finish(const FinishedAttempt& end, const Moment& now, Changes& changes);

  // kFailedPrecondition: the attempt is over, or another worker's. kNotFound: no such job.
  absl::Status CheckHeld(const WorkerId& worker, const JobId& job, int attempt);

  // Lets time pass: silent workers go offline, leases end, quarantines end, sweeps over their hours
  // stop. Call about once a second. After a restart a sweep's worker time counts its finished runs
  // and what follows, not earlier attempts that came to nothing.
  void Tick(const Moment& now, Changes& changes);

  // Where a run is now: the worker that trains it, or why it waits; both empty once it has ended.
  struct RunNow {
    WorkerId worker;
    std::string wait_reason;
  };
  RunNow WhereIs(const RunKey& run, const Moment& now) const;

  // What each sweep that has the run, and each worker, says to it.
  struct Verdict {
    std::string who;  // a sweep's name or a worker's id
    std::string what;
  };
  struct Explanation {
    RunNow now;
    std::vector<Verdict> sweeps;   // in order of submission
    std::vector<Verdict> workers;  // by id; none once the run has ended or while it trains
  };
  Explanation Explain(const RunKey& run, const Moment& now) const;

  struct WorkerNow {
    Worker worker;
    std::vector<RunKey> runs;
    std::string idle_reason;  // why a slot of it has no job; empty: none has none
  };
  std::vector<WorkerNow> Workers() const;

  struct Counts {
    int active_sweeps = 0;
    int queued_jobs = 0;
    int leased_jobs = 0;
    int online_workers = 0;
    // By state, in the order of its enum.
    std::array<std::int64_t, 4> workers = {};
    std::array<std::int64_t, 3> sweeps = {};
    std::array<std::int64_t, 5> runs = {};
  };
  Counts Count() const;

  const TrainingRates& rates() const { return rates_; }
  // Of the workers that are online, by worker kind.
  std::map<std::string, int> OnlineSlots() const;
  bool HasQueuedJobs() const { return !queue_.empty(); }

 private:
  // scheduler.cc
  absl::Status RestoreRuns(StoredState& state, const Moment& now);
  absl::Status RestoreWorkers(const StoredState& state, const Moment& now);
  absl::Status RestoreSweeps(StoredState& state);
  SweepEntry& InsertSweep(Sweep sweep);
  RunEntry& InsertRun(Run run, std::map<RunKey, RunEntry>::iterator place);
  const PaceEntry& PaceEntryOf(const RunConfig& config);
  JobEntry& InsertJob(Job job, RunEntry& run, const Moment& now);
  void LinkRun(SweepEntry& sweep, RunEntry& run);
  static double OwnSeconds(const RunEntry& run);
  static void SortByLength(std::vector<RunEntry*>& runs);
  absl::Status CheckSubmission(const Sweep& sweep, const std::vector<RunConfig>& configs) const;
  void Revive(SweepEntry& sweep, const Moment& now, Changes& changes);
  void ReviveRuns(std::vector<RunEntry*> runs, const Moment& now, Changes& changes);
  void ReviveRun(RunEntry& run, const Moment& now, Changes& changes);
  void StopSweep(SweepEntry& sweep, const std::string& reason, const Moment& now, Changes& changes);
  void CancelUnwanted(SweepEntry& sweep, bool queued_only, const std::string& reason,
                      const Moment& now, Changes& changes);
  void CancelRun(RunEntry& run, const std::string& reason, const Moment& now, Changes& changes);
  void ChangeRun(RunEntry& run, RunState state, const std::string& reason, const Moment& now,
                 Changes& changes, std::optional<RunResult> result = std::nullopt);
  void ChangeJob(JobEntry& job, JobState state, const std::string& reason, Changes& changes);
  void ChangeSweep(SweepEntry& sweep, SweepState state, const std::string& reason,
                   const Moment& now, Changes& changes);
  void Enqueue(JobEntry& job);
  void Dequeue(JobEntry& job);
  void Settle(const Moment& now, Changes& changes);
  void StopOverspent(const Moment& now, Changes& changes);
  bool AwaitsForecast(const SweepEntry& sweep) const;
  SweepEntry* FirstWanting(const RunEntry& run) const;
  SweepEntry* FirstLeasing(const RunEntry& run) const;
  SweepEntry* TrainedFor(const RunEntry& run) const;
  absl::StatusOr<SweepEntry*> FindSweep(const SweepId& sweep);
  absl::StatusOr<SweepEntry*> FindActive(const SweepId& sweep);
  absl::StatusOr<RunEntry*> FindRun(const RunKey& run);
  void Requeue(SweepEntry& sweep);
  void Reopen(SweepEntry& sweep, const Moment& now, Changes& changes);
  std::vector<const SweepEntry*> Turns() const;

  // scheduler_trunks.cc
  struct Base {
    JobEntry* job = nullptr;  // nullptr: from the beginning
    std::int64_t step = 0;
    bool committed = true;
  };
  Base BestBase(const RunEntry& run);
  JobId NextJobId(const RunEntry& run) const;
  JobEntry& AddJob(RunEntry& run, const Moment& now);
  std::vector<Segment> PathOf(const JobEntry& last) const;
  absl::Status RestoreTrunks(StoredState& state);
  bool IsLongestOfTrunk(const RunEntry& run) const;
  std::vector<std::int64_t> MissingBranches(const JobEntry& job) const;
  std::vector<std::int64_t> BranchStepsOf(const JobEntry& job) const;
  std::optional<Checkpoint> ResumePointOf(const JobEntry& job) const;
  bool AwaitsTrunk(const JobEntry& job) const;
  std::int64_t PathEnd(const JobEntry& job) const;
  void ReviewPath(JobEntry& trunk);
  void CommitBranchPoint(JobEntry& job, const Checkpoint& checkpoint);
  void LoseBranchPoint(JobEntry& job, std::int64_t step, const Moment& now, Changes& changes);
  void OrphanChildren(JobEntry& job);
  void KeepQueued(JobEntry& job);
  void Replan(JobEntry& job, const Moment& now, Changes& changes);

  // scheduler_import.cc
  absl::Status CheckImport(const Bundle& bundle, const std::string& name);
  void ImportCorpus(Corpus corpus, const Moment& now, Changes& changes);
  std::set<RunKey> TakeRuns(const Bundle& bundle, RunsAdded& added, Changes& changes);
  std::vector<JobEntry*> TakeJobs(const Bundle& bundle, const std::set<RunKey>& taken,
                                  RunsAdded& added, const Moment& now);
  static void NoteHistory(const BundledJob& bundled, JobEntry& entry);
  SweepEntry& ImportSweep(Sweep sweep, Changes& changes);
  void ImportPredictions(const Bundle& bundle, SweepEntry& sweep, Changes& changes);
  void Complete(const Run& there, const Moment& now, Changes& changes);
  void StartTaken(const std::set<RunKey>& taken, const Moment& now, Changes& changes);
  void Continue(SweepEntry& sweep, const Bundle& bundle, const Moment& now, Changes& changes);

  // scheduler_delete.cc
  std::vector<RunEntry*> OwnRuns(const SweepEntry& sweep);
  void EraseRun(RunEntry& run);
  void HandOver(const SweepEntry& sweep);

  // scheduler_attempts.cc
  absl::StatusOr<WorkerEntry*> Registered(const WorkerId& worker);
  absl::StatusOr<JobEntry*> FindJob(const JobId& job);
  bool IsLive(const JobEntry& job, int attempt) const;
  std::vector<Directive> Renew(WorkerEntry& worker, const std::vector<HeldAttempt>& held,
                               const Moment& now);
  void NoteLocal(JobEntry& job, std::optional<LocalCheckpoint> local);
  void StateOf(const WorkerEntry& worker, const Moment& now, WorkerState& state,
               std::string& reason) const;
  bool ForgetAWorker(Changes& changes);
  void ReviewWorker(WorkerEntry& worker, const Moment& now, Changes& changes);
  std::string WhyBarred(const JobEntry& job, const WorkerEntry& worker, const Moment& now) const;
  JobEntry* BestJobFor(const WorkerEntry& worker, const Moment& now);
  JobEntry* LongestJobFor(const WorkerEntry& worker, const SweepEntry& sweep, const Moment& now);
  double SecondsLeft(const JobEntry& job, const std::string& worker_kind) const;
  void NoteRate(const JobEntry& job, double tokens_per_s, bool ended, Changes& changes);
  std::string WhyTooSmall(const JobEntry& job, const WorkerEntry& worker) const;
  std::string WhyIdle(const WorkerEntry& worker) const;
  std::string WhyQueued(const JobEntry& job, const Moment& now) const;
  int AttemptsOf(const JobEntry& job) const;
  void StartAttempt(JobEntry& job, WorkerEntry& worker, int slot, const Moment& now,
                    Changes& changes);
  Assignment AssignmentOf(const JobEntry& job) const;
  void EndAttempt(JobEntry& job, const FinishedAttempt& end, const Moment& now, Changes& changes);
  void EndLost(JobEntry& job, JobOutcome outcome, const std::string& reason, const Moment& now,
               Changes& changes);
  void AfterFailure(JobEntry& job, JobOutcome outcome, const std::string& reason,
                    const WorkerId& worker, const Moment& now, Changes& changes);
  void RetryOrFail(JobEntry& job, bool retry, const std::string& reason, const std::string& give_up,
                   const Moment& now, Changes& changes);
  void Blame(WorkerEntry& worker, const JobId& job, const Moment& now, Changes& changes);

  SchedulerOptions options_;
  int attempts_above_ = 0;  // as in StoredState: up to it no attempt is live
  std::int64_t next_order_ = 0;
  std::map<std::string, CorpusId> corpus_names_;
  std::map<CorpusId, Corpus> corpora_;
  std::map<SweepId, SweepEntry> sweeps_;
  std::map<std::string, SweepId> sweep_names_;
  std::map<RunKey, RunEntry> runs_;
  std::map<RunKey, int> deleted_attempts_;  // as in StoredState: new ones of the run come after
  std::array<std::int64_t, 5> runs_by_state_ = {};
  std::map<JobId, JobEntry> jobs_;
  std::unordered_multimap<std::uint64_t, RunEntry*> trunks_;     // by TrunkHash
  std::map<std::pair<std::int64_t, JobId>, JobEntry*> orphans_;  // longest first
  std::map<WorkerId, WorkerEntry> workers_;
  TrainingRates rates_;
  std::map<std::string, PaceEntry> paces_;  // by the pace's text
  std::set<QueuePosition> queue_;
  std::map<std::int64_t, SweepEntry*> queued_;  // by order: sweeps with a job in the queue
  std::set<JobId> leased_;
  std::map<std::int64_t, SweepEntry*> unsettled_;  // by order: sweeps whose runs changed
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_SCHEDULER_H_
