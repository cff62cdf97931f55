// Sweeps, runs and corpora; what workers do is in scheduler_attempts.cc.
#include "coordinator/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/counts.h"
#include "lib/scaling/trunk.h"

namespace etude {
namespace {

constexpr double kSecondsPerHour = 3600;

// What training takes for sure; of the activations, which are known within a factor of two, half.
std::int64_t LeastMemory(const RunConfig& config) {
  const TrainingMemory memory = CountTrainingMemory(config);
  return kTrainerBaseBytes + memory.weights_bytes + memory.gradients_bytes + memory.moments_bytes +
         memory.activations_estimate_bytes / 2;
}

Run MakeRun(const RunKey& key, const RunConfig& config, const Moment& now) {
  Run run;
  run.key = key;
  run.config = config;
  run.created_at_us = now.wall_us;
  return run;
}

template <typename Map>
auto* Find(Map& map, const typename std::remove_const_t<Map>::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

// Entries by their text while the state is read: three look-ups a run in a map of long texts are
// most of a restart otherwise. The texts belong to the entries.
template <typename Entry>
class TextIndex {
 public:
  void Add(std::string_view text, Entry* entry) { entries_.emplace(text, entry); }
  Entry* Find(std::string_view text) const {
    const auto found = entries_.find(text);
    return found == entries_.end() ? nullptr : found->second;
  }

 private:
  std::unordered_map<std::string_view, Entry*> entries_;
};

// In the order of their ids, so that each goes to the end of its map.
template <typename Noun, typename Id>
std::vector<Noun*> Sorted(std::vector<Noun>& nouns, Id Noun::*id) {
  std::vector<Noun*> sorted;
  sorted.reserve(nouns.size());
  for (Noun& noun : nouns) sorted.push_back(&noun);
  std::sort(sorted.begin(), sorted.end(),
            [id](const Noun* a, const Noun* b) { return a->*id < b->*id; });
  return sorted;
}

bool IsHeldOut(const RunEntry& run) {
  return std::any_of(run.sweeps.begin(), run.sweeps.end(), [&run](const SweepEntry* sweep) {
    return sweep->HeldOutStateOf(run.run.key).has_value();
  });
}

absl::Status Contradiction(const std::string& what) {
  return DataLoss("stored state contradicts itself: " + what +
                  "; restore a backup of the state directory");
}

}  // namespace

// Start-up.

absl::Status Scheduler::Restore(StoredState state, const Moment& now) {
  ENSURE(runs_.empty() && sweeps_.empty());
  attempts_above_ = state.attempts_above;
  for (TrainingRate& rate : state.rates) rates_.Set(std::move(rate));
  for (const StoredState::DeletedRun& run : state.deleted_runs) {
    deleted_attempts_[run.run] = run.attempts;
  }
  for (Corpus& corpus : state.corpora) {
    corpus_names_[corpus.name] = corpus.id;
    corpora_[corpus.id] = std::move(corpus);
  }
  RETURN_IF_ERROR(RestoreRuns(state, now));
  RETURN_IF_ERROR(RestoreSweeps(state));
  RETURN_IF_ERROR(RestoreWorkers(state, now));
  for (auto& [id, job] : jobs_) {
    if (job.job.state == JobState::kQueued) Enqueue(job);
    if (job.job.state == JobState::kLeased && !job.live) {
      return Contradiction("job " + id.text() + " is leased and has no live attempt");
    }
  }
  return absl::OkStatus();
}

absl::Status Scheduler::RestoreRuns(StoredState& state, const Moment& now) {
  TextIndex<RunEntry> runs;
  for (Run* run : Sorted(state.runs, &Run::key)) {
    RunEntry& entry = InsertRun(std::move(*run), runs_.end());
    runs.Add(entry.run.key.text(), &entry);
  }
  TextIndex<JobEntry> jobs;
  for (Job* job : Sorted(state.jobs, &Job::id)) {
    RunEntry* run = runs.Find(job->run.text());
    if (run == nullptr) return Contradiction("job " + job->id.text() + " has no run");
    JobEntry& entry = InsertJob(std::move(*job), *run, now);
    jobs.Add(entry.job.id.text(), &entry);
  }
  std::unordered_map<const RunEntry*, int> last_ordinal;
  for (const Segment& segment : state.segments) {
    RunEntry* run = runs.Find(segment.run.text());
    JobEntry* job = jobs.Find(segment.job.text());
    if (run == nullptr || job == nullptr) {
      return Contradiction("a segment names job " + segment.job.text());
    }
    const auto [last, first_of_run] = last_ordinal.try_emplace(run, segment.ordinal);
    if (!first_of_run && segment.ordinal < last->second) continue;
    last->second = segment.ordinal;
    run->last_job = job;
  }
  for (Checkpoint& checkpoint : state.checkpoints) {
    JobEntry* job = Find(jobs_, checkpoint.job);
    if (job != nullptr && checkpoint.kind == CheckpointKind::kResume) {
      job->resume = std::move(checkpoint);
    }
  }
  for (const StoredState::PointsThrough& points : state.points_through) {
    if (JobEntry* job = Find(jobs_, points.job)) job->points_through = points.step;
  }
  return RestoreTrunks(state);
}

absl::Status Scheduler::RestoreSweeps(StoredState& state) {
  for (Sweep& stored : state.sweeps) {
    SweepEntry& sweep = InsertSweep(std::move(stored));
    for (const RunKey& key : sweep.sweep.runs) {
      RunEntry* run = Find(runs_, key);
      if (run == nullptr) return Contradiction("run " + key.text() + " is missing");
      LinkRun(sweep, *run);
      sweep.worker_seconds += OwnSeconds(*run);
    }
    sweep.stopped = sweep.sweep.state == SweepState::kActive && !sweep.sweep.reason.empty();
  }
  for (const StoredState::Predicted& predicted : state.predicted) {
    SweepEntry* sweep = Find(sweeps_, predicted.sweep);
    if (sweep == nullptr || !sweep->held_out.contains(predicted.run)) {
      return Contradiction("a prediction for run " + predicted.run.text());
    }
    sweep->held_out[predicted.run] = HeldOut::kPredicted;
  }
  return absl::OkStatus();
}

absl::Status Scheduler::RestoreWorkers(const StoredState& state, const Moment& now) {
  for (const Worker& worker : state.workers) {
    WorkerEntry& entry = workers_[worker.id];
    entry.worker = worker;
    entry.kind = WorkerKind(worker);
    entry.last_seen = now.monotonic;
    if (worker.state == WorkerState::kQuarantined) {
      entry.quarantined_until = now.monotonic + options_.quarantine;
    }
  }
  for (const Attempt& attempt : state.live_attempts) {
    JobEntry* job = Find(jobs_, attempt.job);
    WorkerEntry* worker = Find(workers_, attempt.worker);
    if (job == nullptr || worker == nullptr || job->job.state != JobState::kLeased) {
      return Contradiction("a live attempt of job " + attempt.job.text());
    }
    SweepEntry* sweep = TrainedFor(*job->run);
    ++sweep->leased;
    const bool over = attempt.number <= attempts_above_;
    job->live = LiveAttempt{
        .attempt = attempt,
        .sweep = sweep,
        .slot = kUnknownSlot,
        .started = now.monotonic,
        .deadline = over ? now.monotonic : now.monotonic + options_.lease + options_.grace};
    job->last_start_step = attempt.start_step;
    worker->leased.insert(attempt.job);
    leased_.insert(attempt.job);
  }
  return absl::OkStatus();
}

SweepEntry& Scheduler::InsertSweep(Sweep sweep) {
  const SweepId id = sweep.id;
  sweep_names_[sweep.name] = id;
  SweepEntry& entry = sweeps_[id];
  entry.sweep = std::move(sweep);
  entry.sweep.spec_toml.clear();
  entry.sweep.resolved_json.clear();
  for (const RunKey& run : entry.sweep.held_out) entry.held_out[run] = HeldOut::kAwaiting;
  entry.order = next_order_++;
  unsettled_[entry.order] = &entry;
  return entry;
}

// `place`: before which it goes, if the caller knows.
RunEntry& Scheduler::InsertRun(Run run, std::map<RunKey, RunEntry>::iterator place) {
  RunEntry& entry = runs_.try_emplace(place, run.key)->second;
  entry.trunk = TrunkHash(run.config);
  entry.pace = &PaceEntryOf(run.config);
  entry.memory_bytes = LeastMemory(run.config);
  entry.run = std::move(run);
  if (BranchStep(entry.run.config) > 0) trunks_.emplace(entry.trunk, &entry);
  ++runs_by_state_[static_cast<std::size_t>(entry.run.state)];
  return entry;
}

const PaceEntry& Scheduler::PaceEntryOf(const RunConfig& config) {
  Pace pace = PaceOf(config);
  const int number = static_cast<int>(paces_.size());
  std::string text = pace.text;
  return paces_.try_emplace(std::move(text), PaceEntry{std::move(pace), number}).first->second;
}

JobEntry& Scheduler::InsertJob(Job job, RunEntry& run, const Moment& now) {
  const JobId id = job.id;
  JobEntry& entry = jobs_.try_emplace(jobs_.end(), id)->second;
  entry.job = std::move(job);
  entry.run = &run;
  entry.queued_at = now.monotonic;
  run.jobs.push_back(&entry);
  return entry;
}

// What the run's own jobs took; its result counts what its trunk took, too.
double Scheduler::OwnSeconds(const RunEntry& run) {
  if (!run.run.result) return 0;
  const Job& job = run.last_job->job;
  const double own_share = static_cast<double>(job.to - job.from) / static_cast<double>(job.to);
  return own_share * (run.run.result->train_seconds + run.run.result->eval_seconds);
}

// The order in which jobs are made: the longest first, since the shorter ones branch off it, and
// those last from which none may branch.
void Scheduler::SortByLength(std::vector<RunEntry*>& runs) {
  std::stable_sort(runs.begin(), runs.end(), [](const RunEntry* a, const RunEntry* b) {
    return std::tuple(IsHeldOut(*a), -a->run.config.steps) <
           std::tuple(IsHeldOut(*b), -b->run.config.steps);
  });
}

void Scheduler::LinkRun(SweepEntry& sweep, RunEntry& run) {
  sweep.runs.push_back(&run);
  run.sweeps.push_back(&sweep);
  sweep.terminal_runs += IsTerminal(run.run.state) ? 1 : 0;
  sweep.failed_runs += run.run.state == RunState::kFailed ? 1 : 0;
}

// What a client asks for.

absl::StatusOr<bool> Scheduler::AddCorpus(const Corpus& corpus, const Moment& now,
                                          Changes& changes) {
  if (const CorpusId* known = Find(corpus_names_, corpus.name)) {
    if (*known == corpus.id) return false;
    return AlreadyExists(fmt::format(
        "corpus name {} stands for {}, not {}; push it under another name: etude corpus push DIR "
        "--name NAME",
        corpus.name, known->Short(), corpus.id.Short()));
  }
  corpus_names_[corpus.name] = corpus.id;
  corpora_.try_emplace(corpus.id, corpus);
  changes.push_back(CorpusAdded{corpus, now.wall_us});
  return true;
}

absl::Status Scheduler::CheckSubmission(const Sweep& sweep,
                                        const std::vector<RunConfig>& configs) const {
  if (!corpora_.contains(sweep.corpus)) {
    return NotFound(
        fmt::format("corpus {} is not here; push it: etude corpus push DIR", sweep.corpus.Short()));
  }
  if (const SweepId* known = Find(sweep_names_, sweep.name)) {
    return AlreadyExists(
        fmt::format("a sweep named {} with other content is here already ({}); choose another "
                    "name, or look at it: etude sweep show {}",
                    sweep.name, known->Short(), sweep.name));
  }
  if (configs.empty()) return InvalidArgument("sweep " + sweep.name + " has no runs");
  if (runs_.size() + configs.size() > kMaxKnownRuns) {
    return ResourceExhausted(fmt::format("the coordinator knows {} runs and takes at most {}",
                                         runs_.size(), kMaxKnownRuns));
  }
  return absl::OkStatus();
}

absl::StatusOr<Scheduler::Submitted> Scheduler::Submit(Sweep sweep,
                                                       const std::vector<RunConfig>& configs,
                                                       const Moment& now, Changes& changes) {
  if (SweepEntry* known = Find(sweeps_, sweep.id)) {
    if (known->sweep.state == SweepState::kCancelled) Revive(*known, now, changes);
    return Submitted{sweep.id, false, static_cast<int>(known->runs.size())};
  }
  RETURN_IF_ERROR(CheckSubmission(sweep, configs));
  // What was planned has its keys; who submits configs alone gets them here.
  const std::vector<RunKey> keys = std::exchange(sweep.runs, {});
  sweep.created_at_us = now.wall_us;
  Submitted reply{sweep.id, true, 0};
  SweepAdded added;
  std::vector<RunEntry*> runs;
  std::vector<RunEntry*> made;
  std::unordered_set<const RunEntry*> seen;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const RunConfig& config = configs[i];
    const RunKey key = keys.size() == configs.size() ? keys[i] : KeyOf(config);
    const auto place = runs_.lower_bound(key);
    const bool known = place != runs_.end() && place->first == key;
    RunEntry& run = known ? place->second : InsertRun(MakeRun(key, config, now), place);
    if (!seen.insert(&run).second) continue;
    sweep.runs.push_back(key);
    runs.push_back(&run);
    if (known) {
      ++reply.runs_shared;
    } else {
      added.new_runs.push_back(run.run);
      made.push_back(&run);
    }
  }
  // The texts, which may have many megabytes, are not copied.
  added.sweep.spec_toml = std::exchange(sweep.spec_toml, {});
  added.sweep.resolved_json = std::exchange(sweep.resolved_json, {});
  SweepEntry& entry = InsertSweep(sweep);
  sweep.spec_toml = std::move(added.sweep.spec_toml);
  sweep.resolved_json = std::move(added.sweep.resolved_json);
  added.sweep = std::move(sweep);
  for (RunEntry* run : runs) LinkRun(entry, *run);
  SortByLength(made);
  for (RunEntry* run : made) {
    const JobEntry& job = AddJob(*run, now);
    added.new_jobs.push_back(job.job);
    for (Segment& segment : PathOf(job)) added.new_segments.push_back(std::move(segment));
  }
  changes.push_back(std::move(added));
  std::vector<RunEntry*> cancelled;
  for (RunEntry* run : runs) {
    if (run->run.state == RunState::kCancelled) cancelled.push_back(run);
  }
  ReviveRuns(std::move(cancelled), now, changes);
  Requeue(entry);
  Settle(now, changes);
  return reply;
}

void Scheduler::Revive(SweepEntry& sweep, const Moment& now, Changes& changes) {
  sweep.sweep.paused = false;
  Reopen(sweep, now, changes);
  std::vector<RunEntry*> cancelled;
  for (RunEntry* run : sweep.runs) {
    if (run->run.state == RunState::kCancelled) cancelled.push_back(run);
  }
  ReviveRuns(std::move(cancelled), now, changes);
  Requeue(sweep);
  Settle(now, changes);
}

void Scheduler::ReviveRuns(std::vector<RunEntry*> runs, const Moment& now, Changes& changes) {
  SortByLength(runs);
  for (RunEntry* run : runs) ReviveRun(*run, now, changes);
}

void Scheduler::ReviveRun(RunEntry& run, const Moment& now, Changes& changes) {
  const JobEntry& job = AddJob(run, now);
  changes.push_back(JobAdded{job.job, PathOf(job)});
  ChangeRun(run, RunState::kQueued, "", now, changes);
}

absl::StatusOr<SweepEntry*> Scheduler::FindSweep(const SweepId& id) {
  SweepEntry* sweep = Find(sweeps_, id);
  if (sweep == nullptr) return NotFound("no sweep " + id.Short() + "; see: etude sweep ls");
  return sweep;
}

absl::StatusOr<SweepEntry*> Scheduler::FindActive(const SweepId& id) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindSweep(id));
  if (sweep->sweep.state == SweepState::kActive) return sweep;
  return FailedPrecondition(
      fmt::format("sweep {} is {}; to start its runs again: etude sweep retry {}",
                  sweep->sweep.name, SweepStateName(sweep->sweep.state), sweep->sweep.name));
}

absl::StatusOr<RunEntry*> Scheduler::FindRun(const RunKey& key) {
  RunEntry* run = Find(runs_, key);
  if (run == nullptr) return NotFound("no run " + key.Short() + "; see: etude run ls");
  return run;
}

absl::Status Scheduler::PauseSweep(const SweepId& id, bool paused, const Moment& now,
                                   Changes& changes) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindActive(id));
  if (sweep->sweep.paused == paused) return absl::OkStatus();
  sweep->sweep.paused = paused;
  ChangeSweep(*sweep, SweepState::kActive, sweep->sweep.reason, now, changes);
  Requeue(*sweep);
  Settle(now, changes);
  return absl::OkStatus();
}

absl::Status Scheduler::StopSweep(const SweepId& id, const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindActive(id));
  if (!sweep->stopped) StopSweep(*sweep, "by request", now, changes);
  Settle(now, changes);
  return absl::OkStatus();
}

absl::Status Scheduler::SetTurn(const SweepId& id, int priority, double weight, Changes& changes) {
  if (priority < -kMaxSweepPriority || priority > kMaxSweepPriority) {
    return InvalidArgument(
        fmt::format("priority {}: {} to {}", priority, -kMaxSweepPriority, kMaxSweepPriority));
  }
  if (!(weight >= kMinSweepWeight && weight <= kMaxSweepWeight)) {
    return InvalidArgument(
        fmt::format("weight {}: {} to {}", weight, kMinSweepWeight, kMaxSweepWeight));
  }
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindSweep(id));
  sweep->sweep.priority = priority;
  sweep->sweep.weight = weight;
  const std::int64_t finished_at_us = sweep->sweep.finished_at_us;
  changes.push_back(SweepChanged{id, sweep->sweep.state, sweep->sweep.reason, finished_at_us,
                                 sweep->sweep.paused, priority, weight});
  Requeue(*sweep);
  return absl::OkStatus();
}

// Gives its queued jobs their places anew.
void Scheduler::Requeue(SweepEntry& sweep) {
  for (RunEntry* run : sweep.runs) {
    if (run->last_job->job.state == JobState::kQueued) KeepQueued(*run->last_job);
  }
}

// A sweep with a run that starts again is active again.
void Scheduler::Reopen(SweepEntry& sweep, const Moment& now, Changes& changes) {
  sweep.stopped = false;
  for (auto& [run, state] : sweep.held_out) {
    if (state == HeldOut::kUnpredictable) state = HeldOut::kAwaiting;
  }
  ChangeSweep(sweep, SweepState::kActive, "", now, changes);
}

absl::StatusOr<int> Scheduler::RetrySweep(const SweepId& id, bool failed_only, const Moment& now,
                                          Changes& changes) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindSweep(id));
  std::vector<RunEntry*> runs;
  for (RunEntry* run : sweep->runs) {
    const bool cancelled = run->run.state == RunState::kCancelled && !failed_only;
    if (run->run.state == RunState::kFailed || cancelled) runs.push_back(run);
  }
  if (runs.empty()) return 0;
  Reopen(*sweep, now, changes);
  ReviveRuns(runs, now, changes);
  Requeue(*sweep);
  Settle(now, changes);
  return static_cast<int>(runs.size());
}

absl::Status Scheduler::CancelRun(const RunKey& key, const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(RunEntry * run, FindRun(key));
  if (!IsTerminal(run->run.state)) CancelRun(*run, "cancelled by request", now, changes);
  Settle(now, changes);
  return absl::OkStatus();
}

absl::Status Scheduler::RetryRun(const RunKey& key, const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(RunEntry * run, FindRun(key));
  if (run->run.state != RunState::kFailed && run->run.state != RunState::kCancelled) {
    return FailedPrecondition(
        fmt::format("run {} is {}; one that failed or was cancelled can be "
                    "started again",
                    key.Short(), RunStateName(run->run.state)));
  }
  bool wanted = false;
  for (SweepEntry* sweep : run->sweeps) {
    if (sweep->sweep.state == SweepState::kCancelled) continue;
    wanted = true;
    Reopen(*sweep, now, changes);
  }
  if (!wanted) {
    return FailedPrecondition("every sweep that has run " + key.Short() +
                              " was cancelled; start one of them again: etude sweep retry SWEEP");
  }
  ReviveRun(*run, now, changes);
  Enqueue(*run->last_job);
  Settle(now, changes);
  return absl::OkStatus();
}

absl::Status Scheduler::CancelSweep(const SweepId& id, const Moment& now, Changes& changes) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindSweep(id));
  if (sweep->sweep.state != SweepState::kActive) return absl::OkStatus();
  ChangeSweep(*sweep, SweepState::kCancelled, "cancelled by request", now, changes);
  CancelUnwanted(*sweep, false, "sweep " + sweep->sweep.name + " was cancelled", now, changes);
  Settle(now, changes);
  return absl::OkStatus();
}

void Scheduler::StopSweep(SweepEntry& sweep, const std::string& reason, const Moment& now,
                          Changes& changes) {
  sweep.stopped = true;
  ChangeSweep(sweep, SweepState::kActive, "stopped: " + reason, now, changes);
  CancelUnwanted(sweep, true, fmt::format("sweep {} stopped: {}", sweep.sweep.name, reason), now,
                 changes);
}

void Scheduler::CancelUnwanted(SweepEntry& sweep, bool queued_only, const std::string& reason,
                               const Moment& now, Changes& changes) {
  for (RunEntry* run : sweep.runs) {
    if (IsTerminal(run->run.state)) continue;
    const bool queued = run->last_job->job.state == JobState::kQueued;
    if (FirstWanting(*run) != nullptr) {
      if (queued) KeepQueued(*run->last_job);
    } else if (queued || !queued_only) {
      CancelRun(*run, reason, now, changes);
    }
  }
}

void Scheduler::CancelRun(RunEntry& run, const std::string& reason, const Moment& now,
                          Changes& changes) {
  for (JobEntry* job : run.jobs) {
    if (IsTerminal(job->job.state)) continue;
    if (job->live) EndLost(*job, JobOutcome::kCancelled, reason, now, changes);
    ChangeJob(*job, JobState::kCancelled, reason, changes);
  }
  ChangeRun(run, RunState::kCancelled, reason, now, changes);
}

// Transitions.

void Scheduler::ChangeRun(RunEntry& run, RunState state, const std::string& reason,
                          const Moment& now, Changes& changes, std::optional<RunResult> result) {
  const RunState before = run.run.state;
  --runs_by_state_[static_cast<std::size_t>(before)];
  ++runs_by_state_[static_cast<std::size_t>(state)];
  run.run.state = state;
  run.run.reason = reason;
  run.run.result = result;
  run.run.finished_at_us = IsTerminal(state) ? now.wall_us : 0;
  changes.push_back(
      RunChanged{run.run.key, state, reason, std::move(result), run.run.finished_at_us});
  for (SweepEntry* sweep : run.sweeps) {
    sweep->terminal_runs += (IsTerminal(state) ? 1 : 0) - (IsTerminal(before) ? 1 : 0);
    sweep->failed_runs +=
        (state == RunState::kFailed ? 1 : 0) - (before == RunState::kFailed ? 1 : 0);
    unsettled_[sweep->order] = sweep;
  }
}

void Scheduler::ChangeJob(JobEntry& job, JobState state, const std::string& reason,
                          Changes& changes) {
  if (job.position) Dequeue(job);
  job.job.state = state;
  job.job.reason = reason;
  if (state == JobState::kQueued) Enqueue(job);
  changes.push_back(JobChanged{job.job});
  if (!IsTerminal(state)) return;
  OrphanChildren(job);
  if (job.parent != nullptr && job.path_end > job.parent->job.to) ReviewPath(*job.parent);
}

void Scheduler::ChangeSweep(SweepEntry& sweep, SweepState state, const std::string& reason,
                            const Moment& now, Changes& changes) {
  sweep.sweep.state = state;
  sweep.sweep.reason = reason;
  sweep.sweep.finished_at_us = state == SweepState::kActive ? 0 : now.wall_us;
  changes.push_back(SweepChanged{sweep.sweep.id, state, reason, sweep.sweep.finished_at_us,
                                 sweep.sweep.paused, sweep.sweep.priority, sweep.sweep.weight});
  unsettled_[sweep.order] = &sweep;
}

// A job that no sweep may train now, as one that waits for its prediction or its trunk, gets no
// place.
void Scheduler::Enqueue(JobEntry& job) {
  if (job.position) Dequeue(job);
  job.path_end = PathEnd(job);
  SweepEntry* sweep = FirstLeasing(*job.run);
  if (sweep == nullptr) return;
  if (AwaitsTrunk(job)) {
    if (job.path_end > job.parent->path_end) ReviewPath(*job.parent);
    return;
  }
  const std::int64_t start = std::max(job.job.from, job.resume ? job.resume->step : 0);
  job.position =
      QueuePosition{sweep->order, job.run->pace->number, start - job.path_end, job.job.id};
  queue_.insert(*job.position);
  ++sweep->queued;
  queued_[sweep->order] = sweep;
  WorkerEntry* holder = job.local ? Find(workers_, job.local->worker) : nullptr;
  if (holder != nullptr) holder->local.insert(job.job.id);
}

void Scheduler::Dequeue(JobEntry& job) {
  SweepEntry& sweep = *queued_.at(job.position->sweep_order);
  if (--sweep.queued == 0) queued_.erase(sweep.order);
  queue_.erase(*job.position);
  job.position.reset();
  WorkerEntry* holder = job.local ? Find(workers_, job.local->worker) : nullptr;
  if (holder != nullptr) holder->local.erase(job.job.id);
}

SweepEntry* Scheduler::FirstWanting(const RunEntry& run) const {
  for (SweepEntry* sweep : run.sweeps) {
    const auto held_out = sweep->HeldOutStateOf(run.run.key);
    if (sweep->WantsRuns() && held_out != HeldOut::kUnpredictable) return sweep;
  }
  return nullptr;
}

// The sweep of the highest priority for which the run may be trained now, the first of those.
SweepEntry* Scheduler::FirstLeasing(const RunEntry& run) const {
  SweepEntry* first = nullptr;
  for (SweepEntry* sweep : run.sweeps) {
    const auto held_out = sweep->HeldOutStateOf(run.run.key);
    if (!sweep->Leases() || held_out.value_or(HeldOut::kPredicted) != HeldOut::kPredicted) continue;
    if (first == nullptr || sweep->sweep.priority > first->sweep.priority) first = sweep;
  }
  return first;
}

// Whose an attempt of the run is that is not known to be another's.
SweepEntry* Scheduler::TrainedFor(const RunEntry& run) const {
  SweepEntry* sweep = FirstLeasing(run);
  if (sweep == nullptr) sweep = FirstWanting(run);
  return sweep == nullptr ? run.sweeps.front() : sweep;
}

// Held-out runs.

bool Scheduler::AwaitsForecast(const SweepEntry& sweep) const {
  if (!sweep.WantsRuns()) return false;
  bool awaits = false;
  for (const RunEntry* run : sweep.runs) {
    const auto held_out = sweep.HeldOutStateOf(run->run.key);
    if (!held_out && !IsTerminal(run->run.state)) return false;
    awaits = awaits || held_out == HeldOut::kAwaiting;
  }
  return awaits;
}

std::vector<SweepId> Scheduler::AwaitingForecast() const {
  std::vector<SweepId> awaiting;
  for (const auto& [id, sweep] : sweeps_) {
    if (!sweep.held_out.empty() && AwaitsForecast(sweep)) awaiting.push_back(id);
  }
  return awaiting;
}

absl::Status Scheduler::Freeze(const Forecast& forecast, const Moment& now, Changes& changes) {
  SweepEntry* sweep = Find(sweeps_, forecast.sweep);
  if (sweep == nullptr) return NotFound("no sweep " + forecast.sweep.Short());
  if (!AwaitsForecast(*sweep)) {
    return FailedPrecondition("sweep " + sweep->sweep.name + " awaits no forecast");
  }
  PredictionsFrozen frozen{forecast.sweep, forecast.fits, {}};
  for (SweepFit& fit : frozen.fits) fit.fitted_at_us = now.wall_us;
  for (FrozenPrediction prediction : forecast.predictions) {
    if (sweep->HeldOutStateOf(prediction.run) != HeldOut::kAwaiting) continue;
    const RunEntry& run = runs_.at(prediction.run);
    prediction.blind = run.run.state == RunState::kQueued;
    for (const JobEntry* job : run.jobs) prediction.blind &= job->job.attempts == 0;
    prediction.frozen_at_us = now.wall_us;
    sweep->held_out[prediction.run] = HeldOut::kPredicted;
    frozen.predictions.push_back(std::move(prediction));
  }
  changes.push_back(std::move(frozen));
  for (const Unpredicted& unpredicted : forecast.unpredicted) {
    if (sweep->HeldOutStateOf(unpredicted.run) != HeldOut::kAwaiting) continue;
    sweep->held_out[unpredicted.run] = HeldOut::kUnpredictable;
    RunEntry& run = runs_.at(unpredicted.run);
    // One that runs is trained for another sweep, which may have stopped and lets it end.
    const bool queued = run.last_job->job.state == JobState::kQueued;
    if (queued && FirstWanting(run) == nullptr) CancelRun(run, unpredicted.reason, now, changes);
  }
  Requeue(*sweep);
  unsettled_[sweep->order] = sweep;
  Settle(now, changes);
  return absl::OkStatus();
}

// Gives those another job whose trunk has ended, and ends or stops the sweeps whose runs have
// changed; stopping one may change further runs.
void Scheduler::Settle(const Moment& now, Changes& changes) {
  while (!orphans_.empty() || !unsettled_.empty()) {
    if (!orphans_.empty()) {
      JobEntry& orphan = *orphans_.begin()->second;
      orphans_.erase(orphans_.begin());
      Replan(orphan, now, changes);
      continue;
    }
    SweepEntry& sweep = *unsettled_.begin()->second;
    unsettled_.erase(unsettled_.begin());
    if (sweep.sweep.state != SweepState::kActive) continue;
    if (sweep.terminal_runs == static_cast<int>(sweep.runs.size()) && !AwaitsForecast(sweep)) {
      sweep.sweep.paused = false;
      ChangeSweep(sweep, SweepState::kFinished, sweep.sweep.reason, now, changes);
      sweep.stopped = false;
    } else if (!sweep.stopped && sweep.failed_runs > sweep.sweep.max_failed_runs) {
      StopSweep(sweep,
                fmt::format("{} runs failed, more than max_failed_runs = {}", sweep.failed_runs,
                            sweep.sweep.max_failed_runs),
                now, changes);
    }
  }
}

void Scheduler::StopOverspent(const Moment& now, Changes& changes) {
  std::map<std::int64_t, double> running_seconds;
  for (const JobId& id : leased_) {
    const JobEntry& job = jobs_.at(id);
    for (const SweepEntry* sweep : job.run->sweeps) {
      running_seconds[sweep->order] += absl::ToDoubleSeconds(now.monotonic - job.live->started);
    }
  }
  for (auto& [id, sweep] : sweeps_) {
    if (!sweep.WantsRuns()) continue;
    const double hours = (sweep.worker_seconds + running_seconds[sweep.order]) / kSecondsPerHour;
    if (hours <= sweep.sweep.max_hours) continue;
    StopSweep(sweep,
              fmt::format("{:.2f} worker hours used, more than max_hours = {}", hours,
                          sweep.sweep.max_hours),
              now, changes);
  }
}

// Questions.

Scheduler::RunNow Scheduler::WhereIs(const RunKey& key, const Moment& now) const {
  const RunEntry* run = Find(runs_, key);
  if (run == nullptr || IsTerminal(run->run.state)) return {};
  const JobEntry& job = *run->last_job;
  if (job.live) return {job.live->attempt.worker, ""};
  return {WorkerId(), WhyQueued(job, now)};
}

Scheduler::Explanation Scheduler::Explain(const RunKey& key, const Moment& now) const {
  Explanation explanation{WhereIs(key, now), {}, {}};
  const RunEntry* run = Find(runs_, key);
  if (run == nullptr) return explanation;
  for (const SweepEntry* sweep : run->sweeps) {
    const auto held_out = sweep->HeldOutStateOf(key);
    std::string what(SweepStateName(sweep->sweep.state));
    if (sweep->sweep.state == SweepState::kActive) {
      what = sweep->stopped                   ? sweep->sweep.reason
             : sweep->sweep.paused            ? "is paused: etude sweep resume " + sweep->sweep.name
             : held_out == HeldOut::kAwaiting ? "holds it out until it is predicted"
             : held_out == HeldOut::kUnpredictable ? "cannot predict it"
                                                   : "wants it";
    }
    explanation.sweeps.push_back({sweep->sweep.name, what});
  }
  const JobEntry& job = *run->last_job;
  if (IsTerminal(run->run.state) || job.live) return explanation;
  for (const auto& [id, worker] : workers_) {
    std::string what(WorkerStateName(worker.worker.state));
    if (worker.worker.state == WorkerState::kOnline) {
      const bool free = static_cast<int>(worker.leased.size()) < worker.worker.slots;
      what = AwaitsTrunk(job) ? "may not take it yet" : WhyBarred(job, worker, now);
      if (what.empty()) what = free ? "may take it" : "every slot is busy";
    } else if (!worker.worker.reason.empty()) {
      what += ": " + worker.worker.reason;
    }
    explanation.workers.push_back({id.text(), what});
  }
  return explanation;
}

std::vector<Scheduler::WorkerNow> Scheduler::Workers() const {
  std::vector<WorkerNow> workers;
  for (const auto& [id, entry] : workers_) {
    WorkerNow& worker = workers.emplace_back(WorkerNow{entry.worker, {}, ""});
    for (const JobId& job : entry.leased) worker.runs.push_back(jobs_.at(job).run->run.key);
    if (static_cast<int>(entry.leased.size()) < entry.worker.slots) {
      worker.idle_reason = WhyIdle(entry);
    }
  }
  return workers;
}

std::map<std::string, int> Scheduler::OnlineSlots() const {
  std::map<std::string, int> slots;
  for (const auto& [id, worker] : workers_) {
    if (worker.worker.state == WorkerState::kOnline) slots[worker.kind] += worker.worker.slots;
  }
  return slots;
}

Scheduler::Counts Scheduler::Count() const {
  Counts counts;
  for (const auto& [id, sweep] : sweeps_) {
    counts.active_sweeps += sweep.sweep.state == SweepState::kActive ? 1 : 0;
    ++counts.sweeps[static_cast<std::size_t>(sweep.sweep.state)];
  }
  for (const auto& [id, worker] : workers_) {
    counts.online_workers += worker.worker.state == WorkerState::kOnline ? 1 : 0;
    ++counts.workers[static_cast<std::size_t>(worker.worker.state)];
  }
  counts.queued_jobs = static_cast<int>(queue_.size());
  counts.leased_jobs = static_cast<int>(leased_.size());
  counts.runs = runs_by_state_;
  return counts;
}

}  // namespace etude
