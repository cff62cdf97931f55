// What workers do: registration, leases, points, checkpoints, ends of attempts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "coordinator/scheduler.h"
#include "lib/base/status.h"

namespace etude {
namespace {

std::string Text(absl::Duration duration) {
  return fmt::format("{:g} s", absl::ToDoubleSeconds(duration));
}

std::string ReasonOf(const FinishedAttempt& end) {
  const std::string outcome(JobOutcomeName(end.outcome));
  return end.reason.empty() ? outcome : outcome + ": " + end.reason;
}

absl::Status AttemptIsOver(const JobId& job, int attempt) {
  return FailedPrecondition(
      fmt::format("attempt {} of job {} is over; discard it and ask for "
                  "another job",
                  attempt, job.Short()));
}

// A worker is blamed for failures that another worker might not have had; not for a run that
// diverged, nor for being killed.
bool IsWorkersFault(JobOutcome outcome) {
  return outcome != JobOutcome::kDiverged && (ClassOf(outcome) == FailureClass::kUnknown ||
                                              ClassOf(outcome) == FailureClass::kDeterministic);
}

}  // namespace

absl::StatusOr<WorkerEntry*> Scheduler::Registered(const WorkerId& id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || !found->second.registered) {
    return NotFound("worker " + id.text() + " is not known here; register again");
  }
  return &found->second;
}

absl::StatusOr<JobEntry*> Scheduler::FindJob(const JobId& id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NotFound("no job " + id.text());
  return &found->second;
}

bool Scheduler::IsLive(const JobEntry& job, int attempt) const {
  return attempt > attempts_above_ && job.live && job.live->attempt.number == attempt;
}

// Workers.

// Each turn of a fleet's worker is a new one: the one unseen for longest makes room. False if all
// are in use.
bool Scheduler::ForgetAWorker(Changes& changes) {
  const WorkerEntry* oldest = nullptr;
  for (const auto& [id, worker] : workers_) {
    const bool in_use = worker.worker.state != WorkerState::kOffline || worker.worker.drained ||
                        !worker.leased.empty() || !worker.local.empty();
    if (in_use) continue;
    if (oldest == nullptr || worker.worker.last_seen_at_us < oldest->worker.last_seen_at_us) {
      oldest = &worker;
    }
  }
  if (oldest == nullptr) return false;
  const WorkerId id = oldest->worker.id;
  changes.push_back(WorkerForgotten{id});
  workers_.erase(id);
  return true;
}

absl::StatusOr<std::vector<Directive>> Scheduler::Register(Worker worker,
                                                           const std::vector<HeldAttempt>& held,
                                                           const Moment& now, Changes& changes) {
  if (worker.slots < 1 || worker.slots > kMaxSlots) {
    return InvalidArgument(
        fmt::format("slots = {}: a worker has 1 to {}", worker.slots, kMaxSlots));
  }
  if (!workers_.contains(worker.id) && workers_.size() >= options_.max_known_workers &&
      !ForgetAWorker(changes)) {
    return ResourceExhausted(
        fmt::format("the coordinator knows {} workers and takes no more", workers_.size()));
  }
  WorkerEntry& entry = workers_[worker.id];
  worker.registered_at_us = now.wall_us;
  worker.last_seen_at_us = now.wall_us;
  worker.state = WorkerState::kOnline;
  worker.reason = "";
  worker.drained = entry.worker.drained;
  entry.worker = std::move(worker);
  entry.kind = WorkerKind(entry.worker);
  entry.registered = true;
  entry.draining = false;
  entry.last_seen = now.monotonic;
  StateOf(entry, now, entry.worker.state, entry.worker.reason);
  changes.push_back(WorkerChanged{entry.worker});
  std::vector<Directive> directives = Renew(entry, held, now);
  std::set<JobId> lost = entry.leased;
  for (const Directive& directive : directives) {
    const bool holds = directive.action == Action::kKeep || directive.action == Action::kRelease;
    if (holds) lost.erase(directive.job);
  }
  for (const JobId& id : lost) {
    const std::string reason = "worker " + entry.worker.id.text() + " came back without it";
    EndLost(jobs_.at(id), JobOutcome::kReleased, reason, now, changes);
    AfterFailure(jobs_.at(id), JobOutcome::kReleased, reason, entry.worker.id, now, changes);
  }
  Settle(now, changes);
  return directives;
}

absl::StatusOr<Scheduler::HeartbeatReply> Scheduler::Heartbeat(const WorkerId& id,
                                                               const std::vector<HeldAttempt>& held,
                                                               bool draining, const Moment& now,
                                                               Changes& changes) {
  ASSIGN_OR_RETURN(WorkerEntry * worker, Registered(id));
  worker->draining = draining;
  Hear(id, now, changes);
  return HeartbeatReply{Renew(*worker, held, now), worker->worker.drained};
}

void Scheduler::Hear(const WorkerId& id, const Moment& now, Changes& changes) {
  const absl::StatusOr<WorkerEntry*> worker = Registered(id);
  if (!worker.ok()) return;
  (*worker)->last_seen = now.monotonic;
  (*worker)->worker.last_seen_at_us = now.wall_us;
  ReviewWorker(**worker, now, changes);
}

absl::StatusOr<Worker> Scheduler::DrainWorker(const WorkerId& id, bool drain, const Moment& now,
                                              Changes& changes) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return NotFound("no worker " + id.text() + "; see: etude worker ls");
  WorkerEntry& worker = found->second;
  worker.worker.drained = drain;
  if (!drain) worker.draining = false;  // until it says otherwise
  StateOf(worker, now, worker.worker.state, worker.worker.reason);
  changes.push_back(WorkerChanged{worker.worker});
  return worker.worker;
}

std::vector<Directive> Scheduler::Renew(WorkerEntry& worker, const std::vector<HeldAttempt>& held,
                                        const Moment& now) {
  std::vector<Directive> directives;
  directives.reserve(held.size());
  for (const HeldAttempt& attempt : held) {
    const auto found = jobs_.find(attempt.job);
    Action action = Action::kSuperseded;
    if (found != jobs_.end()) {
      JobEntry& job = found->second;
      if (IsLive(job, attempt.attempt) && job.live->attempt.worker == worker.worker.id) {
        job.live->deadline = now.monotonic + options_.lease + options_.grace;
        if (attempt.local_step > 0) {
          NoteLocal(job, LocalCheckpoint{worker.worker.id, attempt.attempt, attempt.local_step});
        }
        const bool paused = job.live->sweep->sweep.paused && FirstLeasing(*job.run) == nullptr;
        action = paused ? Action::kRelease : Action::kKeep;
      } else if (job.job.state == JobState::kCancelled) {
        action = Action::kCancel;
      }
    }
    directives.push_back({attempt.job, attempt.attempt, action});
  }
  return directives;
}

// Only of a job that is not queued: a queued one is in its worker's `local` set.
void Scheduler::NoteLocal(JobEntry& job, std::optional<LocalCheckpoint> local) {
  ENSURE(!job.position);
  job.local = std::move(local);
}

// What a worker is now, and why.
void Scheduler::StateOf(const WorkerEntry& worker, const Moment& now, WorkerState& state,
                        std::string& reason) const {
  if (now.monotonic - worker.last_seen >= options_.lease) {
    state = WorkerState::kOffline;
    reason = "no heartbeat for " + Text(options_.lease) + "; look at its machine or its log";
  } else if (worker.quarantined_until) {
    state = WorkerState::kQuarantined;
    reason = fmt::format("failed {} jobs in a row; gets none for {}", options_.quarantine_after,
                         Text(options_.quarantine));
  } else if (worker.worker.drained) {
    state = WorkerState::kDraining;
    reason = "drained by request; to undo it: etude worker undrain " + worker.worker.id.text();
  } else if (worker.draining) {
    state = WorkerState::kDraining;
    reason = "was asked to stop";
  } else if (worker.registered) {
    state = WorkerState::kOnline;
    reason = "";
  }
}

// Brings a worker's state in line with what is known of it.
void Scheduler::ReviewWorker(WorkerEntry& worker, const Moment& now, Changes& changes) {
  if (worker.quarantined_until && now.monotonic >= *worker.quarantined_until) {
    worker.quarantined_until.reset();
    if (!worker.failed_in_a_row.empty()) {
      worker.failed_in_a_row.erase(worker.failed_in_a_row.begin());
    }
  }
  const WorkerState state = worker.worker.state;
  const std::string reason = worker.worker.reason;
  StateOf(worker, now, worker.worker.state, worker.worker.reason);
  if (worker.worker.state == state && worker.worker.reason == reason) return;
  changes.push_back(WorkerChanged{worker.worker});
}

void Scheduler::Tick(const Moment& now, Changes& changes) {
  for (auto& [id, worker] : workers_) ReviewWorker(worker, now, changes);
  const std::set<JobId> leased = leased_;
  for (const JobId& id : leased) {
    JobEntry& job = jobs_.at(id);
    if (!job.live || now.monotonic < job.live->deadline) continue;
    const WorkerId worker = job.live->attempt.worker;
    const bool restored = job.live->attempt.number <= attempts_above_;
    const std::string reason = restored ? "the results store was restored from a backup"
                                        : fmt::format("worker {} was silent for {}", worker.text(),
                                                      Text(options_.lease + options_.grace));
    EndLost(job, JobOutcome::kSuperseded, reason, now, changes);
    AfterFailure(job, JobOutcome::kSuperseded, reason, worker, now, changes);
  }
  StopOverspent(now, changes);
  Settle(now, changes);
}

// Leases.

absl::StatusOr<Scheduler::Acquired> Scheduler::Acquire(const WorkerId& id, int slot,
                                                       const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(WorkerEntry * worker, Registered(id));
  if (slot < 0 || slot >= worker->worker.slots) {
    return InvalidArgument(fmt::format("slot {}: worker {} has slots 0 to {}", slot, id.text(),
                                       worker->worker.slots - 1));
  }
  for (const JobId& leased : worker->leased) {
    JobEntry& job = jobs_.at(leased);
    if (job.live->slot != slot) continue;
    job.live->deadline = now.monotonic + options_.lease + options_.grace;
    return Acquired{AssignmentOf(job), ""};
  }
  if (worker->worker.state != WorkerState::kOnline ||
      static_cast<int>(worker->leased.size()) >= worker->worker.slots) {
    return Acquired{std::nullopt, WhyIdle(*worker)};
  }
  JobEntry* job = BestJobFor(*worker, now);
  if (job == nullptr) return Acquired{std::nullopt, WhyIdle(*worker)};
  StartAttempt(*job, *worker, slot, now, changes);
  return Acquired{AssignmentOf(*job), ""};
}

// Of a GPU's memory nothing is known here.
std::string Scheduler::WhyTooSmall(const JobEntry& job, const WorkerEntry& worker) const {
  const std::int64_t slot_bytes = worker.worker.memory_bytes / worker.worker.slots;
  if (worker.worker.device != "cpu" || slot_bytes == 0 || job.run->memory_bytes <= slot_bytes) {
    return "";
  }
  return fmt::format("needs {} MiB of memory at least, a slot of worker {} has {} MiB",
                     job.run->memory_bytes >> 20, worker.worker.id.text(), slot_bytes >> 20);
}

// Why this worker may not take this queued job now; empty if it may.
std::string Scheduler::WhyBarred(const JobEntry& job, const WorkerEntry& worker,
                                 const Moment& now) const {
  const WorkerId& id = worker.worker.id;
  if (std::string why = WhyTooSmall(job, worker); !why.empty()) return why;
  if (job.local && job.local->worker != id &&
      now.monotonic < job.queued_at + options_.local_resume_hold) {
    const auto holder = workers_.find(job.local->worker);
    if (holder != workers_.end() && holder->second.worker.state == WorkerState::kOnline) {
      return fmt::format("held {} for worker {}'s local checkpoint of step {}",
                         Text(options_.local_resume_hold), job.local->worker.text(),
                         job.local->step);
    }
  }
  if (job.crashed.contains(id) && now.monotonic < job.queued_at + options_.retry_elsewhere_hold) {
    for (const auto& [other_id, other] : workers_) {
      if (other.worker.state != WorkerState::kOnline || job.crashed.contains(other_id)) continue;
      return fmt::format("crashed on worker {}; held {} for another worker", id.text(),
                         Text(options_.retry_elsewhere_hold));
    }
  }
  return "";
}

// The sweeps with queued jobs, in the order of whose turn it is.
std::vector<const SweepEntry*> Scheduler::Turns() const {
  std::vector<const SweepEntry*> turns;
  for (const auto& [order, sweep] : queued_) turns.push_back(sweep);
  std::sort(turns.begin(), turns.end(), [](const SweepEntry* a, const SweepEntry* b) {
    if (a->sweep.priority != b->sweep.priority) return a->sweep.priority > b->sweep.priority;
    const double a_share = a->leased / a->sweep.weight;
    const double b_share = b->leased / b->sweep.weight;
    return std::tie(a_share, a->order) < std::tie(b_share, b->order);
  });
  return turns;
}

// One with a local checkpoint goes first within a sweep's turn, whose share that is.
JobEntry* Scheduler::BestJobFor(const WorkerEntry& worker, const Moment& now) {
  for (const SweepEntry* sweep : Turns()) {
    for (const JobId& id : worker.local) {
      JobEntry& job = jobs_.at(id);
      if (job.position->sweep_order != sweep->order) continue;
      if (WhyBarred(job, worker, now).empty()) return &job;
    }
    if (JobEntry* job = LongestJobFor(worker, *sweep, now)) return job;
  }
  return nullptr;
}

// Of the longest of each pace the one that keeps this worker busy for longest.
JobEntry* Scheduler::LongestJobFor(const WorkerEntry& worker, const SweepEntry& sweep,
                                   const Moment& now) {
  constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::min();
  JobEntry* longest = nullptr;
  double longest_s = 0;
  auto at = queue_.lower_bound({sweep.order, 0, kLongest, JobId()});
  while (at != queue_.end() && at->sweep_order == sweep.order) {
    JobEntry& job = jobs_.at(at->job);
    if (!WhyBarred(job, worker, now).empty()) {
      ++at;
      continue;
    }
    const double seconds = SecondsLeft(job, worker.kind);
    if (longest == nullptr || seconds > longest_s ||
        (seconds == longest_s && job.job.id < longest->job.id)) {
      longest = &job;
      longest_s = seconds;
    }
    at = queue_.lower_bound({sweep.order, at->pace + 1, kLongest, JobId()});
  }
  return longest;
}

// Of training, to the end of a queued job's critical path.
double Scheduler::SecondsLeft(const JobEntry& job, const std::string& worker_kind) const {
  const RunConfig& config = job.run->run.config;
  const double tokens = static_cast<double>(-job.position->minus_steps) * config.batch *
                        static_cast<double>(config.model.context);
  return tokens * rates_.SecondsPerToken(worker_kind, job.run->pace->pace);
}

void Scheduler::NoteRate(const JobEntry& job, double tokens_per_s, bool ended, Changes& changes) {
  const std::string& kind = workers_.at(job.live->attempt.worker).kind;
  std::optional<TrainingRate> rate = rates_.With(kind, job.run->pace->pace, tokens_per_s, ended);
  if (!rate) return;
  rates_.Set(*rate);
  changes.push_back(RateMeasured{*std::move(rate)});
}

std::string Scheduler::WhyIdle(const WorkerEntry& worker) const {
  if (worker.worker.state != WorkerState::kOnline) {
    return fmt::format("this worker is {}: {}", WorkerStateName(worker.worker.state),
                       worker.worker.reason);
  }
  if (static_cast<int>(worker.leased.size()) >= worker.worker.slots) {
    return "every slot of this worker holds a lease";
  }
  if (queue_.empty()) return "no job is queued";
  return "every queued job is held for another worker";
}

std::string Scheduler::WhyQueued(const JobEntry& job, const Moment& now) const {
  const std::string before = job.job.reason.empty() ? "" : "; last attempt: " + job.job.reason;
  if (!job.position && FirstWanting(*job.run) == nullptr) {
    return "no live sweep wants it" + before;
  }
  if (!job.position && job.parent != nullptr && FirstLeasing(*job.run) != nullptr) {
    const JobEntry& trunk = *job.parent;
    return fmt::format("waits for step {} of run {}, whose trunk it shares", job.job.from,
                       trunk.run->run.key.Short()) +
           before;
  }
  if (!job.position) {
    for (const SweepEntry* sweep : job.run->sweeps) {
      if (!sweep->WantsRuns() || !sweep->sweep.paused) continue;
      return fmt::format("sweep {0} is paused; to go on: etude sweep resume {0}",
                         sweep->sweep.name) +
             before;
    }
    return "held out: it is predicted once every run of the fit has ended, and then trained" +
           before;
  }
  int online = 0;
  std::string barred;
  for (const auto& [id, worker] : workers_) {
    if (worker.worker.state != WorkerState::kOnline) continue;
    ++online;
    const std::string why = WhyBarred(job, worker, now);
    if (barred.empty()) barred = why;
    const bool free = static_cast<int>(worker.leased.size()) < worker.worker.slots;
    if (why.empty() && free) return "about to be leased" + before;
  }
  if (!barred.empty()) return barred + before;
  if (online > 0) return "waiting for a free slot" + before;
  const auto idle = [](const auto& item) {
    return item.second.worker.state == WorkerState::kQuarantined ||
           item.second.worker.state == WorkerState::kDraining;
  };
  if (std::any_of(workers_.begin(), workers_.end(), idle)) {
    return "every worker is draining or quarantined; see: etude worker ls" + before;
  }
  return "no worker online; start one: etude-worker" + before;
}

// How many attempts the job may have had, as far as any worker knows: a run that was deleted and
// submitted again has its jobs' names again.
int Scheduler::AttemptsOf(const JobEntry& job) const {
  const auto deleted = deleted_attempts_.find(job.run->run.key);
  return std::max({job.job.attempts, attempts_above_,
                   deleted == deleted_attempts_.end() ? 0 : deleted->second});
}

void Scheduler::StartAttempt(JobEntry& job, WorkerEntry& worker, int slot, const Moment& now,
                             Changes& changes) {
  const WorkerId& id = worker.worker.id;
  const std::optional<Checkpoint> resume = ResumePointOf(job);
  const std::int64_t uploaded = resume ? resume->step : 0;
  const std::vector<std::int64_t> missing = MissingBranches(job);
  // Points after the last one committed are lost with the attempt that made them, so a checkpoint
  // beyond them would leave a gap in the curve; one beyond a branch point would never pass it.
  const bool local = job.local && job.local->worker == id && job.local->step >= uploaded &&
                     job.local->step <= job.points_through &&
                     (missing.empty() || job.local->step < missing.front());
  SweepEntry* sweep = queued_.at(job.position->sweep_order);
  LiveAttempt live{.sweep = sweep,
                   .slot = slot,
                   .started = now.monotonic,
                   .deadline = now.monotonic + options_.lease + options_.grace};
  live.attempt.job = job.job.id;
  live.attempt.number = AttemptsOf(job) + 1;
  live.attempt.worker = id;
  live.attempt.start_step = local ? job.local->step : uploaded;
  live.attempt.started_at_us = now.wall_us;
  if (local) live.local_attempt = job.local->attempt;
  if (!local) live.checkpoint = resume;
  const std::int64_t start = live.attempt.start_step;
  if (start > job.last_start_step) job.infrastructure_failures = 0;
  job.last_start_step = start;
  job.points_through = start;
  job.job.attempts = live.attempt.number;
  Dequeue(job);
  if (!local) NoteLocal(job, std::nullopt);
  changes.push_back(AttemptStarted{live.attempt});
  job.live = std::move(live);
  ++sweep->leased;
  worker.leased.insert(job.job.id);
  leased_.insert(job.job.id);
  ChangeJob(job, JobState::kLeased, "", changes);
  if (job.run->run.state != RunState::kRunning) {
    ChangeRun(*job.run, RunState::kRunning, "", now, changes);
  }
  Settle(now, changes);
}

Assignment Scheduler::AssignmentOf(const JobEntry& job) const {
  const RunConfig& config = job.run->run.config;
  return Assignment{.job = job.job.id,
                    .attempt = job.live->attempt.number,
                    .run = job.run->run.key,
                    .config = config,
                    .to = job.job.to,
                    .corpus = corpora_.at(config.corpus),
                    .start_step = job.live->attempt.start_step,
                    .local_attempt = job.live->local_attempt,
                    .checkpoint = job.live->checkpoint,
                    .branch_steps = BranchStepsOf(job)};
}

// What an attempt reports.

absl::StatusOr<bool> Scheduler::AddPoints(const WorkerId& worker, const JobId& id, int attempt,
                                          std::vector<LossPoint> points, Changes& changes) {
  ASSIGN_OR_RETURN(JobEntry * job, FindJob(id));
  if (!IsLive(*job, attempt) || job->live->attempt.worker != worker) return false;
  std::int64_t through = job->points_through;
  double tokens_per_s = 0;
  for (const LossPoint& point : points) {
    if (point.step > job->job.to) {
      return InvalidArgument(fmt::format("loss point at step {} of job {}, which ends at {}",
                                         point.step, id.Short(), job->job.to));
    }
    if (point.series == Series::kTrain) through = std::max(through, point.step);
    if (point.series == Series::kTokensPerSecond) tokens_per_s = point.value;
  }
  if (tokens_per_s > 0) NoteRate(*job, tokens_per_s, /*ended=*/false, changes);
  job->points_through = through;
  if (!points.empty()) changes.push_back(PointsAdded{id, attempt, std::move(points)});
  return true;
}

absl::Status Scheduler::CommitCheckpoint(const WorkerId& worker, const Checkpoint& checkpoint,
                                         const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(JobEntry * job, FindJob(checkpoint.job));
  if (!IsLive(*job, checkpoint.attempt) || job->live->attempt.worker != worker) {
    return AttemptIsOver(checkpoint.job, checkpoint.attempt);
  }
  // The best weights may be of its trunk.
  const std::int64_t first = checkpoint.kind == CheckpointKind::kBest ? 1 : job->job.from + 1;
  if (checkpoint.step < first || checkpoint.step > job->job.to) {
    return InvalidArgument(fmt::format("checkpoint of step {}: job {} trains steps {} to {}",
                                       checkpoint.step, checkpoint.job.Short(), job->job.from + 1,
                                       job->job.to));
  }
  const bool resume = checkpoint.kind == CheckpointKind::kResume;
  if (resume || checkpoint.kind == CheckpointKind::kBranch) {
    if (checkpoint.step > job->points_through) {
      return FailedPrecondition(fmt::format(
          "checkpoint of step {} of job {}: training points are committed through step {} only; "
          "report the others first",
          checkpoint.step, checkpoint.job.Short(), job->points_through));
    }
  }
  if (resume) {
    const std::vector<std::int64_t> missing = MissingBranches(*job);
    if (!missing.empty() && missing.front() <= checkpoint.step) {
      return FailedPrecondition(fmt::format(
          "checkpoint of step {} of job {}: commit the branch point of step {} first, for which "
          "other jobs wait",
          checkpoint.step, checkpoint.job.Short(), missing.front()));
    }
    if (job->resume && job->resume->step >= checkpoint.step) return absl::OkStatus();
    job->resume = checkpoint;
  }
  if (checkpoint.kind == CheckpointKind::kBranch) CommitBranchPoint(*job, checkpoint);
  changes.push_back(CheckpointAdded{checkpoint, now.wall_us});
  return absl::OkStatus();
}

absl::Status Scheduler::CheckHeld(const WorkerId& worker, const JobId& id, int attempt) {
  ASSIGN_OR_RETURN(const JobEntry* job, FindJob(id));
  const bool held = IsLive(*job, attempt) && job->live->attempt.worker == worker;
  return held ? absl::OkStatus() : AttemptIsOver(id, attempt);
}

void Scheduler::LoseBlob(const std::string& sha256, const Moment& now, Changes& changes) {
  const auto needs = [&sha256](const std::optional<Checkpoint>& checkpoint) {
    return checkpoint &&
           std::any_of(checkpoint->files.begin(), checkpoint->files.end(),
                       [&](const ArtifactFile& file) { return file.sha256 == sha256; });
  };
  for (auto& [id, job] : jobs_) {
    if (needs(job.resume) && !IsTerminal(job.job.state)) {
      changes.push_back(CheckpointLost{id, CheckpointKind::kResume, job.resume->step});
      job.resume.reset();
    }
    for (auto& [step, point] : job.branches) {
      if (needs(point.checkpoint)) LoseBranchPoint(job, step, now, changes);
    }
  }
  Settle(now, changes);
}

// The end of an attempt.

absl::Status Scheduler::Finish(const FinishedAttempt& end, const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(JobEntry * job, FindJob(end.job));
  if (!IsLive(*job, end.attempt) || job->live->attempt.worker != end.worker) {
    const bool repeated =
        job->job.state == JobState::kSucceeded && job->job.attempts == end.attempt;
    if (end.outcome != JobOutcome::kSucceeded || repeated) return absl::OkStatus();
    return AttemptIsOver(end.job, end.attempt);
  }
  if (end.outcome != JobOutcome::kSucceeded) {
    EndAttempt(*job, end, now, changes);
    NoteLocal(*job, end.local_step > 0
                        ? std::optional(LocalCheckpoint{end.worker, end.attempt, end.local_step})
                        : std::nullopt);
    AfterFailure(*job, end.outcome, ReasonOf(end), end.worker, now, changes);
    Settle(now, changes);
    return absl::OkStatus();
  }
  if (!end.result || !std::isfinite(end.result->val_loss)) {
    return InvalidArgument("success of job " + end.job.Short() + " needs a finite result");
  }
  if (job->points_through < job->job.to) {
    return FailedPrecondition(fmt::format(
        "success of job {}: training points are committed through step {} of {} only; report the "
        "others first",
        end.job.Short(), job->points_through, job->job.to));
  }
  NoteRate(*job, end.result->tokens_per_s, /*ended=*/true, changes);
  EndAttempt(*job, end, now, changes);
  ChangeJob(*job, JobState::kSucceeded, "", changes);
  workers_.at(end.worker).failed_in_a_row.clear();
  if (job == job->run->last_job) {
    ChangeRun(*job->run, RunState::kSucceeded, "", now, changes, end.result);
  }
  Settle(now, changes);
  return absl::OkStatus();
}

void Scheduler::EndAttempt(JobEntry& job, const FinishedAttempt& end, const Moment& now,
                           Changes& changes) {
  const double seconds = absl::ToDoubleSeconds(now.monotonic - job.live->started);
  for (SweepEntry* sweep : job.run->sweeps) sweep->worker_seconds += seconds;
  workers_.at(job.live->attempt.worker).leased.erase(job.job.id);
  leased_.erase(job.job.id);
  --job.live->sweep->leased;
  job.live.reset();
  changes.push_back(AttemptEnded{end.job, end.attempt, end.outcome, end.reason, end.numerics,
                                 end.artifacts, now.wall_us});
}

// The caller then changes the job's state.
void Scheduler::EndLost(JobEntry& job, JobOutcome outcome, const std::string& reason,
                        const Moment& now, Changes& changes) {
  EndAttempt(job,
             FinishedAttempt{.worker = job.live->attempt.worker,
                             .job = job.job.id,
                             .attempt = job.live->attempt.number,
                             .outcome = outcome,
                             .reason = reason},
             now, changes);
}

void Scheduler::AfterFailure(JobEntry& job, JobOutcome outcome, const std::string& reason,
                             const WorkerId& worker, const Moment& now, Changes& changes) {
  switch (ClassOf(outcome)) {
    case FailureClass::kNone:
    case FailureClass::kInfrastructure:
      ++job.infrastructure_failures;
      RetryOrFail(job, job.infrastructure_failures <= options_.max_infrastructure_retries, reason,
                  fmt::format("lost {} times without getting further", job.infrastructure_failures),
                  now, changes);
      break;
    case FailureClass::kDeterministic:
      RetryOrFail(job, false, reason, "", now, changes);
      break;
    case FailureClass::kUnknown:
      ++job.job.counted_failures;
      job.crashed[worker] = reason;
      RetryOrFail(job, job.job.counted_failures < options_.max_counted_failures, reason,
                  fmt::format("failed {} times", job.job.counted_failures), now, changes);
      break;
  }
  if (IsWorkersFault(outcome)) Blame(workers_.at(worker), job.job.id, now, changes);
}

void Scheduler::RetryOrFail(JobEntry& job, bool retry, const std::string& reason,
                            const std::string& give_up, const Moment& now, Changes& changes) {
  if (!retry) {
    const std::string why = give_up.empty() ? reason : give_up + ", the last time " + reason;
    ChangeJob(job, JobState::kFailed, why, changes);
    ChangeRun(*job.run, RunState::kFailed, why, now, changes);
    return;
  }
  if (FirstWanting(*job.run) == nullptr) {
    CancelRun(*job.run, "no live sweep wants it; " + reason, now, changes);
    return;
  }
  job.queued_at = now.monotonic;
  ChangeJob(job, JobState::kQueued, reason, changes);
  ChangeRun(*job.run, RunState::kQueued, reason, now, changes);
}

void Scheduler::Blame(WorkerEntry& worker, const JobId& job, const Moment& now, Changes& changes) {
  worker.failed_in_a_row.insert(job);
  if (static_cast<int>(worker.failed_in_a_row.size()) < options_.quarantine_after) return;
  worker.quarantined_until = now.monotonic + options_.quarantine;
  ReviewWorker(worker, now, changes);
}

}  // namespace etude
