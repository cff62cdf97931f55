// The process and its batches; what may be asked is in sim_coordinator_calls.cc.
#include "tests/sim/sim_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr int kCommitsPerAudit = 8;

absl::Status NotCommitted(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kResourceExhausted) return status;
  return Unavailable("the coordinator could not commit: " + MessageOf(status));
}

}  // namespace

SimCoordinator::SimCoordinator(const SchedulerOptions& options, Timeline& timeline, SimClock& clock,
                               JournaledStore& store, Oracle& oracle, Trace& trace,
                               const Dice& dice, PlantedBug bug)
    : options_(options),
      timeline_(timeline),
      clock_(clock),
      store_(store),
      oracle_(oracle),
      trace_(trace),
      dice_(dice),
      bug_(bug),
      scheduler_(options) {}

// Life.

void SimCoordinator::Start() {
  ++process_;
  trace_.Note("coordinator: starts");
  const absl::Status read = Rebuild(Now());
  if (!read.ok()) return Later(kTick, [this] { Start(); });
  running_ = true;
  oracle_.Audit(store_.Reader());
  oracle_.Audit(scheduler_, Now());
  WakeIn(absl::ZeroDuration());
}

void SimCoordinator::Crash() {
  trace_.Note("coordinator: dies");
  trace_.Count("coordinator crash");
  ++process_;
  running_ = busy_ = paused_ = stale_ = false;
  waiting_.clear();
  wake_at_.reset();
  in_commit_ = nullptr;
  events_.clear();
  heartbeats_.clear();
  parked_.clear();
  heartbeat_changes_.clear();
  forecasting_.clear();
  last_tick_ = retry_at_ = absl::InfinitePast();
  last_commit_ = absl::OkStatus();
}

void SimCoordinator::Pause() {
  if (!running_ || std::exchange(paused_, true)) return;
  trace_.Note("coordinator: stops");
  trace_.Count("coordinator pause");
}

void SimCoordinator::Continue() {
  if (!std::exchange(paused_, false)) return;
  trace_.Note("coordinator: continues");
  for (std::function<void()>& action : std::exchange(waiting_, {})) {
    Later(absl::ZeroDuration(), std::move(action));
  }
}

void SimCoordinator::Later(absl::Duration delay, std::function<void()> action) {
  timeline_.After(delay, [this, process = process_, action = std::move(action)] {
    if (process != process_) return;
    if (paused_) {
      waiting_.push_back(action);
    } else {
      action();
    }
  });
}

void SimCoordinator::WakeIn(absl::Duration delay) {
  const absl::Duration at = timeline_.elapsed() + delay;
  if (busy_ || (wake_at_ && *wake_at_ <= at)) return;
  wake_at_ = at;
  Later(delay, [this, at] {
    if (!busy_ && wake_at_ == at) Process();
  });
}

Moment SimCoordinator::Now() { return {clock_.MonotonicNow(), ToMicros(clock_.Now())}; }

void SimCoordinator::Post(Event event) {
  if (!running_) return event.refuse(Unavailable("connection refused"));
  events_.push_back(std::move(event));
  WakeIn(dice_.Between(absl::ZeroDuration(), absl::Milliseconds(3)));
}

// A batch.

void SimCoordinator::Process() {
  wake_at_.reset();
  const Moment now = Now();
  AnswerHeartbeats(now);
  const bool may_commit = MayCommit(now);
  Scheduler::Changes changes = std::exchange(heartbeat_changes_, {});
  Answers answers;
  for (const Event& event : std::exchange(events_, {})) {
    if (may_commit) {
      answers.push_back(event.decide(now, changes));
    } else {
      event.refuse(last_commit_);
    }
  }
  if (!may_commit) {
    heartbeat_changes_ = std::move(changes);
    return WakeIn(kTick);
  }
  Tick(now, changes);
  ServeParked(now, changes, answers);
  Commit(changes, std::move(answers), now);
  store_.Tidy();
}

void SimCoordinator::Tick(const Moment& now, Scheduler::Changes& changes) {
  if (now.monotonic - last_tick_ < kTick) return;
  last_tick_ = now.monotonic;
  if (!Has(PlantedBug::kNeverTicks)) scheduler_.Tick(now, changes);
  PostForecasts();
}

// What memory holds beyond the store was promised to nobody, so nobody may hear of it.
void SimCoordinator::AnswerHeartbeats(const Moment& now) {
  const bool refuses = stale_ && !Has(PlantedBug::kAnswersFromStaleMemory);
  for (const Event& heartbeat : std::exchange(heartbeats_, {})) {
    if (refuses) {
      heartbeat.refuse(last_commit_);
    } else {
      heartbeat.decide(now, heartbeat_changes_)(absl::OkStatus());
    }
  }
}

bool SimCoordinator::MayCommit(const Moment& now) {
  if (now.monotonic < retry_at_) return false;
  if (!stale_ || Rebuild(now).ok()) return true;
  retry_at_ = now.monotonic + kTick;
  return false;
}

void SimCoordinator::ServeParked(const Moment& now, Scheduler::Changes& changes, Answers& answers) {
  std::deque<ParkedAcquire> waiting;
  for (ParkedAcquire& parked : parked_) {
    const AcquireCall& call = parked.call;
    const bool gone = *call.gone;
    const bool waits = now.monotonic < parked.deadline;
    if (std::exchange(parked.tried, true) && waits && !gone && !scheduler_.HasQueuedJobs()) {
      waiting.push_back(std::move(parked));
      continue;
    }
    absl::StatusOr<Scheduler::Acquired> acquired = Scheduler::Acquired{};
    if (gone) {
      acquired = Cancelled("the caller has gone");
    } else {
      acquired = scheduler_.Acquire(call.worker, call.slot, now, changes);
      Spoil(parked, acquired);
    }
    if (acquired.ok() && !acquired->assignment && waits) {
      waiting.push_back(std::move(parked));
      continue;
    }
    answers.push_back([this, call, done = std::move(parked.done), acquired,
                       decided_at = timeline_.elapsed()](const absl::Status& commit) {
      if (!commit.ok()) return done(commit);
      if (acquired.ok() && acquired->assignment) {
        oracle_.Leased(call.worker, call.slot, *acquired->assignment, decided_at);
      }
      done(acquired);
    });
  }
  parked_ = std::move(waiting);
}

void SimCoordinator::Commit(const Scheduler::Changes& changes, Answers answers, const Moment& now) {
  if (changes.empty()) return Reply(answers, absl::OkStatus());
  if (Has(PlantedBug::kRepliesBeforeCommit)) {
    Reply(std::exchange(answers, {}), absl::OkStatus());
  }
  const absl::Status stored = store_.Commit(changes);
  if (!stored.ok()) {
    RefuseCommit(stored, now);
    const bool lies = Has(PlantedBug::kAcknowledgesRefused);
    return Reply(answers, lies ? absl::OkStatus() : last_commit_);
  }
  last_commit_ = absl::OkStatus();
  if (Has(PlantedBug::kRepliesBeforeSync)) Reply(std::exchange(answers, {}), absl::OkStatus());
  busy_ = true;
  wake_at_.reset();
  const absl::Duration time = dice_.Between(commit_time_.shortest, commit_time_.longest);
  if (in_commit_) Later(time / 2, std::exchange(in_commit_, nullptr));
  Later(time, [this, answers = std::move(answers)] {
    busy_ = false;
    store_.Sync();
    if (dice_.Between(1, kCommitsPerAudit) == 1) {
      oracle_.Audit(store_.Reader());
      oracle_.Audit(scheduler_, Now());
    }
    Reply(answers, absl::OkStatus());
  });
}

void SimCoordinator::RefuseCommit(const absl::Status& stored, const Moment& now) {
  last_commit_ = NotCommitted(stored);
  if (Has(PlantedBug::kForgetsRebuild)) return;
  retry_at_ = now.monotonic + kTick;
  stale_ = true;
  Rebuild(now).IgnoreError();  // tried again before the next batch
}

void SimCoordinator::Reply(const Answers& answers, const absl::Status& commit) {
  for (const Answer& answer : answers) answer(commit);
  WakeIn(events_.empty() && heartbeats_.empty() ? UntilNextDeadline(Now()) : absl::ZeroDuration());
}

absl::Duration SimCoordinator::UntilNextDeadline(const Moment& now) const {
  absl::Time next = last_tick_ + kTick;
  for (const ParkedAcquire& parked : parked_) next = std::min(next, parked.deadline);
  return std::clamp(next - now.monotonic, absl::Milliseconds(1), kTick);
}

absl::Status SimCoordinator::Rebuild(const Moment& now) {
  ASSIGN_OR_RETURN(StoredState state, store_.Load());
  Spoil(state);
  Scheduler scheduler(options_);
  Moment then = now;
  if (Has(PlantedBug::kEndsLeasesAtRestart)) then.monotonic -= options_.lease + options_.grace;
  const absl::Status restored = scheduler.Restore(std::move(state), then);
  if (!restored.ok()) oracle_.Violate("what is stored cannot be restored: " + restored.ToString());
  RETURN_IF_ERROR(restored);
  scheduler_ = std::move(scheduler);
  stale_ = false;
  return absl::OkStatus();
}

std::string SimCoordinator::Waits() {
  std::string waits;
  for (const auto& [run, fact] : oracle_.facts().runs) {
    if (IsTerminal(fact.state)) continue;
    waits += fmt::format(" run {} is {}: {};", run.Short(), RunStateName(fact.state),
                         scheduler_.WhereIs(run, Now()).wait_reason);
  }
  return waits;
}

// Held-out runs.

void SimCoordinator::PostForecasts() {
  for (const SweepId& sweep : scheduler_.AwaitingForecast()) {
    if (!forecasting_.insert(sweep).second) continue;
    Later(dice_.Between(absl::Milliseconds(200), absl::Seconds(2)), [this, sweep] {
      const auto done = [this, sweep](const absl::Status&) { forecasting_.erase(sweep); };
      Post(MakeEvent<absl::Status>(
          [this, forecast = MakeForecast(sweep)](const Moment& now, Scheduler::Changes& changes) {
            return scheduler_.Freeze(forecast, now, changes);
          },
          done));
    });
  }
}

Forecast SimCoordinator::MakeForecast(const SweepId& sweep) {
  const std::string json = "{\"fit\":1}";
  Forecast forecast{.sweep = sweep, .fits = {}, .predictions = {}, .unpredicted = {}};
  forecast.fits.push_back({sweep, Family::kTransformer, json, Sha256Hex(json), 0});
  for (const RunKey& run : held_out_[sweep]) {
    if (dice_.Chance(0.2)) {
      forecast.unpredicted.push_back({run, "its law is not identified"});
      continue;
    }
    FrozenPrediction prediction;
    prediction.sweep = sweep;
    prediction.run = run;
    prediction.fit_sha256 = forecast.fits[0].sha256;
    prediction.prediction = {1.7, {1.6, 1.8}, 0.06, true, 1.9, 0.013};
    forecast.predictions.push_back(std::move(prediction));
  }
  return forecast;
}

}  // namespace etude
