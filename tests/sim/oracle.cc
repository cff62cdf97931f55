// What is answered, and what is stored; oracle_changes.cc looks at each batch.
#include "tests/sim/oracle.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/status.h"
#include "tests/support/fake_trainer.h"

namespace etude {
namespace {

std::string Name(const JobId& job, int attempt) {
  return fmt::format("{}#{}", JobName(job), attempt);
}

}  // namespace

void Oracle::Violate(const std::string& what) {
  trace_.Note("VIOLATION: " + what);
  if (violation_.empty()) violation_ = what;
}

void Oracle::Refused(const absl::Status& status) {
  Violate("the store refused what the scheduler decided: " + status.ToString());
}

// Trainers.

void Oracle::Resumed(const JobId& job, std::int64_t start_step, const std::string& weights) {
  const std::string expected = fmt::format("model.safetensors after step {}", start_step);
  if (start_step == 0 || weights == expected) return;
  Violate(
      fmt::format("job {} resumes after step {} from \"{}\"", JobName(job), start_step, weights));
}

void Oracle::Trained(const JobId& job, int attempt, std::int64_t step) {
  std::int64_t& trained = trained_[{job, attempt}];
  trained = std::max(trained, step);
}

void Oracle::LostLog(const JobId& job, int attempt) { lost_logs_.insert({job, attempt}); }

void Oracle::LostDirectory(const JobId& job, int attempt) {
  Violate("the directory of " + Name(job, attempt) + " was removed while it was trained");
}

void Oracle::WillHoldOut(const SweepId& sweep, const std::vector<RunKey>& runs) {
  held_out_[sweep] = {runs.begin(), runs.end()};
}

void Oracle::Asked(const FinishedAttempt& end) {
  asked_.insert({{end.job, end.attempt}, end.outcome});
}

bool Oracle::IsReplaced(const JobId& job, int attempt, std::int64_t step) const {
  for (auto later = facts_.attempts.upper_bound({job, attempt});
       later != facts_.attempts.end() && later->first.first == job; ++later) {
    if (later->second.start_step < step) return true;
  }
  return false;
}

// After it was durable, and perhaps before that was answered.
bool Oracle::WasDeleted(const JobId& job, int attempt) const {
  const auto number = numbers_.find(job);
  const bool was = number != numbers_.end() && attempt <= number->second;
  return was && facts_.Find(job, attempt) == nullptr;
}

// Answers: each says only what is durable.

void Oracle::Answered(absl::Duration decided_at) {
  if (!durable_.contains(decided_at)) Violate("a decision was answered before it was durable");
}

void Oracle::Leased(const WorkerId& worker, int slot, const Assignment& assignment,
                    absl::Duration decided_at) {
  const AttemptKey key{assignment.job, assignment.attempt};
  const std::string name = Name(key.first, key.second);
  const auto* attempt = facts_.Find(key.first, key.second);
  if (attempt == nullptr) return Violate(name + " was leased before it was durable");
  // It may have ended since; then the worker hears so.
  if (attempt->worker != worker.text()) {
    return Violate(fmt::format("{} of {} was leased to {}", name, attempt->worker, worker.text()));
  }
  if (attempt->start_step != assignment.start_step) {
    return Violate(fmt::format("{} starts after step {}, and was told {}", name,
                               attempt->start_step, assignment.start_step));
  }
  const bool resumes = assignment.checkpoint || assignment.local_attempt > 0;
  if ((assignment.start_step > 0) != resumes) return Violate(name + " has nothing to resume from");
  const auto [first, is_first] = slots_.try_emplace(key, worker, slot);
  if (!is_first && first->second != std::pair(worker, slot)) {
    return Violate(name + " was leased to two slots");
  }
  absl::Duration& renewed = renewed_[key];
  renewed = std::max(renewed, decided_at);
}

void Oracle::Directed(const WorkerId& worker, const std::vector<Directive>& directives,
                      absl::Duration decided_at) {
  for (const Directive& directive : directives) {
    const AttemptKey key{directive.job, directive.attempt};
    const auto* attempt = facts_.Find(key.first, key.second);
    const bool own = attempt != nullptr && attempt->worker == worker.text();
    const bool live = own && facts_.IsLive(key.first, key.second);
    // It may have ended between the decision and the answer.
    const auto ended = ended_.find(key);
    const bool held = live || (own && ended != ended_.end() && ended->second >= decided_at);
    const bool gone =
        directive.action == Action::kSuperseded || directive.action == Action::kCancel;
    const std::string name = Name(key.first, key.second);
    if (gone && live) Violate(worker.text() + " was told to drop " + name + ", which it holds");
    if (gone) continue;
    if (!held) Violate(worker.text() + " was told to keep " + name + ", which is over");
    absl::Duration& renewed = renewed_[key];
    renewed = std::max(renewed, decided_at);
  }
}

void Oracle::Acknowledged(const JobId& job, int attempt, const std::vector<LossPoint>& points) {
  if (WasDeleted(job, attempt)) return;
  for (const LossPoint& point : points) {
    const auto found = facts_.points.find({job, attempt, point.series, point.step});
    if (found != facts_.points.end() && found->second == point.value) continue;
    if (IsReplaced(job, attempt, point.step)) continue;
    return Violate(fmt::format("{} of step {} of {} was acknowledged, and is not durable",
                               SeriesName(point.series), point.step, Name(job, attempt)));
  }
}

void Oracle::Acknowledged(const Checkpoint& checkpoint) {
  if (WasDeleted(checkpoint.job, checkpoint.attempt)) return;
  const auto found = facts_.checkpoints.find({checkpoint.job, checkpoint.kind});
  const bool branch = checkpoint.kind == CheckpointKind::kBranch;
  if (branch && facts_.branch_points.contains({checkpoint.job, checkpoint.step})) return;
  const bool there = found != facts_.checkpoints.end() && found->second.step >= checkpoint.step;
  if (there || IsReplaced(checkpoint.job, checkpoint.attempt, checkpoint.step)) return;
  // The same batch may have ended the job or replaced the path, and removed what nobody needs.
  const bool ended = IsTerminal(facts_.jobs.at(checkpoint.job).state);
  if (ended && checkpoint.kind == CheckpointKind::kResume) return;
  if (!facts_.IsOnAPath(checkpoint.job)) return;
  Violate(fmt::format("the {} checkpoint of step {} of {} was acknowledged, and is not durable",
                      CheckpointKindName(checkpoint.kind), checkpoint.step,
                      Name(checkpoint.job, checkpoint.attempt)));
}

void Oracle::Acknowledged(const FinishedAttempt& end) {
  if (WasDeleted(end.job, end.attempt)) return;
  const std::string name = Name(end.job, end.attempt);
  const auto* attempt = facts_.Find(end.job, end.attempt);
  if (attempt == nullptr) return Violate("the end of " + name + ", which never was, was taken");
  if (facts_.IsLive(end.job, end.attempt) && attempt->worker == end.worker.text()) {
    return Violate("the end of " + name + " was acknowledged, and is not durable");
  }
  if (end.outcome != JobOutcome::kSucceeded) return;
  const StoredFacts::JobFact& job = facts_.jobs.at(end.job);
  if (attempt->outcome == JobOutcome::kSucceeded && job.state == JobState::kSucceeded) return;
  Violate("the success of " + name + " was acknowledged, and is not what is stored");
}

void Oracle::Submitted(const SweepId& sweep, absl::Duration decided_at) {
  const auto deleted = deleted_sweeps_.find(sweep);
  if (deleted != deleted_sweeps_.end() && deleted->second >= decided_at) return;
  if (!facts_.sweeps.contains(sweep)) {
    Violate("sweep " + sweep.Short() + " was acknowledged, and is not durable");
  }
}

void Oracle::CancelledSweep(const SweepId& sweep, absl::Duration decided_at) {
  const auto found = facts_.sweeps.find(sweep);
  const bool over = found != facts_.sweeps.end() && found->second.state != SweepState::kActive;
  const auto deleted = deleted_sweeps_.find(sweep);
  if (deleted != deleted_sweeps_.end() && deleted->second >= decided_at) return;
  // It may have been submitted again between the decision and the answer.
  const auto ended = ended_sweeps_.find(sweep);
  if (over || (ended != ended_sweeps_.end() && ended->second >= decided_at)) return;
  Violate("the end of sweep " + sweep.Short() + " was acknowledged, and is not durable");
}

// The store.

void Oracle::Audit(Database& stored) {
  const absl::StatusOr<StoredFacts> read = ReadFacts(stored);
  if (!read.ok()) return Violate("the store cannot be read: " + read.status().ToString());
  const std::string difference = DifferenceOf(*read, facts_);
  if (!difference.empty()) return Violate("the store lost or made something: " + difference);
  CheckCurves();
}

void Oracle::Audit(const Scheduler& scheduler, const Moment& now) {
  std::size_t leased = 0;
  for (const auto& [run, fact] : facts_.runs) {
    const JobId& job = facts_.LastJobOf(run);
    const int newest = facts_.NewestAttempt(job);
    const bool live = newest > 0 && facts_.IsLive(job, newest);
    leased += live ? 1 : 0;
    const std::string worker = live ? facts_.Find(job, newest)->worker : "";
    const Scheduler::RunNow where = scheduler.WhereIs(run, now);
    if (where.worker.text() != worker) {
      return Violate(fmt::format("the scheduler has run {} on worker \"{}\", the store on \"{}\"",
                                 run.Short(), where.worker.text(), worker));
    }
    if (!IsTerminal(fact.state) && !live && where.wait_reason.empty()) {
      return Violate("run " + run.Short() + " waits without a reason");
    }
  }
  if (static_cast<std::size_t>(scheduler.Count().leased_jobs) != leased) {
    Violate("the scheduler counts other leases than the store");
  }
}

// No curve forks: what an attempt reported up to where a later one starts is all that is left of
// it, and the later one has no training points from there.
std::string Oracle::WhyWrong(const StoredFacts::PointKey& key, double value) const {
  const auto& [job, attempt, series, step] = key;
  if (value != FakeLoss(step)) return "has a value that no trainer gave it";
  const auto* own = facts_.Find(job, attempt);
  const auto trained = trained_.find({job, attempt});
  if (own == nullptr || trained == trained_.end() || step > trained->second) {
    return "was never trained";
  }
  if (series == Series::kTrain && step <= own->start_step) {
    return "is from before its attempt's start";
  }
  return IsReplaced(job, attempt, step) ? "is from after the start of a later attempt" : "";
}

void Oracle::CheckCurves() {
  for (const auto& [key, value] : facts_.points) {
    const std::string why = WhyWrong(key, value);
    if (why.empty()) continue;
    return Violate(fmt::format("{} of step {} of {} {}", SeriesName(std::get<2>(key)),
                               std::get<3>(key), Name(std::get<0>(key), std::get<1>(key)), why));
  }
  for (const auto& [run, fact] : facts_.runs) {
    if (fact.state == RunState::kSucceeded) CheckSucceeded(run, fact);
  }
}

void Oracle::CheckSucceeded(const RunKey& run, const StoredFacts::RunFact& fact) {
  const JobId& id = facts_.LastJobOf(run);
  const StoredFacts::JobFact& job = facts_.jobs.at(id);
  const int attempt = facts_.NewestAttempt(id);
  const std::string name = "run " + run.Short();
  const auto* winner = facts_.Find(id, attempt);
  if (job.state != JobState::kSucceeded || winner == nullptr ||
      winner->outcome != JobOutcome::kSucceeded) {
    return Violate(name + " succeeded, and its job did not");
  }
  if (fact.val_loss != FakeLoss(job.to)) return Violate(name + " has another run's result");
  std::int64_t reached = 0;
  for (const StoredFacts::PathPart& part : facts_.paths.at(run)) {
    if (part.from == reached && facts_.TrainedThrough(part.job) >= part.to) reached = part.to;
  }
  if (reached != job.to) {
    return Violate(fmt::format("{} succeeded with training points through step {} of {}", name,
                               reached, job.to));
  }
  if (!facts_.points.contains({id, attempt, Series::kVal, job.to})) {
    return Violate(name + " succeeded without its evaluation");
  }
  for (const CheckpointKind kind : {CheckpointKind::kLast, CheckpointKind::kBest}) {
    if (facts_.checkpoints.contains({id, kind})) continue;
    return Violate(
        fmt::format("{} succeeded without its {} checkpoint", name, CheckpointKindName(kind)));
  }
}

void Oracle::AtRest() {
  for (const auto& [id, sweep] : facts_.sweeps) {
    if (sweep.state == SweepState::kActive) Violate("sweep " + id.Short() + " never ended");
  }
  for (const auto& [id, job] : facts_.jobs) {
    if (job.state == JobState::kLeased) Violate("job " + JobName(id) + " is still leased");
  }
}

}  // namespace etude
