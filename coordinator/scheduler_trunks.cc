// Trunk and branch: which job starts from which one's branch point.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "coordinator/scheduler.h"
#include "lib/base/status.h"
#include "lib/scaling/trunk.h"

namespace etude {
namespace {

std::int64_t NewestBranch(const JobEntry& job) {
  for (auto at = job.branches.rbegin(); at != job.branches.rend(); ++at) {
    if (at->second.checkpoint) return at->first;
  }
  return 0;
}

// Whether the job will still pass the step and can be told beforehand to leave a branch point.
bool MayBranchAt(const JobEntry& job, std::int64_t step) {
  const std::int64_t done = std::max(job.resume ? job.resume->step : 0, NewestBranch(job));
  return !IsTerminal(job.job.state) && !job.live && step > std::max(job.job.from, done) &&
         step <= BranchStep(job.run->run.config) && step < job.job.to;
}

bool HasLiveChild(const BranchPoint& point) {
  return std::any_of(point.children.begin(), point.children.end(),
                     [](const JobEntry* child) { return !IsTerminal(child->job.state); });
}

}  // namespace

bool RunEntry::IsTrainedWith(const RunEntry& other) const {
  const bool goes_on = std::any_of(sweeps.begin(), sweeps.end(), [this](const SweepEntry* sweep) {
    return sweep->Leases() && sweep->HeldOutStateOf(run.key) != HeldOut::kAwaiting;
  });
  return std::any_of(sweeps.begin(), sweeps.end(), [&](const SweepEntry* sweep) {
    const bool trains = goes_on ? sweep->Leases() : sweep->WantsRuns();
    return trains && !sweep->HeldOutStateOf(other.run.key) &&
           std::find(other.sweeps.begin(), other.sweeps.end(), sweep) != other.sweeps.end();
  });
}

// Where a new job of the run may start furthest on; of equal ones, where it need not wait.
Scheduler::Base Scheduler::BestBase(const RunEntry& run) {
  Base best;
  const std::int64_t end = BranchStep(run.run.config);
  const auto consider = [&best](JobEntry& job, std::int64_t step, bool committed) {
    const auto rank = std::pair(step, committed);
    if (step > 0 && rank > std::pair(best.step, best.committed)) best = {&job, step, committed};
  };
  const auto [first, last] = trunks_.equal_range(run.trunk);
  for (auto at = first; at != last; ++at) {
    RunEntry& other = *at->second;
    if (!ShareTrunk(run.run.config, other.run.config)) continue;
    for (JobEntry* job : other.jobs) {
      for (auto& [step, point] : job->branches) {
        if (point.checkpoint && step <= end) consider(*job, step, true);
      }
      const std::int64_t step = std::min(end, BranchStep(other.run.config));
      if (&other != &run && MayBranchAt(*job, step) && run.IsTrainedWith(other)) {
        consider(*job, step, false);
      }
    }
  }
  return best;
}

// One that is free. Of an imported run those may be missing that were never leased.
JobId Scheduler::NextJobId(const RunEntry& run) const {
  for (std::size_t ordinal = run.jobs.size();; ++ordinal) {
    JobId id(fmt::format("{}.{}", run.run.key.text(), ordinal));
    if (!jobs_.contains(id)) return id;
  }
}

// The next job of the run, its newest; the caller stores it with PathOf.
JobEntry& Scheduler::AddJob(RunEntry& run, const Moment& now) {
  const Base base = BestBase(run);
  Job job;
  job.id = NextJobId(run);
  job.run = run.run.key;
  job.from = base.step;
  job.to = run.run.config.steps;
  if (base.job != nullptr) job.parent = base.job->job.id;
  JobEntry& entry = InsertJob(std::move(job), run, now);
  entry.parent = base.job;
  if (base.job != nullptr) base.job->branches[base.step].children.push_back(&entry);
  run.last_job = &entry;
  return entry;
}

std::vector<Segment> Scheduler::PathOf(const JobEntry& last) const {
  std::vector<Segment> path;
  std::int64_t to = last.job.to;
  for (const JobEntry* job = &last; job != nullptr; job = job->parent) {
    path.push_back({last.job.run, 0, job->job.id, job->job.from, to});
    to = job->job.from;
  }
  std::reverse(path.begin(), path.end());
  for (std::size_t i = 0; i < path.size(); ++i) path[i].ordinal = static_cast<int>(i);
  return path;
}

absl::Status Scheduler::RestoreTrunks(StoredState& state) {
  for (auto& [id, job] : jobs_) {
    if (job.job.parent.empty()) continue;
    const auto parent = jobs_.find(job.job.parent);
    if (parent == jobs_.end()) {
      return DataLoss("stored state contradicts itself: job " + id.text() +
                      " has no parent; restore a backup of the state directory");
    }
    job.parent = &parent->second;
    job.parent->branches[job.job.from].children.push_back(&job);
  }
  for (Checkpoint& checkpoint : state.branch_points) {
    const auto job = jobs_.find(checkpoint.job);
    if (job == jobs_.end()) continue;
    const std::int64_t step = checkpoint.step;
    job->second.branches[step].checkpoint = std::move(checkpoint);
  }
  return absl::OkStatus();
}

bool Scheduler::IsLongestOfTrunk(const RunEntry& run) const {
  const auto [first, last] = trunks_.equal_range(run.trunk);
  return std::none_of(first, last, [&run](const auto& item) {
    const RunEntry& other = *item.second;
    const bool counts =
        other.run.state != RunState::kFailed && other.run.state != RunState::kCancelled;
    return counts && other.run.config.steps > run.run.config.steps &&
           ShareTrunk(run.run.config, other.run.config);
  });
}

// Steps that others wait for, ascending.
std::vector<std::int64_t> Scheduler::MissingBranches(const JobEntry& job) const {
  std::vector<std::int64_t> missing;
  for (const auto& [step, point] : job.branches) {
    if (!point.checkpoint && HasLiveChild(point)) missing.push_back(step);
  }
  return missing;
}

// Where the attempt that starts now leaves branch points: where others wait for one, and where the
// longest run of a trunk begins to cool down, for longer ones that may come.
std::vector<std::int64_t> Scheduler::BranchStepsOf(const JobEntry& job) const {
  std::vector<std::int64_t> steps = MissingBranches(job);
  const std::int64_t own = BranchStep(job.run->run.config);
  const auto known = job.branches.find(own);
  const bool there = known != job.branches.end() && known->second.checkpoint;
  if (own > job.job.from && !there && IsLongestOfTrunk(*job.run)) steps.push_back(own);
  std::erase_if(steps, [&job](std::int64_t step) { return step <= job.live->attempt.start_step; });
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

// The furthest checkpoint in the blob store that the job can start from. A committed branch point
// is one, too: whoever branched off there needs the points before it, so none is trained again.
std::optional<Checkpoint> Scheduler::ResumePointOf(const JobEntry& job) const {
  std::optional<Checkpoint> resume = job.resume;
  if (const std::int64_t own = NewestBranch(job); own > (resume ? resume->step : 0)) {
    resume = job.branches.at(own).checkpoint;
  }
  if (!resume && job.parent != nullptr) resume = job.parent->branches.at(job.job.from).checkpoint;
  return resume;
}

bool Scheduler::AwaitsTrunk(const JobEntry& job) const {
  return job.parent != nullptr && !job.resume && !job.parent->branches.at(job.job.from).checkpoint;
}

// All of a trunk's runs have one numbering of steps, so where the furthest of them ends says how
// long the job keeps the sweep going.
std::int64_t Scheduler::PathEnd(const JobEntry& job) const {
  std::int64_t end = job.job.to;
  for (const auto& [step, point] : job.branches) {
    if (point.checkpoint) continue;
    for (const JobEntry* child : point.children) {
      if (!IsTerminal(child->job.state)) end = std::max(end, PathEnd(*child));
    }
  }
  return end;
}

// Gives a queued trunk its place anew when a branch has made its path longer or shorter.
void Scheduler::ReviewPath(JobEntry& trunk) {
  if (trunk.job.state == JobState::kQueued && PathEnd(trunk) != trunk.path_end) Enqueue(trunk);
}

void Scheduler::CommitBranchPoint(JobEntry& job, const Checkpoint& checkpoint) {
  BranchPoint& point = job.branches[checkpoint.step];
  point.checkpoint = checkpoint;
  for (JobEntry* child : point.children) {
    if (child->job.state == JobState::kQueued) Enqueue(*child);
  }
}

// Of a job that has ended: whoever still waits for one of its branch points waits in vain.
void Scheduler::OrphanChildren(JobEntry& job) {
  for (auto& [step, point] : job.branches) {
    if (point.checkpoint) continue;
    for (JobEntry* child : point.children) {
      if (!IsTerminal(child->job.state)) orphans_[{-child->job.to, child->job.id}] = child;
    }
  }
}

// One that some sweep still wants, after another has let go of its run or was paused, or this one
// goes on. What it waits for may now be wanted by a forecast alone, which waits for it, or by a
// sweep that is paused.
void Scheduler::KeepQueued(JobEntry& job) {
  if (AwaitsTrunk(job) && !job.run->IsTrainedWith(*job.parent->run)) {
    orphans_[{-job.job.to, job.job.id}] = &job;
  } else {
    Enqueue(job);
  }
}

// Of jobs that start there those that have got no further start elsewhere.
void Scheduler::LoseBranchPoint(JobEntry& job, std::int64_t step, const Moment& now,
                                Changes& changes) {
  BranchPoint& point = job.branches.at(step);
  point.checkpoint.reset();
  changes.push_back(CheckpointLost{job.job.id, CheckpointKind::kBranch, step});
  for (JobEntry* child : point.children) {
    if (IsTerminal(child->job.state) || ResumePointOf(*child)) continue;
    if (child->live) {
      const WorkerId worker = child->live->attempt.worker;
      const std::string reason = fmt::format("the branch point of step {} is lost", step);
      EndLost(*child, JobOutcome::kReleased, reason, now, changes);
      AfterFailure(*child, JobOutcome::kReleased, reason, worker, now, changes);
    } else if (child->position) {
      Dequeue(*child);
    }
    orphans_[{-child->job.to, child->job.id}] = child;
  }
}

// Gives the run of an orphan another job, which starts elsewhere.
void Scheduler::Replan(JobEntry& job, const Moment& now, Changes& changes) {
  if (IsTerminal(job.job.state)) return;
  RunEntry& run = *job.run;
  const bool ended = IsTerminal(job.parent->job.state);
  ChangeJob(job, JobState::kCancelled,
            fmt::format("job {} {} before step {}", job.job.parent.Short(),
                        ended ? "ended" : "is not trained for it", job.job.from),
            changes);
  JobEntry& next = AddJob(run, now);
  changes.push_back(JobAdded{next.job, PathOf(next)});
  Enqueue(next);
}

}  // namespace etude
