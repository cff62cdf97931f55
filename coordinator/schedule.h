// The scheduler's memory: sweeps, runs, jobs and workers as linked entries, and the order in which
// queued jobs are leased. Entries live in std::map, so pointers between them stay good.
#ifndef ETUDE_COORDINATOR_SCHEDULE_H_
#define ETUDE_COORDINATOR_SCHEDULE_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/job.h"
#include "lib/scaling/run.h"
#include "lib/scaling/sweep.h"
#include "lib/scaling/training_rate.h"
#include "lib/scaling/worker.h"

namespace etude {

struct JobEntry;
struct RunEntry;
struct WorkerEntry;

// Where a held-out run of a sweep stands: it trains for that sweep only once it is predicted.
enum class HeldOut { kAwaiting, kPredicted, kUnpredictable };

struct SweepEntry {
  Sweep sweep;             // without spec_toml and resolved_json, which only the store keeps
  std::int64_t order = 0;  // of submission
  bool stopped = false;    // active, but leases nothing more; sweep.reason says why
  int queued = 0;          // of its jobs, with a place in the queue
  int leased = 0;          // of live attempts, started for it
  std::vector<RunEntry*> runs;
  int terminal_runs = 0;
  int failed_runs = 0;
  double worker_seconds = 0;  // of attempts that ended
  std::map<RunKey, HeldOut> held_out;
  bool WantsRuns() const { return sweep.state == SweepState::kActive && !stopped; }
  bool Leases() const { return WantsRuns() && !sweep.paused; }
  std::optional<HeldOut> HeldOutStateOf(const RunKey& run) const {
    const auto found = held_out.find(run);
    return found == held_out.end() ? std::nullopt : std::optional(found->second);
  }
};

// Runs of one pace and how it is numbered in the queue.
struct PaceEntry {
  Pace pace;
  int number = 0;
};

// Within a sweep and a pace the longest first. Which pace's longest is the longest of all depends
// on the worker that asks.
struct QueuePosition {
  std::int64_t sweep_order = 0;
  int pace = 0;
  std::int64_t minus_steps = 0;  // left of the job's critical path
  JobId job;
  friend auto operator<=>(const QueuePosition&, const QueuePosition&) = default;
};

// An attempt that runs, and the worker's lease on it.
struct LiveAttempt {
  Attempt attempt = {};
  SweepEntry* sweep = nullptr;  // it is trained for
  int slot = 0;                 // kUnknownSlot after a restart of the coordinator
  absl::Time started = absl::InfinitePast();
  absl::Time deadline = absl::InfinitePast();           // of the lease and its grace
  int local_attempt = 0;                                // where it resumed from, as in Assignment
  std::optional<Checkpoint> checkpoint = std::nullopt;  // where it resumed from, as in Assignment
};
inline constexpr int kUnknownSlot = -1;

// A resume checkpoint on a worker's own disk.
struct LocalCheckpoint {
  WorkerId worker;
  int attempt = 0;
  std::int64_t step = 0;
};

// A step of a job after which others start.
struct BranchPoint {
  std::optional<Checkpoint> checkpoint;  // once it is committed
  std::vector<JobEntry*> children;
};

struct JobEntry {
  Job job;
  RunEntry* run = nullptr;
  JobEntry* parent = nullptr;  // from whose branch point of step job.from it starts
  std::map<std::int64_t, BranchPoint> branches;  // by step
  std::optional<LiveAttempt> live;               // exactly while the job is leased
  std::optional<QueuePosition> position;  // exactly while it is queued and a sweep may train it
  absl::Time queued_at;                   // holds count from here
  // Where the longest run ends that it, or a job that waits for its branch points, trains; as of
  // when it last got a place or none.
  std::int64_t path_end = 0;
  std::int64_t points_through = 0;          // newest training step committed
  std::optional<Checkpoint> resume;         // newest uploaded
  std::optional<LocalCheckpoint> local;     // newest known
  std::int64_t last_start_step = 0;         // of the newest attempt
  int infrastructure_failures = 0;          // since an attempt last started further on
  std::map<WorkerId, std::string> crashed;  // workers it crashed on, and how
};

struct RunEntry {
  Run run;
  const PaceEntry* pace = nullptr;
  std::uint64_t trunk = 0;          // TrunkHash
  std::int64_t memory_bytes = 0;    // of the process that trains it
  std::vector<JobEntry*> jobs;      // every job ever made for it
  JobEntry* last_job = nullptr;     // of the last segment of its path
  std::vector<SweepEntry*> sweeps;  // in order of submission
  // Whether a sweep that may train both wants both for their own sake; a paused one counts only
  // while every sweep that may train this one is.
  bool IsTrainedWith(const RunEntry& other) const;
};

struct WorkerEntry {
  Worker worker;
  std::string kind;         // WorkerKind of it
  bool registered = false;  // with this coordinator, since it last read the store
  bool draining = false;    // as its heartbeats say
  absl::Time last_seen;
  std::optional<absl::Time> quarantined_until;
  std::set<JobId> failed_in_a_row;
  std::set<JobId> leased;
  std::set<JobId> local;  // queued jobs that it has a local checkpoint of
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_SCHEDULE_H_
