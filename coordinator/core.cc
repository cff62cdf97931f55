#include "coordinator/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

absl::Status Full(const char* what, std::size_t limit) {
  return ResourceExhausted(
      fmt::format("the coordinator has {} {} waiting; retry after 1 s", limit, what));
}

// What those hear whose batch the store did not take.
absl::Status NotCommitted(const absl::Status& status) {
  const std::string cause = MessageOf(status);
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return ResourceExhausted("the coordinator is read-only, its disk is full: " + cause +
                             "; free some space there, it goes on by itself");
  }
  return Unavailable("the coordinator could not commit: " + cause + "; send it again");
}

}  // namespace

template <typename Result>
Core::Event Core::MakeEvent(Decision<Result> decide, Done<Result> done) {
  Event event;
  event.decide = [decide = std::move(decide), done](const Moment& now,
                                                    Scheduler::Changes& changes) -> Answer {
    auto result = std::make_shared<Result>(decide(now, changes));
    return [done, result](const absl::Status& commit) {
      done(commit.ok() ? std::move(*result) : Result(commit));
    };
  };
  event.refuse = [done](const absl::Status& status) { done(Result(status)); };
  return event;
}

template <typename Result>
Result Core::Wait(Decision<Result> decide) {
  auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> result = promise->get_future();
  Post(MakeEvent<Result>(std::move(decide),
                         [promise](Result value) { promise->set_value(std::move(value)); }));
  return result.get();
}

// Life.

Core::Core(const CoreOptions& options, Clock& clock, ResultsStore& store)
    : options_(options), clock_(clock), store_(store), scheduler_(options.scheduler) {}

absl::StatusOr<std::unique_ptr<Core>> Core::Start(const CoreOptions& options, Clock& clock,
                                                  ResultsStore& store) {
  std::unique_ptr<Core> core(new Core(options, clock, store));
  RETURN_IF_ERROR(core->Rebuild(core->Now()));
  core->thread_ = std::jthread([core = core.get()] { core->Run(); });
  return core;
}

Core::~Core() { Stop(); }

void Core::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.SignalAll();
  work_.SignalAll();
  if (thread_.joinable()) thread_.join();
}

Moment Core::Now() { return {clock_.MonotonicNow(), ToMicros(clock_.Now())}; }

// Calls.

// Takes the event, unless it returns an error.
absl::Status Core::Queue(Event& event) {
  const MutexLock lock(mutex_);
  if (stopping_) return Unavailable("the coordinator is stopping; send it again");
  if (events_.size() >= kMaxQueuedEvents) return Full("changes", kMaxQueuedEvents);
  if (queued_points_ + event.points > kMaxQueuedPoints) {
    return Full("loss points", kMaxQueuedPoints);
  }
  queued_points_ += event.points;
  events_.push_back(std::move(event));
  return absl::OkStatus();
}

absl::Status Core::QueueHeartbeat(Event& event) {
  const MutexLock lock(mutex_);
  if (stopping_) return Unavailable("the coordinator is stopping; send it again");
  if (heartbeats_.size() >= kMaxQueuedHeartbeats) return Full("heartbeats", kMaxQueuedHeartbeats);
  heartbeats_.push_back(std::move(event));
  return absl::OkStatus();
}

void Core::Post(Event event) {
  const absl::Status queued = Queue(event);
  if (!queued.ok()) return event.refuse(queued);
  work_.Signal();
}

void Core::Register(Worker worker, std::vector<HeldAttempt> held,
                    Done<absl::StatusOr<std::vector<Directive>>> done) {
  Post(MakeEvent<absl::StatusOr<std::vector<Directive>>>(
      [this, worker = std::move(worker), held = std::move(held)](const Moment& now,
                                                                 Scheduler::Changes& changes) {
        return scheduler_.Register(worker, held, now, changes);
      },
      std::move(done)));
}

void Core::Heartbeat(WorkerId worker, std::vector<HeldAttempt> held, bool draining,
                     Done<absl::StatusOr<Scheduler::HeartbeatReply>> done) {
  Event event = MakeEvent<absl::StatusOr<Scheduler::HeartbeatReply>>(
      [this, worker = std::move(worker), held = std::move(held), draining](
          const Moment& now, Scheduler::Changes& changes) {
        return scheduler_.Heartbeat(worker, held, draining, now, changes);
      },
      std::move(done));
  const absl::Status queued = QueueHeartbeat(event);
  if (!queued.ok()) return event.refuse(queued);
  work_.Signal();
}

void Core::Acquire(AcquireCall call, const Done<absl::StatusOr<Scheduler::Acquired>>& done) {
  Event event;
  event.decide = [this, call = std::move(call), done](const Moment& now,
                                                      Scheduler::Changes& changes) -> Answer {
    scheduler_.Hear(call.worker, now, changes);
    Park({call, now.monotonic + call.wait, done, false});
    return [](const absl::Status&) {};
  };
  event.refuse = [done](const absl::Status& status) { done(status); };
  Post(std::move(event));
}

void Core::Park(ParkedAcquire call) {
  const auto same_slot = [&call](const ParkedAcquire& parked) {
    return parked.call.worker == call.call.worker && parked.call.slot == call.call.slot;
  };
  const auto earlier = std::find_if(parked_.begin(), parked_.end(), same_slot);
  if (earlier != parked_.end()) {
    earlier->done(Scheduler::Acquired{std::nullopt, "asked again by a later call"});
    parked_.erase(earlier);
  }
  if (parked_.size() >= kMaxParkedAcquires) {
    return call.done(Full("slots", kMaxParkedAcquires));
  }
  parked_until_ = std::min(parked_until_, call.deadline);
  parked_.push_back(std::move(call));
}

void Core::AddPoints(WorkerId worker, JobId job, int attempt, std::vector<LossPoint> points,
                     Done<absl::StatusOr<bool>> done) {
  const std::size_t count = points.size();
  Event event = MakeEvent<absl::StatusOr<bool>>(
      [this, worker = std::move(worker), job = std::move(job), attempt, points = std::move(points)](
          const Moment&, Scheduler::Changes& changes) mutable {
        return scheduler_.AddPoints(worker, job, attempt, std::move(points), changes);
      },
      std::move(done));
  event.points = count;
  Post(std::move(event));
}

void Core::CommitCheckpoint(WorkerId worker, Checkpoint checkpoint, Done<absl::Status> done) {
  Post(MakeEvent<absl::Status>(
      [this, worker = std::move(worker), checkpoint = std::move(checkpoint)](
          const Moment& now, Scheduler::Changes& changes) {
        return scheduler_.CommitCheckpoint(worker, checkpoint, now, changes);
      },
      std::move(done)));
}

void Core::Finish(FinishedAttempt end, Done<absl::Status> done) {
  Post(MakeEvent<absl::Status>(
      [this, end = std::move(end)](const Moment& now, Scheduler::Changes& changes) {
        return scheduler_.Finish(end, now, changes);
      },
      std::move(done)));
}

void Core::CheckHeld(WorkerId worker, JobId job, int attempt, const Done<absl::Status>& done) {
  if (CurrentLoad().events >= kMaxQueuedBeforeShedding) {
    return done(Full("changes", kMaxQueuedBeforeShedding));
  }
  Post(MakeEvent<absl::Status>(
      [this, worker = std::move(worker), job = std::move(job), attempt](const Moment&,
                                                                        Scheduler::Changes&) {
        return scheduler_.CheckHeld(worker, job, attempt);
      },
      done));
}

absl::StatusOr<bool> Core::AddCorpus(const Corpus& corpus) {
  return Wait<absl::StatusOr<bool>>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.AddCorpus(corpus, now, changes);
  });
}

absl::StatusOr<Scheduler::Submitted> Core::Submit(Sweep sweep,
                                                  const std::vector<RunConfig>& configs) {
  return Wait<absl::StatusOr<Scheduler::Submitted>>(
      [&](const Moment& now, Scheduler::Changes& changes) {
        return scheduler_.Submit(std::move(sweep), configs, now, changes);
      });
}

absl::StatusOr<Scheduler::Imported> Core::Import(Bundle bundle, const std::string& name) {
  return Wait<absl::StatusOr<Scheduler::Imported>>(
      [&](const Moment& now, Scheduler::Changes& changes) {
        return scheduler_.Import(std::move(bundle), name, now, changes);
      });
}

absl::Status Core::CancelSweep(const SweepId& sweep) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.CancelSweep(sweep, now, changes);
  });
}

absl::StatusOr<int> Core::DeleteSweep(const SweepId& sweep, const std::string& name) {
  return Wait<absl::StatusOr<int>>([&](const Moment&, Scheduler::Changes& changes) {
    return scheduler_.DeleteSweep(sweep, name, changes);
  });
}

absl::Status Core::PauseSweep(const SweepId& sweep, bool paused) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.PauseSweep(sweep, paused, now, changes);
  });
}

absl::Status Core::StopSweep(const SweepId& sweep) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.StopSweep(sweep, now, changes);
  });
}

absl::Status Core::SetTurn(const SweepId& sweep, int priority, double weight) {
  return Wait<absl::Status>([&](const Moment&, Scheduler::Changes& changes) {
    return scheduler_.SetTurn(sweep, priority, weight, changes);
  });
}

absl::StatusOr<int> Core::RetrySweep(const SweepId& sweep, bool failed_only) {
  return Wait<absl::StatusOr<int>>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.RetrySweep(sweep, failed_only, now, changes);
  });
}

absl::Status Core::CancelRun(const RunKey& run) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.CancelRun(run, now, changes);
  });
}

absl::Status Core::RetryRun(const RunKey& run) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.RetryRun(run, now, changes);
  });
}

absl::StatusOr<Worker> Core::DrainWorker(const WorkerId& worker, bool drain) {
  return Wait<absl::StatusOr<Worker>>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.DrainWorker(worker, drain, now, changes);
  });
}

absl::Status Core::AddFit(const SweepFit& fit) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    changes.push_back(FitAdded{fit});
    std::get<FitAdded>(changes.back()).fit.fitted_at_us = now.wall_us;
    return absl::OkStatus();
  });
}

absl::Status Core::Freeze(const Forecast& forecast) {
  return Wait<absl::Status>([&](const Moment& now, Scheduler::Changes& changes) {
    return scheduler_.Freeze(forecast, now, changes);
  });
}

void Core::LoseBlob(const std::string& sha256) {
  Post(MakeEvent<absl::Status>(
      [this, sha256](const Moment& now, Scheduler::Changes& changes) {
        scheduler_.LoseBlob(sha256, now, changes);
        return absl::OkStatus();
      },
      [](const absl::Status&) {}));
}

absl::Status Core::Inspect(const std::function<void(const Scheduler&, const Moment&)>& look) {
  auto promise = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> result = promise->get_future();
  Event event;
  event.changes_nothing = true;
  event.decide = [this, &look, promise](const Moment& now, Scheduler::Changes&) -> Answer {
    return [this, &look, promise, now](const absl::Status&) {
      look(scheduler_, now);
      promise->set_value(absl::OkStatus());
    };
  };
  event.refuse = [promise](const absl::Status& status) { promise->set_value(status); };
  Post(std::move(event));
  return result.get();
}

std::string Core::ReadOnlyReason() const {
  const MutexLock lock(mutex_);
  return read_only_reason_;
}

Core::Load Core::CurrentLoad() const {
  const MutexLock lock(mutex_);
  Load load = load_;
  load.events = events_.size();
  load.points = queued_points_;
  load.heartbeats = heartbeats_.size();
  return load;
}

void Core::NoteLoad() {
  const Scheduler::Counts counts = scheduler_.Count();
  const MutexLock lock(mutex_);
  load_.counts = counts;
  load_.parked_acquires = parked_.size();
}

std::uint64_t Core::commits() const {
  const MutexLock lock(mutex_);
  return commits_;
}

std::uint64_t Core::AwaitCommit(std::uint64_t seen, absl::Duration timeout) {
  const MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, timeout, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return commits_ > seen || stopping_;
  });
  return commits_;
}

bool Core::AwaitStop(absl::Duration timeout) {
  const MutexLock lock(mutex_);
  return changed_.WaitFor(mutex_, timeout,
                          [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; });
}

// The core's thread.

bool Core::IsStopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

void Core::Run() {
  while (!IsStopping()) {
    const Batch batch = AwaitWork();
    const Moment now = Now();
    AnswerHeartbeats(batch.heartbeats, now);
    Process(batch.events, now);
  }
  RefuseAll(Unavailable("the coordinator is stopping; send it again"));
}

absl::Duration Core::UntilNextDeadline() const {
  const absl::Time next = std::min(last_tick_ + options_.tick, parked_until_);
  return std::clamp(next - clock_.MonotonicNow(), absl::Milliseconds(1), options_.tick);
}

Core::Batch Core::AwaitWork() {
  const absl::Duration timeout = UntilNextDeadline();
  Batch batch;
  const MutexLock lock(mutex_);
  work_.WaitFor(mutex_, timeout, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !events_.empty() || !heartbeats_.empty() || stopping_;
  });
  batch.heartbeats.assign(std::move_iterator(heartbeats_.begin()),
                          std::move_iterator(heartbeats_.end()));
  heartbeats_.clear();
  std::size_t points = 0;
  while (!events_.empty() && batch.events.size() < kMaxBatchEvents && points < kMaxBatchPoints) {
    points += events_.front().points;
    queued_points_ -= events_.front().points;
    batch.events.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  load_.events_taken += batch.events.size();
  load_.heartbeats_taken += batch.heartbeats.size();
  return batch;
}

// What memory holds beyond the store was promised to nobody and may come to nothing, so nobody may
// hear of it: a worker would drop an attempt that is still its own.
void Core::AnswerHeartbeats(const std::vector<Event>& heartbeats, const Moment& now) {
  for (const Event& heartbeat : heartbeats) {
    if (stale_) {
      heartbeat.refuse(last_commit_);
    } else {
      heartbeat.decide(now, heartbeat_changes_)(absl::OkStatus());
    }
  }
}

// Once a commit has failed, none is tried for the length of a tick, and memory must be read back
// first.
bool Core::MayCommit(const Moment& now) {
  if (now.monotonic < retry_at_) return false;
  if (!stale_) return true;
  const absl::Status rebuilt = Rebuild(now);
  if (rebuilt.ok()) return true;
  LogError("read the state back: " + rebuilt.ToString());
  retry_at_ = now.monotonic + options_.tick;
  return false;
}

void Core::Process(const std::vector<Event>& events, const Moment& now) {
  const bool may_commit = MayCommit(now);
  Scheduler::Changes changes = std::exchange(heartbeat_changes_, {});
  std::vector<Answer> answers;
  answers.reserve(events.size());
  for (const Event& event : events) {
    if (may_commit || event.changes_nothing) {
      answers.push_back(event.decide(now, changes));
    } else {
      event.refuse(last_commit_);
    }
  }
  absl::Status commit = last_commit_;
  if (may_commit) {
    const bool ticks = now.monotonic - last_tick_ >= options_.tick;
    if (ticks) {
      last_tick_ = now.monotonic;
      scheduler_.Tick(now, changes);
    }
    // Without a queued job there is none for those that have asked before: with a thousand parked
    // calls, to look at them all in each batch would be most of an idle coordinator's work.
    const bool all = ticks || scheduler_.HasQueuedJobs() || now.monotonic >= parked_until_;
    if (all || !events.empty()) ServeParked(all, now, changes, answers);
    commit = Commit(changes, now);
    if (ticks) NoteLoad();
  } else {
    heartbeat_changes_ = std::move(changes);
  }
  for (const Answer& answer : answers) answer(commit);
  if (may_commit) store_.Tidy();
}

void Core::ServeParked(bool all, const Moment& now, Scheduler::Changes& changes,
                       std::vector<Answer>& answers) {
  auto first = all ? parked_.begin() : parked_.end();
  while (first != parked_.begin() && !std::prev(first)->tried) --first;
  std::vector<ParkedAcquire> waiting;
  for (auto at = first; at != parked_.end(); ++at) {
    ParkedAcquire& parked = *at;
    const AcquireCall& call = parked.call;
    const bool gone = call.gone && call.gone->load();
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
    }
    if (acquired.ok() && !acquired->assignment && waits) {
      waiting.push_back(std::move(parked));
      continue;
    }
    answers.push_back([done = std::move(parked.done),
                       acquired = std::move(acquired)](const absl::Status& commit) {
      done(commit.ok() ? acquired : absl::StatusOr<Scheduler::Acquired>(commit));
    });
  }
  parked_.erase(first, parked_.end());
  if (all) parked_until_ = absl::InfiniteFuture();
  for (ParkedAcquire& parked : waiting) {
    parked_until_ = std::min(parked_until_, parked.deadline);
    parked_.push_back(std::move(parked));
  }
}

absl::Status Core::Commit(const Scheduler::Changes& changes, const Moment& now) {
  if (changes.empty()) return absl::OkStatus();
  const absl::Status stored = store_.Commit(changes);
  last_commit_ = stored.ok() ? stored : NotCommitted(stored);
  if (!stored.ok()) {
    LogError("commit " + std::to_string(changes.size()) + " changes: " + stored.ToString());
    retry_at_ = now.monotonic + options_.tick;
    stale_ = true;
    const absl::Status rebuilt = Rebuild(now);
    if (!rebuilt.ok()) LogError("read the state back: " + rebuilt.ToString());
  }
  const MutexLock lock(mutex_);
  read_only_reason_ = MessageOf(last_commit_);
  if (stored.ok()) {
    ++commits_;
    changed_.SignalAll();
  }
  return last_commit_;
}

absl::Status Core::Rebuild(const Moment& now) {
  ASSIGN_OR_RETURN(StoredState state, store_.Load());
  Scheduler scheduler(options_.scheduler);
  RETURN_IF_ERROR(scheduler.Restore(std::move(state), now));
  scheduler_ = std::move(scheduler);
  stale_ = false;
  return absl::OkStatus();
}

void Core::RefuseAll(const absl::Status& status) {
  std::deque<Event> events;
  {
    const MutexLock lock(mutex_);
    events.swap(events_);
    std::move(heartbeats_.begin(), heartbeats_.end(), std::back_inserter(events));
    heartbeats_.clear();
  }
  for (const Event& event : events) event.refuse(status);
  for (const ParkedAcquire& parked : parked_) parked.done(status);
  parked_.clear();
}

}  // namespace etude
