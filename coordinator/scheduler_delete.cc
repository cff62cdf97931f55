// Deletion of sweeps: what no other sweep has, and none of its runs started from, goes.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "coordinator/scheduler.h"
#include "lib/base/status.h"
#include "lib/scaling/trunk.h"

namespace etude {

// Those of the sweep's runs, and of earlier deleted sweeps', that nothing else needs.
std::vector<RunEntry*> Scheduler::OwnRuns(const SweepEntry& sweep) {
  std::set<const RunEntry*> own;
  for (const auto& [key, run] : runs_) {
    const bool only = run.sweeps.size() == 1 && run.sweeps.front() == &sweep;
    if (run.sweeps.empty() || only) own.insert(&run);
  }
  // A run that stays keeps those with whose steps its jobs began, and these theirs.
  for (bool again = true; again;) {
    again = false;
    for (const auto& [id, job] : jobs_) {
      if (own.contains(job.run)) continue;
      for (const JobEntry* at = job.parent; at != nullptr; at = at->parent) {
        again = own.erase(at->run) > 0 || again;
      }
    }
  }
  std::vector<RunEntry*> runs;
  for (auto& [key, run] : runs_) {
    if (own.contains(&run)) runs.push_back(&run);
  }
  return runs;
}

void Scheduler::EraseRun(RunEntry& run) {
  const auto [first, last] = trunks_.equal_range(run.trunk);
  const auto entry =
      std::find_if(first, last, [&](const auto& item) { return item.second == &run; });
  if (entry != last) trunks_.erase(entry);
  --runs_by_state_[static_cast<std::size_t>(run.run.state)];
  int attempts = 0;
  for (const JobEntry* job : run.jobs) attempts = std::max(attempts, job->job.attempts);
  if (attempts > 0) {
    int& deleted = deleted_attempts_[run.run.key];
    deleted = std::max(deleted, attempts);
  }
  for (const JobEntry* job : run.jobs) jobs_.erase(JobId(job->job.id));
  runs_.erase(RunKey(run.run.key));
}

// What trains for the sweep, and is wanted by another, trains for that one.
void Scheduler::HandOver(const SweepEntry& sweep) {
  for (const JobId& id : leased_) {
    JobEntry& job = jobs_.at(id);
    if (job.live->sweep != &sweep) continue;
    job.live->sweep = TrainedFor(*job.run);
    ++job.live->sweep->leased;
  }
}

absl::StatusOr<int> Scheduler::DeleteSweep(const SweepId& id, const std::string& name,
                                           Changes& changes) {
  ASSIGN_OR_RETURN(SweepEntry * sweep, FindSweep(id));
  if (name != sweep->sweep.name) {
    return InvalidArgument(fmt::format("sweep {} is called {}, not {}; nothing was deleted",
                                       id.Short(), sweep->sweep.name, name));
  }
  if (sweep->sweep.state == SweepState::kActive) {
    return FailedPrecondition(fmt::format(
        "sweep {0} is active; end it first: etude sweep cancel {0}", sweep->sweep.name));
  }
  const std::vector<RunEntry*> runs = OwnRuns(*sweep);
  SweepDeleted deleted{id, {}};
  for (const RunEntry* run : runs) deleted.runs.push_back(run->run.key);
  for (RunEntry* run : sweep->runs) std::erase(run->sweeps, sweep);
  HandOver(*sweep);
  // All links first: a job may be gone when one that started from it is looked at.
  for (RunEntry* run : runs) {
    for (JobEntry* job : run->jobs) {
      if (job->parent != nullptr) std::erase(job->parent->branches[job->job.from].children, job);
    }
  }
  for (RunEntry* run : runs) EraseRun(*run);
  unsettled_.erase(sweep->order);
  sweep_names_.erase(sweep->sweep.name);
  sweeps_.erase(SweepId(id));
  changes.push_back(std::move(deleted));
  return static_cast<int>(runs.size());
}

}  // namespace etude
