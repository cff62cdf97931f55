// Import of bundles: what another coordinator has trained is told to the store as it happened, so
// that every fence there holds, and what it has not ended goes on here.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "coordinator/scheduler.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::size_t kMaxCorpusNameBytes = 64;
constexpr char kOfItsTrunk[] = "imported for the runs that share its trunk";
constexpr char kRunImported[] = "its run was imported, trained";

bool HasLiveJob(const RunEntry& run) {
  return std::any_of(run.jobs.begin(), run.jobs.end(),
                     [](const JobEntry* job) { return job->live.has_value(); });
}

// The newest training step of those that the job's attempts have left.
std::int64_t PointsThrough(const BundledJob& job) {
  std::int64_t through = 0;
  for (const BundledAttempt& attempt : job.attempts) {
    for (const LossPoint& point : attempt.points) {
      if (point.series == Series::kTrain) through = std::max(through, point.step);
    }
  }
  return through;
}

// A job's life, call by call.
void TellHistory(BundledJob& bundled, const Job& here, std::vector<Change>& changes) {
  for (BundledAttempt& one : bundled.attempts) {
    const Attempt& attempt = one.attempt;
    Attempt started;
    started.job = here.id;
    started.number = attempt.number;
    started.worker = attempt.worker;
    started.start_step = attempt.start_step;
    started.started_at_us = attempt.started_at_us;
    changes.push_back(AttemptStarted{std::move(started)});
    if (!one.points.empty()) {
      changes.push_back(PointsAdded{here.id, attempt.number, std::move(one.points)});
    }
    for (const CheckpointAdded& added : bundled.checkpoints) {
      const bool resume = added.checkpoint.kind == CheckpointKind::kResume;
      if (added.checkpoint.attempt != attempt.number || (resume && IsTerminal(here.state)))
        continue;
      changes.push_back(added);
      std::get<CheckpointAdded>(changes.back()).checkpoint.job = here.id;
    }
    changes.push_back(AttemptEnded{here.id, attempt.number, *attempt.outcome, attempt.reason,
                                   attempt.numerics, std::move(one.artifacts),
                                   attempt.ended_at_us});
  }
  changes.push_back(JobChanged{here});
}

}  // namespace

absl::Status Scheduler::CheckImport(const Bundle& bundle, const std::string& name) {
  const bool known = sweeps_.contains(bundle.sweep.id);
  const auto taken = sweep_names_.find(name);
  if (!known && taken != sweep_names_.end()) {
    return AlreadyExists(
        fmt::format("a sweep named {} is here already, and it is another ({}); give the imported "
                    "one another name: etude import BUNDLE --name OTHER",
                    name, taken->second.Short()));
  }
  if (runs_.size() + bundle.runs.size() > kMaxKnownRuns) {
    return ResourceExhausted(fmt::format("the coordinator knows {} runs and takes at most {}",
                                         runs_.size(), kMaxKnownRuns));
  }
  for (const Run& run : bundle.runs) {
    const auto here = runs_.find(run.key);
    if (run.state != RunState::kSucceeded || here == runs_.end()) continue;
    if (here->second.run.state == RunState::kSucceeded || !HasLiveJob(here->second)) continue;
    return FailedPrecondition(fmt::format(
        "run {0} is finished in the bundle and is being trained here now; wait for it, or: etude "
        "run cancel {0}, then import again",
        run.key.Short()));
  }
  return absl::OkStatus();
}

// Under its own name, or one like it where that stands for another corpus: sweeps name ids.
void Scheduler::ImportCorpus(Corpus corpus, const Moment& now, Changes& changes) {
  if (corpora_.contains(corpus.id)) return;
  if (corpus_names_.contains(corpus.name)) {
    const std::string suffix = "-" + corpus.id.Short();
    corpus.name = corpus.name.substr(0, kMaxCorpusNameBytes - suffix.size()) + suffix;
  }
  corpus_names_[corpus.name] = corpus.id;
  corpora_[corpus.id] = corpus;
  changes.push_back(CorpusAdded{std::move(corpus), now.wall_us});
}

// The runs whose history comes: those that are not here, and those that are finished there alone.
// What waits for a job that trains them here will start elsewhere.
std::set<RunKey> Scheduler::TakeRuns(const Bundle& bundle, RunsAdded& added, Changes& changes) {
  std::set<RunKey> taken;
  for (const Run& run : bundle.runs) {
    const auto here = runs_.find(run.key);
    if (here == runs_.end()) {
      InsertRun(run, runs_.end());
      added.runs.push_back(run);
      taken.insert(run.key);
    } else if (run.state == RunState::kSucceeded &&
               here->second.run.state != RunState::kSucceeded) {
      for (JobEntry* job : here->second.jobs) {
        if (!IsTerminal(job->job.state)) {
          ChangeJob(*job, JobState::kCancelled, kRunImported, changes);
        }
      }
      taken.insert(run.key);
    }
  }
  return taken;
}

// The jobs of the runs taken and those from which they start, under other ids where theirs are not
// free; in the bundle's places, nullptr for others.
std::vector<JobEntry*> Scheduler::TakeJobs(const Bundle& bundle, const std::set<RunKey>& taken,
                                           RunsAdded& added, const Moment& now) {
  std::set<JobId> needed;
  for (auto at = bundle.jobs.rbegin(); at != bundle.jobs.rend(); ++at) {
    if (taken.contains(at->job.run)) needed.insert(at->job.id);
    if (needed.contains(at->job.id)) needed.insert(at->job.parent);
  }
  std::map<JobId, JobEntry*> entries;
  std::vector<JobEntry*> jobs;
  for (const BundledJob& bundled : bundle.jobs) {
    if (!needed.contains(bundled.job.id)) {
      jobs.push_back(nullptr);
      continue;
    }
    RunEntry& run = runs_.at(bundled.job.run);
    Job job = bundled.job;
    if (jobs_.contains(job.id)) job.id = NextJobId(run);
    JobEntry* parent = job.parent.empty() ? nullptr : entries.at(job.parent);
    if (parent != nullptr) job.parent = parent->job.id;
    if (!IsTerminal(job.state) && !taken.contains(job.run)) {
      job.state = JobState::kCancelled;
      job.reason = kOfItsTrunk;
    }
    Job unleased = job;
    unleased.state = JobState::kQueued;
    unleased.attempts = 0;
    added.jobs.push_back(std::move(unleased));
    JobEntry& entry = InsertJob(std::move(job), run, now);
    entry.parent = parent;
    if (parent != nullptr) parent->branches[entry.job.from].children.push_back(&entry);
    NoteHistory(bundled, entry);
    entries[bundled.job.id] = &entry;
    jobs.push_back(&entry);
  }
  for (const Segment& segment : bundle.segments) {
    if (!taken.contains(segment.run)) continue;
    JobEntry* job = entries.at(segment.job);
    added.paths.push_back(segment);
    added.paths.back().job = job->job.id;
    runs_.at(segment.run).last_job = job;
  }
  return jobs;
}

// What of it decides where a later attempt starts.
void Scheduler::NoteHistory(const BundledJob& bundled, JobEntry& entry) {
  for (const CheckpointAdded& added : bundled.checkpoints) {
    Checkpoint checkpoint = added.checkpoint;
    checkpoint.job = entry.job.id;
    if (checkpoint.kind == CheckpointKind::kBranch) {
      entry.branches[checkpoint.step].checkpoint = std::move(checkpoint);
    } else if (checkpoint.kind == CheckpointKind::kResume && !IsTerminal(entry.job.state)) {
      entry.resume = std::move(checkpoint);
    }
  }
  entry.last_start_step = bundled.attempts.back().attempt.start_step;
  entry.points_through = PointsThrough(bundled);
}

// A sweep that has ended there goes on if a run of it has not ended here.
SweepEntry& Scheduler::ImportSweep(Sweep sweep, Changes& changes) {
  const bool open = std::any_of(sweep.runs.begin(), sweep.runs.end(), [this](const RunKey& run) {
    return !IsTerminal(runs_.at(run).run.state);
  });
  if (open && sweep.state == SweepState::kFinished) {
    sweep.state = SweepState::kActive;
    sweep.reason.clear();
    sweep.finished_at_us = 0;
  }
  changes.push_back(SweepAdded{sweep, {}, {}, {}});
  SweepEntry& entry = InsertSweep(std::move(sweep));
  for (const RunKey& key : entry.sweep.runs) {
    RunEntry& run = runs_.at(key);
    LinkRun(entry, run);
    entry.worker_seconds += OwnSeconds(run);
  }
  entry.stopped = entry.sweep.state == SweepState::kActive && !entry.sweep.reason.empty();
  return entry;
}

// Those that nobody has predicted here.
void Scheduler::ImportPredictions(const Bundle& bundle, SweepEntry& sweep, Changes& changes) {
  PredictionsFrozen frozen{sweep.sweep.id, bundle.fits, {}};
  for (const FrozenPrediction& prediction : bundle.predictions) {
    if (sweep.HeldOutStateOf(prediction.run) != HeldOut::kAwaiting) continue;
    sweep.held_out[prediction.run] = HeldOut::kPredicted;
    frozen.predictions.push_back(prediction);
  }
  if (!frozen.predictions.empty()) changes.push_back(std::move(frozen));
}

// Of a run that was finished there alone.
void Scheduler::Complete(const Run& there, const Moment& now, Changes& changes) {
  RunEntry& run = runs_.at(there.key);
  if (IsTerminal(run.run.state)) ChangeRun(run, RunState::kQueued, "", now, changes);
  ChangeRun(run, RunState::kSucceeded, there.reason, now, changes, there.result);
}

// Gives those a job that have none to go on with; one that is over gets one that is over, too, so
// that every run ends a path.
void Scheduler::StartTaken(const std::set<RunKey>& taken, const Moment& now, Changes& changes) {
  std::vector<RunEntry*> without;
  for (const RunKey& key : taken) {
    RunEntry& run = runs_.at(key);
    const bool over = run.last_job != nullptr && IsTerminal(run.last_job->job.state);
    if (run.last_job == nullptr || (over && !IsTerminal(run.run.state))) without.push_back(&run);
  }
  SortByLength(without);
  for (RunEntry* run : without) {
    JobEntry& job = AddJob(*run, now);
    changes.push_back(JobAdded{job.job, PathOf(job)});
    if (IsTerminal(run->run.state)) ChangeJob(job, JobState::kCancelled, run->run.reason, changes);
  }
}

absl::StatusOr<Scheduler::Imported> Scheduler::Import(Bundle bundle, const std::string& name,
                                                      const Moment& now, Changes& changes) {
  if (!name.empty()) bundle.sweep.name = name;
  RETURN_IF_ERROR(CheckImport(bundle, bundle.sweep.name));
  ImportCorpus(bundle.corpus, now, changes);
  RunsAdded added;
  const std::set<RunKey> taken = TakeRuns(bundle, added, changes);
  const std::vector<JobEntry*> jobs = TakeJobs(bundle, taken, added, now);
  Imported reply{bundle.sweep.id, bundle.sweep.name};
  reply.runs_added = static_cast<int>(added.runs.size());
  reply.runs_completed = static_cast<int>(taken.size() - added.runs.size());
  reply.runs_kept = static_cast<int>(bundle.runs.size() - taken.size());
  std::set<RunKey> is_new;
  for (const Run& run : added.runs) is_new.insert(run.key);
  if (!taken.empty()) changes.push_back(std::move(added));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i] != nullptr) TellHistory(bundle.jobs[i], jobs[i]->job, changes);
  }
  for (const Run& run : bundle.runs) {
    if (taken.contains(run.key) && !is_new.contains(run.key)) Complete(run, now, changes);
  }
  const auto known = sweeps_.find(bundle.sweep.id);
  reply.created = known == sweeps_.end();
  SweepEntry& sweep = reply.created ? ImportSweep(std::move(bundle.sweep), changes) : known->second;
  reply.name = sweep.sweep.name;
  ImportPredictions(bundle, sweep, changes);
  StartTaken(taken, now, changes);
  if (reply.created) Continue(sweep, bundle, now, changes);
  for (JobEntry* job : jobs) {
    if (job == nullptr || job->job.state != JobState::kQueued) continue;
    if (AwaitsTrunk(*job)) orphans_[{-job->job.to, job->job.id}] = job;
  }
  Requeue(sweep);
  Settle(now, changes);
  for (const RunEntry* run : sweep.runs) reply.runs_open += IsTerminal(run->run.state) ? 0 : 1;
  return reply;
}

// As after a submission: what the sweep wants starts, what no sweep wants ends.
void Scheduler::Continue(SweepEntry& sweep, const Bundle& bundle, const Moment& now,
                         Changes& changes) {
  if (!sweep.WantsRuns()) {
    const std::string reason = fmt::format("sweep {} was {} when it was imported", sweep.sweep.name,
                                           sweep.stopped ? "stopped" : "over");
    return CancelUnwanted(sweep, true, reason, now, changes);
  }
  std::vector<RunEntry*> cancelled;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    const bool goes_on = bundle.runs[i].state == RunState::kQueued;
    if (goes_on && sweep.runs[i]->run.state == RunState::kCancelled) {
      cancelled.push_back(sweep.runs[i]);
    }
  }
  ReviveRuns(std::move(cancelled), now, changes);
}

}  // namespace etude
