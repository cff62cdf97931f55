// What each durable batch may do to what was durable before it.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/oracle.h"

namespace etude {
namespace {

std::string Name(const JobId& job, int attempt) {
  return fmt::format("{}#{}", JobName(job), attempt);
}

// Ends that a worker alone can know.
bool IsWorkersWord(JobOutcome outcome) {
  return outcome != JobOutcome::kSuperseded && outcome != JobOutcome::kCancelled &&
         outcome != JobOutcome::kReleased;
}

}  // namespace

void Oracle::Durable(const CommittedBatch& batch) {
  durable_.insert(batch.at);
  for (const Change& change : batch.changes) {
    if (const auto* c = std::get_if<AttemptStarted>(&change)) Check(*c);
    if (const auto* c = std::get_if<AttemptEnded>(&change)) Check(*c, batch.at);
    if (const auto* c = std::get_if<PointsAdded>(&change)) Check(*c);
    if (const auto* c = std::get_if<CheckpointAdded>(&change)) Check(*c);
    if (const auto* c = std::get_if<RunChanged>(&change)) Check(*c);
    if (const auto* c = std::get_if<JobChanged>(&change)) Check(*c);
    if (const auto* c = std::get_if<SweepChanged>(&change)) Check(*c, batch.at);
    if (const auto* c = std::get_if<SweepAdded>(&change)) Note(*c);
    if (const auto* c = std::get_if<SweepDeleted>(&change)) Note(*c, batch.at);
    facts_.Apply(change);
  }
}

void Oracle::Note(const SweepAdded& change) { sweep_runs_[change.sweep.id] = change.sweep.runs; }

void Oracle::Note(const SweepDeleted& change, absl::Duration at) {
  sweep_runs_.erase(change.sweep);
  deleted_sweeps_[change.sweep] = at;
  const SweepState state = facts_.sweeps.at(change.sweep).state;
  if (state == SweepState::kActive) Violate("sweep " + change.sweep.Short() + " was active");
  for (const RunKey& run : change.runs) {
    if (!IsTerminal(facts_.runs.at(run).state)) Violate("run " + run.Short() + " had not ended");
    for (const auto& [sweep, runs] : sweep_runs_) {
      if (std::find(runs.begin(), runs.end(), run) == runs.end()) continue;
      Violate(fmt::format("run {} of sweep {} was deleted", run.Short(), sweep.Short()));
    }
  }
  trace_.Count("deleted sweep");
}

// For an active sweep that is not paused; a held-out run once it is predicted, or for a sweep that
// wants it for its own sake.
bool Oracle::MayTrain(const RunKey& run) const {
  for (const auto& [sweep, runs] : sweep_runs_) {
    const bool has = std::find(runs.begin(), runs.end(), run) != runs.end();
    const StoredFacts::SweepFact& fact = facts_.sweeps.at(sweep);
    if (!has || fact.state != SweepState::kActive || fact.paused) continue;
    const auto held_out = held_out_.find(sweep);
    const bool awaits = held_out != held_out_.end() && held_out->second.contains(run) &&
                        !facts_.predicted.contains({sweep, run});
    if (!awaits) return true;
  }
  return false;
}

void Oracle::Check(const AttemptStarted& change) {
  const Attempt& attempt = change.attempt;
  const std::string name = Name(attempt.job, attempt.number);
  const int newest = facts_.NewestAttempt(attempt.job);
  int& greatest = numbers_[attempt.job];
  if (attempt.number <= greatest || (newest > 0 && attempt.number != newest + 1)) {
    return Violate(fmt::format("{} comes after attempt {}", name, greatest));
  }
  if (newest == 0 && greatest > 0) trace_.Count("deleted run trained again");
  greatest = attempt.number;
  if (newest > 0 && facts_.IsLive(attempt.job, newest)) {
    return Violate(fmt::format("{} starts while attempt {} lives", name, newest));
  }
  if (facts_.TrainedThrough(attempt.job) < attempt.start_step) {
    return Violate(fmt::format("{} starts after step {}, with points through step {} only", name,
                               attempt.start_step, facts_.TrainedThrough(attempt.job)));
  }
  const StoredFacts::JobFact& job = facts_.jobs.at(attempt.job);
  if (attempt.start_step < job.from) return Violate(name + " starts before its job");
  if (!job.parent.empty() && !facts_.branch_points.contains({job.parent, job.from})) {
    return Violate(name + " starts from a branch point that was never committed");
  }
  const auto passed = facts_.branch_points.upper_bound({attempt.job, attempt.start_step});
  if (passed != facts_.branch_points.end() && passed->first.first == attempt.job) {
    return Violate(
        fmt::format("{} starts after step {} and takes points from those who branched "
                    "off at {}",
                    name, attempt.start_step, passed->first.second));
  }
  const auto drained = facts_.drained.find(attempt.worker);
  if (drained == facts_.drained.end() || drained->second) {
    return Violate(name + " goes to worker " + attempt.worker.text() + ", which takes no jobs");
  }
  if (!MayTrain(job.run)) {
    return Violate(name + " starts, and no sweep may train it now");
  }
}

void Oracle::Check(const AttemptEnded& change, absl::Duration at) {
  const std::string name = Name(change.job, change.attempt);
  if (!facts_.IsLive(change.job, change.attempt)) return Violate(name + " ends twice");
  const AttemptKey key{change.job, change.attempt};
  if (IsWorkersWord(change.outcome) && !asked_.contains({key, change.outcome})) {
    return Violate(fmt::format("{} ends as {}, which its worker never said", name,
                               JobOutcomeName(change.outcome)));
  }
  if (asked_.contains({key, change.outcome})) CheckReported(key);
  ended_[key] = at;
  const auto renewed = renewed_.find(key);
  const bool expired = change.outcome == JobOutcome::kSuperseded;
  if (expired && renewed != renewed_.end() && at - renewed->second < lease_) {
    Violate(fmt::format("the lease of {} ended {} after its worker was told it holds it", name,
                        absl::FormatDuration(at - renewed->second)));
  }
}

void Oracle::CheckReported(const AttemptKey& key) {
  const auto trained = trained_.find(key);
  if (trained == trained_.end() || lost_logs_.contains(key)) return;
  if (facts_.points.contains({key.first, key.second, Series::kTrain, trained->second})) return;
  if (asked_.contains({key, JobOutcome::kCancelled})) return;  // nobody wants them any more
  Violate(fmt::format("{} ended without reporting step {}, which it trained",
                      Name(key.first, key.second), trained->second));
}

void Oracle::Check(const PointsAdded& change) {
  if (facts_.IsLive(change.job, change.attempt)) return;
  Violate("points of " + Name(change.job, change.attempt) + ", which is over, were taken");
}

void Oracle::Check(const CheckpointAdded& change) {
  const Checkpoint& checkpoint = change.checkpoint;
  const std::string name = Name(checkpoint.job, checkpoint.attempt);
  if (!facts_.IsLive(checkpoint.job, checkpoint.attempt)) {
    return Violate("a checkpoint of " + name + ", which is over, was taken");
  }
  const std::int64_t through = facts_.TrainedThrough(checkpoint.job);
  const bool resumes =
      checkpoint.kind == CheckpointKind::kResume || checkpoint.kind == CheckpointKind::kBranch;
  if (resumes && checkpoint.step > through) {
    Violate(fmt::format("{} may be resumed after step {}, with points through step {} only", name,
                        checkpoint.step, through));
  }
}

void Oracle::Check(const RunChanged& change) {
  const RunState before = facts_.runs.at(change.run).state;
  // A later sweep may want what an earlier one cancelled.
  const bool again =
      change.state == RunState::kQueued &&
      (before == RunState::kCancelled || (before == RunState::kFailed && starts_again_));
  if (IsTerminal(before) && !again) {
    Violate(fmt::format("run {} was {} and became {}", change.run.Short(), RunStateName(before),
                        RunStateName(change.state)));
  }
  if (change.state == RunState::kFailed) CheckFailed(change.run);
}

void Oracle::CheckFailed(const RunKey& run) {
  const JobId& job = facts_.LastJobOf(run);
  int crashes = 0;
  int losses = 0;
  for (auto it = facts_.attempts.lower_bound({job, 0});
       it != facts_.attempts.end() && it->first.first == job; ++it) {
    const FailureClass failure = ClassOf(it->second.outcome.value_or(JobOutcome::kSucceeded));
    if (failure == FailureClass::kDeterministic) return;
    crashes += failure == FailureClass::kUnknown ? 1 : 0;
    losses += failure == FailureClass::kInfrastructure ? 1 : 0;
  }
  const SchedulerOptions limits;
  if (crashes >= limits.max_counted_failures || losses > limits.max_infrastructure_retries) return;
  Violate(fmt::format("run {} failed after {} crashes and {} lost attempts", run.Short(), crashes,
                      losses));
}

void Oracle::Check(const JobChanged& change) {
  const StoredFacts::JobFact& before = facts_.jobs.at(change.job.id);
  if (IsTerminal(before.state)) {
    Violate(fmt::format("job {} was {} and became {}", JobName(change.job.id),
                        JobStateName(before.state), JobStateName(change.job.state)));
  }
  if (change.job.attempts < before.attempts) {
    Violate("job " + JobName(change.job.id) + " forgot attempts");
  }
}

void Oracle::Check(const SweepChanged& change, absl::Duration at) {
  if (change.state != SweepState::kActive) ended_sweeps_[change.sweep] = at;
  const SweepState before = facts_.sweeps.at(change.sweep).state;
  const bool again = starts_again_ && change.state == SweepState::kActive;
  if (before == SweepState::kActive || before == change.state || again) return;
  Violate(fmt::format("sweep {} was {} and became {}", change.sweep.Short(), SweepStateName(before),
                      SweepStateName(change.state)));
}

}  // namespace etude
