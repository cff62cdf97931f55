// What workers and clients may ask; and how the planted bugs of the coordinator answer.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/status.h"
#include "tests/sim/sim_coordinator.h"

namespace etude {

// Workers.

void SimCoordinator::Register(const Worker& worker, const std::vector<HeldAttempt>& held,
                              const Done<Directives>& done) {
  const auto decided_at = std::make_shared<absl::Duration>();
  Post(MakeEvent<Directives>(
      [this, worker, held, decided_at](const Moment& now, Scheduler::Changes& changes) {
        *decided_at = timeline_.elapsed();
        return scheduler_.Register(worker, held, now, changes);
      },
      [this, id = worker.id, decided_at, done](const Directives& directives) {
        if (directives.ok()) oracle_.Directed(id, *directives, *decided_at);
        done(directives);
      }));
}

void SimCoordinator::Heartbeat(const WorkerId& worker, const std::vector<HeldAttempt>& held,
                               bool draining, const Done<HeartbeatReply>& done) {
  if (!running_) return done(Unavailable("connection refused"));
  const auto decide = [this, worker, held, draining](const Moment& now,
                                                     Scheduler::Changes& changes) {
    const bool forgets = Has(PlantedBug::kForgetsRenewals);
    HeartbeatReply reply = scheduler_.Heartbeat(worker, forgets ? std::vector<HeldAttempt>() : held,
                                                draining, now, changes);
    if (reply.ok()) Spoil(held, reply->directives);
    return reply;
  };
  heartbeats_.push_back(MakeEvent<HeartbeatReply>(
      decide,
      [this, worker, done](const HeartbeatReply& reply) {
        if (reply.ok()) oracle_.Directed(worker, reply->directives, timeline_.elapsed());
        done(reply);
      },
      /*promises=*/false));
  WakeIn(absl::ZeroDuration());
}

void SimCoordinator::Acquire(const AcquireCall& call,
                             const Done<absl::StatusOr<Scheduler::Acquired>>& done) {
  Event event;
  event.decide = [this, call, done](const Moment& now, Scheduler::Changes& changes) -> Answer {
    scheduler_.Hear(call.worker, now, changes);
    Park({call, now.monotonic + call.wait, done});
    return [](const absl::Status&) {};
  };
  event.refuse = [done](const absl::Status& status) { done(status); };
  Post(std::move(event));
}

void SimCoordinator::Park(ParkedAcquire call) {
  const auto same_slot = [&call](const ParkedAcquire& parked) {
    return parked.call.worker == call.call.worker && parked.call.slot == call.call.slot;
  };
  const auto earlier = std::find_if(parked_.begin(), parked_.end(), same_slot);
  if (earlier != parked_.end()) {
    earlier->done(Scheduler::Acquired{std::nullopt, "asked again by a later call"});
    parked_.erase(earlier);
  }
  parked_.push_back(std::move(call));
}

void SimCoordinator::AddPoints(const WorkerId& worker, const JobId& job, int attempt,
                               const std::vector<LossPoint>& points,
                               const Done<absl::StatusOr<bool>>& done) {
  const auto decide = [this, worker, job, attempt, points](
                          const Moment&, Scheduler::Changes& changes) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const bool taken, scheduler_.AddPoints(worker, job, attempt, points, changes));
    if (taken || !Has(PlantedBug::kAcceptsStalePoints)) return taken;
    changes.push_back(PointsAdded{job, attempt, points});
    return true;
  };
  Post(MakeEvent<absl::StatusOr<bool>>(
      decide, [this, job, attempt, points, done](const absl::StatusOr<bool>& taken) {
        if (taken.ok() && *taken) oracle_.Acknowledged(job, attempt, points);
        done(taken);
      }));
}

void SimCoordinator::CommitCheckpoint(const WorkerId& worker, const Checkpoint& checkpoint,
                                      const Done<absl::Status>& done) {
  const auto decide = [this, worker, checkpoint](const Moment& now, Scheduler::Changes& changes) {
    absl::Status status = scheduler_.CommitCheckpoint(worker, checkpoint, now, changes);
    const bool early = absl::IsFailedPrecondition(status) &&
                       oracle_.facts().IsLive(checkpoint.job, checkpoint.attempt);
    if (!early || !Has(PlantedBug::kAcceptsEarlyCheckpoints)) return status;
    changes.push_back(CheckpointAdded{checkpoint, now.wall_us});
    return absl::OkStatus();
  };
  Post(MakeEvent<absl::Status>(decide, [this, checkpoint, done](const absl::Status& status) {
    if (status.ok()) oracle_.Acknowledged(checkpoint);
    done(status);
  }));
}

void SimCoordinator::CheckHeld(const WorkerId& worker, const JobId& job, int attempt,
                               const Done<absl::Status>& done) {
  Ask(
      [worker, job, attempt](Scheduler& scheduler, const Moment&, Scheduler::Changes&) {
        return scheduler.CheckHeld(worker, job, attempt);
      },
      done);
}

void SimCoordinator::Finish(const FinishedAttempt& end, const Done<absl::Status>& done) {
  oracle_.Asked(end);
  Post(MakeEvent<absl::Status>(
      [this, end](const Moment& now, Scheduler::Changes& changes) {
        FinishedAttempt taken = end;
        Spoil(taken);
        const std::size_t before = changes.size();
        absl::Status status = scheduler_.Finish(taken, now, changes);
        if (status.ok() && changes.size() == before) TakeAgain(end, changes);
        return status;
      },
      [this, end, done](const absl::Status& status) {
        if (status.ok()) oracle_.Acknowledged(end);
        done(status);
      }));
}

// Clients.

void SimCoordinator::Ask(const Request& request, const Done<absl::Status>& done) {
  Post(MakeEvent<absl::Status>(
      [this, request](const Moment& now, Scheduler::Changes& changes) {
        return request(scheduler_, now, changes);
      },
      done));
}

void SimCoordinator::Submit(const Sweep& sweep, const std::vector<RunConfig>& configs,
                            const Done<absl::Status>& done) {
  held_out_[sweep.id] = sweep.held_out;
  const auto decided_at = std::make_shared<absl::Duration>();
  Post(MakeEvent<absl::Status>(
      [this, sweep, configs, decided_at](const Moment& now, Scheduler::Changes& changes) {
        *decided_at = timeline_.elapsed();
        Sweep taken = sweep;
        if (Has(PlantedBug::kLeasesHeldOut)) taken.held_out.clear();
        return scheduler_.Submit(taken, configs, now, changes).status();
      },
      [this, id = sweep.id, decided_at, done](const absl::Status& status) {
        if (status.ok()) oracle_.Submitted(id, *decided_at);
        done(status);
      }));
}

void SimCoordinator::CancelSweep(const SweepId& sweep, const Done<absl::Status>& done) {
  const auto decided_at = std::make_shared<absl::Duration>();
  Post(MakeEvent<absl::Status>(
      [this, sweep, decided_at](const Moment& now, Scheduler::Changes& changes) {
        *decided_at = timeline_.elapsed();
        absl::Status status = scheduler_.CancelSweep(sweep, now, changes);
        if (!Has(PlantedBug::kCancelsFinishedRuns)) return status;
        for (const auto& [run, fact] : oracle_.facts().runs) {
          if (fact.state != RunState::kSucceeded) continue;
          changes.push_back(RunChanged{run, RunState::kCancelled, "cancelled", std::nullopt, 1});
        }
        return status;
      },
      [this, sweep, decided_at, done](const absl::Status& status) {
        if (status.ok()) oracle_.CancelledSweep(sweep, *decided_at);
        done(status);
      }));
}

// Planted bugs.

void SimCoordinator::Spoil(StoredState& state) const {
  for (Sweep& sweep : state.sweeps) {
    if (Has(PlantedBug::kForgetsPauses)) sweep.paused = false;
  }
  for (Job& job : state.jobs) {
    const bool tried = job.state == JobState::kQueued && job.attempts > 0;
    if (tried && Has(PlantedBug::kReusesAttemptNumbers)) --job.attempts;
  }
  if (Has(PlantedBug::kForgetsDeletedRuns)) state.deleted_runs.clear();
}

void SimCoordinator::Spoil(const std::vector<HeldAttempt>& held,
                           std::vector<Directive>& directives) const {
  for (const HeldAttempt& one : held) {
    if (!Has(PlantedBug::kForgetsRenewals)) break;
    const bool live = oracle_.facts().IsLive(one.job, one.attempt);
    directives.push_back({one.job, one.attempt, live ? Action::kKeep : Action::kSuperseded});
  }
  for (Directive& directive : directives) {
    if (Has(PlantedBug::kKeepsSuperseded)) directive.action = Action::kKeep;
  }
}

void SimCoordinator::Spoil(FinishedAttempt& end) const {
  if (!Has(PlantedBug::kAcceptsAnyFinish)) return;
  const StoredFacts& facts = oracle_.facts();
  const int newest = facts.NewestAttempt(end.job);
  if (newest == 0 || !facts.IsLive(end.job, newest)) return;
  end.attempt = newest;
  end.worker = WorkerId(facts.Find(end.job, newest)->worker);
}

void SimCoordinator::TakeAgain(const FinishedAttempt& end, Scheduler::Changes& changes) const {
  if (!Has(PlantedBug::kAcceptsEndTwice) || !end.result) return;
  const RunKey& run = oracle_.facts().jobs.at(end.job).run;
  changes.push_back(RunChanged{run, RunState::kSucceeded, "", end.result, 1});
}

void SimCoordinator::Spoil(const ParkedAcquire& call,
                           absl::StatusOr<Scheduler::Acquired>& acquired) {
  if (!acquired.ok()) return;
  const bool twice = Has(PlantedBug::kLeasesTwice) && !acquired->assignment && last_leased_ &&
                     last_leased_->first != call.call.worker;
  if (twice) acquired->assignment = last_leased_->second;
  if (!acquired->assignment) return;
  last_leased_ = {call.call.worker, *acquired->assignment};
  const bool far = Has(PlantedBug::kResumesTooFar) && acquired->assignment->checkpoint;
  if (far) ++acquired->assignment->start_step;
}

}  // namespace etude
