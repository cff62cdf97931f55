#include "worker/agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kFirstRetry = absl::Milliseconds(250);
constexpr absl::Duration kLongestRetry = absl::Seconds(5);
constexpr absl::Duration kComplainEvery = absl::Seconds(10);

Backoff MakeBackoff(std::uint64_t seed) { return {kFirstRetry, kLongestRetry, seed}; }

std::string WhatOf(const JobId& job, int attempt) {
  return fmt::format("job {} attempt {}", job.Short(), attempt);
}

}  // namespace

Agent::Agent(AgentOptions options, Transport& transport, Spawner& spawner, absl::Time now)
    : options_(std::move(options)),
      transport_(transport),
      spawner_(spawner),
      corpora_(options_.state_dir, transport, next_call_, options_.jitter_seed),
      context_{.state_dir = options_.state_dir,
               .worker = options_.worker.id,
               .checkpoint_every = options_.checkpoint_every,
               .upload_every = options_.upload_every,
               .seed = options_.jitter_seed,
               .transport = &transport,
               .corpora = &corpora_,
               .next_call = &next_call_},
      register_backoff_(MakeBackoff(options_.jitter_seed)),
      stream_backoff_(MakeBackoff(options_.jitter_seed + 1)),
      busy_at_(now) {
  for (int number = 0; number < options_.worker.slots; ++number) {
    const std::uint64_t seed = options_.jitter_seed + 2 * static_cast<std::uint64_t>(number) + 2;
    slots_.push_back({.number = number,
                      .spawn_backoff = MakeBackoff(seed),
                      .acquire_backoff = MakeBackoff(seed + 1)});
  }
  for (const AttemptDir& dir : UnfinishedAttempts(options_.state_dir)) {
    LogInfo(WhatOf(dir.job, dir.number) + " was left unfinished here");
    recovered_.push_back(std::make_unique<AttemptWork>(context_, dir));
  }
}

void Agent::Handle(const Event& event, absl::Time now) {
  std::visit([&](const auto& e) { On(e, now); }, event);
  Advance(now);
}

absl::Duration Agent::NextWait() const {
  const bool working =
      !recovered_.empty() ||
      std::any_of(slots_.begin(), slots_.end(), [](auto& s) { return s.work != nullptr; });
  return working || draining() ? kTailEvery : kIdleEvery;
}

void Agent::Advance(absl::Time now) {
  if (done_) return;
  AdvanceRegistration(now);
  AdvanceHeartbeat(now);
  for (Slot& slot : slots_) {
    AdvanceWork(slot, now);
    AdvanceTrainer(slot, now);
    AdvanceAcquire(slot, now);
  }
  for (const auto& work : recovered_) work->Advance(now);
  std::erase_if(recovered_,
                [](const auto& work) { return work->stage() == AttemptWork::Stage::kOver; });
  AdvanceReport(now);
  AdvanceIdle(now);
  AdvanceStop(now);
}

void Agent::Quit(const absl::Status& status) {
  exit_status_ = status;
  done_ = true;
}

std::vector<AttemptWork*> Agent::AllWork() const {
  std::vector<AttemptWork*> all;
  for (const auto& work : recovered_) all.push_back(work.get());
  for (const Slot& slot : slots_) {
    if (slot.work != nullptr) all.push_back(slot.work.get());
  }
  return all;
}

AttemptWork* Agent::FindWork(const JobId& job, int attempt) const {
  for (AttemptWork* work : AllWork()) {
    if (work->job() == job && work->attempt() == attempt) return work;
  }
  return nullptr;
}

std::vector<Transport::Held> Agent::AllHeld() const {
  std::vector<Transport::Held> held;
  for (const AttemptWork* work : AllWork()) {
    if (work->stage() != AttemptWork::Stage::kOver) held.push_back(work->held());
  }
  return held;
}

void Agent::Direct(const std::vector<Transport::Directive>& directives) {
  for (const Transport::Directive& directive : directives) {
    AttemptWork* work = FindWork(directive.job, directive.attempt);
    if (work == nullptr) continue;
    if (directive.action == Transport::Action::kSuperseded) {
      LogWarning(WhatOf(directive.job, directive.attempt) + " is superseded; discarding it");
    }
    work->Direct(directive.action);
  }
}

// Registration and heartbeats.

void Agent::AdvanceRegistration(absl::Time now) {
  if (registered_ || register_call_ != 0 || !ever_ready_) return;
  if (!first_call_at_) first_call_at_ = now;
  if (!ever_registered_ && register_failed_ && now - *first_call_at_ >= options_.connect_timeout) {
    return Quit(Unavailable(
        fmt::format("no coordinator answered at {} within {:g} s. {}", options_.endpoint,
                    absl::ToDoubleSeconds(options_.connect_timeout), options_.advice)));
  }
  if (now < register_at_) return;
  register_call_ = next_call_++;
  transport_.Register(register_call_, options_.worker, AllHeld());
}

void Agent::On(const RegisterAnswered& event, absl::Time now) {
  if (event.call != register_call_) return;
  register_call_ = 0;
  if (!event.answer.ok()) {
    const absl::Status& status = event.answer.status();
    const bool hopeless = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) ||
                          absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
    if (hopeless && !ever_registered_) {
      return Quit(
          Annotate(status, "the coordinator at " + options_.endpoint + " refuses this worker"));
    }
    register_failed_ = true;
    NoteUnreachable(status, now);
    register_at_ = now + register_backoff_.Next();
    return;
  }
  NoteReachable();
  register_backoff_.Reset();
  registered_ = true;
  ever_registered_ = true;
  heartbeat_every_ = event.answer->heartbeat;
  idle_heartbeat_every_ = event.answer->idle_heartbeat;
  beaten_at_ = now;
  LogInfo(fmt::format("registered as {} with {}: {} slot(s), {}", options_.worker.id.text(),
                      options_.endpoint, options_.worker.slots, options_.worker.device));
  Direct(event.answer->directives);
}

void Agent::AdvanceHeartbeat(absl::Time now) {
  const bool idle = AllWork().empty() && !draining() && reachable_;
  const absl::Duration every = idle ? idle_heartbeat_every_ : heartbeat_every_;
  if (!registered_ || heartbeat_call_ != 0 || now - beaten_at_ < every) return;
  heartbeat_call_ = next_call_++;
  beaten_at_ = now;
  transport_.Heartbeat(heartbeat_call_, options_.worker.id, AllHeld(), draining());
}

void Agent::On(const HeartbeatAnswered& event, absl::Time now) {
  if (event.call != heartbeat_call_) return;
  heartbeat_call_ = 0;
  if (absl::IsNotFound(event.answer.status())) {
    registered_ = false;
    return;
  }
  if (!event.answer.ok()) return NoteUnreachable(event.answer.status(), now);
  NoteReachable();
  Direct(event.answer->directives);
  if (event.answer->drain && !operator_drain_) {
    operator_drain_ = true;
    StartDraining("an operator drains this worker");
  } else if (!event.answer->drain && operator_drain_) {
    operator_drain_ = false;
    LogInfo("no longer drained: taking jobs again");
  }
}

void Agent::NoteUnreachable(const absl::Status& status, absl::Time now) {
  reachable_ = false;
  if (now < next_complaint_) return;
  next_complaint_ = now + kComplainEvery;
  LogWarning(fmt::format("no coordinator answers at {} ({}); {}trying again. {}", options_.endpoint,
                         MessageOf(status), AllWork().empty() ? "" : "training goes on; ",
                         options_.advice));
}

void Agent::NoteReachable() {
  if (!reachable_) LogInfo("the coordinator at " + options_.endpoint + " answers");
  reachable_ = true;
  next_complaint_ = absl::InfinitePast();
}

// Slots.

Agent::Slot* Agent::SlotOf(TrainerId trainer) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.trainer == trainer; });
  return found == slots_.end() ? nullptr : &*found;
}

void Agent::Kill(Slot& slot) {
  slot.kill_at.reset();
  slot.stopped = true;
  spawner_.Kill(*slot.trainer);
}

void Agent::NoteFailedStart(Slot& slot, const std::string& why) {
  LogError(fmt::format("slot {}: the trainer did not start: {}", slot.number, why));
  if (++failed_starts_ < kMaxFailedStarts || ever_ready_) return;
  Quit(
      Internal(fmt::format("trainers do not start: {}; see {}/logs/slot-{}.log, and try: "
                           "etude-trainer --version",
                           why, options_.state_dir, slot.number)));
}

void Agent::AdvanceTrainer(Slot& slot, absl::Time now) {
  if (slot.trainer) {
    if (slot.kill_at && now >= *slot.kill_at && !slot.stopped) {
      LogWarning(
          fmt::format("slot {}: the trainer does not do as it is told; killing it", slot.number));
      Kill(slot);
    }
    return;
  }
  if (stop_asked_ || now < slot.spawn_after) return;
  const absl::StatusOr<TrainerId> trainer = spawner_.Spawn(slot.number);
  if (!trainer.ok()) {
    slot.spawn_after = now + slot.spawn_backoff.Next();
    return NoteFailedStart(slot, MessageOf(trainer.status()));
  }
  slot.trainer = *trainer;
  slot.ready = slot.busy = slot.stopped = false;
  slot.kill_at = now + kTrainerStartTimeout;
}

void Agent::AdvanceWork(Slot& slot, absl::Time now) {
  if (slot.work == nullptr) return;
  AttemptWork& work = *slot.work;
  work.Advance(now);
  if (work.stage() == AttemptWork::Stage::kReady && slot.ready && !slot.busy && !slot.stopped) {
    const absl::Status sent = spawner_.Send(*slot.trainer, work.MakeJobMessage());
    if (!sent.ok()) return Kill(slot);
    slot.busy = true;
    work.StartTraining();
    LogInfo(fmt::format("slot {}: {} trains from step {}", slot.number,
                        WhatOf(work.job(), work.attempt()), work.held().step));
  }
  SendStops(slot, now);
  if (work.stage() != AttemptWork::Stage::kOver || slot.busy) return;
  if (work.wants_hold()) {
    slot.acquire_after = now + kHoldAfterDiskFailure;
    LogWarning(fmt::format("slot {} rests for {:g} s: this machine let its last job down",
                           slot.number, absl::ToDoubleSeconds(kHoldAfterDiskFailure)));
  }
  slot.work.reset();
}

void Agent::SendStops(Slot& slot, absl::Time now) {
  const std::optional<StopKind> stop = slot.work->TakeStop();
  if (!stop || slot.stopped || !slot.trainer) return;
  if (!spawner_.Send(*slot.trainer, StopMessage{*stop}).ok()) return Kill(slot);
  if (*stop != StopKind::kCheckpoint) slot.kill_at = now + kStopTimeout;
}

void Agent::On(const TrainerSaid& event, absl::Time) {
  Slot* slot = SlotOf(event.trainer);
  if (slot == nullptr) return;
  if (const auto* ready = std::get_if<ReadyMessage>(&event.message)) {
    return TrainerReady(*slot, *ready);
  }
  const auto& done = std::get<DoneMessage>(event.message);
  if (!slot->busy || slot->work == nullptr || slot->work->job() != done.job ||
      slot->work->attempt() != done.attempt) {
    LogError(fmt::format("slot {}: the trainer ended a job it did not have", slot->number));
    return Kill(*slot);
  }
  slot->busy = false;
  slot->kill_at.reset();
  slot->spawn_backoff.Reset();
  slot->work->TrainerDone(done);
  if (done.code == absl::StatusCode::kInternal) Kill(*slot);  // who knows what state it is in
}

void Agent::TrainerReady(Slot& slot, const ReadyMessage& ready) {
  if (ready.protocol != kTrainerProtocol) {
    return Quit(FailedPrecondition(
        fmt::format("etude-trainer speaks protocol {}, this worker {}; install both from one build",
                    ready.protocol, kTrainerProtocol)));
  }
  slot.ready = true;
  slot.kill_at.reset();
  failed_starts_ = 0;
  ever_ready_ = true;
  options_.worker.device = ready.device;
}

void Agent::On(const TrainerExited& event, absl::Time now) {
  Slot* slot = SlotOf(event.trainer);
  if (slot == nullptr) return;
  const ExitMeaning meaning = MeaningOf(event.exit);
  const bool was_ready = slot->ready;
  const bool was_busy = slot->busy;
  slot->trainer.reset();
  slot->ready = slot->busy = false;
  slot->kill_at.reset();
  if (was_busy && slot->work != nullptr) {
    LogWarning(fmt::format("slot {}: {}: {}", slot->number,
                           WhatOf(slot->work->job(), slot->work->attempt()), meaning.reason));
    slot->work->TrainerGone(meaning);
  }
  slot->spawn_after = now + slot->spawn_backoff.Next();
  if (!was_ready && !stop_asked_) NoteFailedStart(*slot, meaning.reason);
}

void Agent::AdvanceAcquire(Slot& slot, absl::Time now) {
  const bool free = slot.work == nullptr && slot.acquire == 0 && slot.ready && !slot.stopped;
  // A slot that holds a lease would be given it again, so what was left must be settled first.
  if (!free || !registered_ || draining() || !recovered_.empty() || now < slot.acquire_after ||
      idle(now)) {
    return;
  }
  slot.acquire = next_call_++;
  transport_.Acquire(slot.acquire, options_.worker.id, slot.number, kAcquireWait);
}

void Agent::On(const AcquireAnswered& event, absl::Time now) {
  if (event.slot < 0 || event.slot >= static_cast<int>(slots_.size())) return;
  Slot& slot = slots_[static_cast<std::size_t>(event.slot)];
  if (slot.acquire != event.call) return;
  slot.acquire = 0;
  if (!event.answer.ok()) {
    const absl::Status& status = event.answer.status();
    if (absl::IsNotFound(status)) registered_ = false;
    if (status.code() != absl::StatusCode::kCancelled) NoteUnreachable(status, now);
    slot.acquire_after = now + slot.acquire_backoff.Next();
    return;
  }
  slot.acquire_backoff.Reset();
  const std::optional<Transport::Assignment>& assignment = event.answer->assignment;
  if (!assignment) {
    // One that answers at once, for instance that the worker is quarantined, is not asked in a
    // busy loop.
    slot.acquire_after = now + kFirstRetry;
    return;
  }
  LogInfo(fmt::format("slot {}: leased {} (run {}, steps {} to {})", slot.number,
                      WhatOf(assignment->job, assignment->attempt), assignment->run.Short(),
                      assignment->start_step, assignment->to));
  slot.work = std::make_unique<AttemptWork>(context_, *assignment);
  if (draining()) slot.work->Release("the worker is draining");
}

// The stream of points.

void Agent::AdvanceReport(absl::Time now) {
  if (stream_ != 0 && !sent_.empty() && now - progress_at_ >= kAcknowledgeTimeout) {
    LogWarning("points are not acknowledged; sending them again");
    transport_.CloseReport(stream_);
    DropStream(now);
  }
  if (!registered_) return;
  for (AttemptWork* work : AllWork()) {
    while (Spool::Batch* batch = work->NextUnsent()) {
      if (stream_ == 0) {
        if (now < stream_at_) return;
        stream_ = next_call_++;
        next_sequence_ = 1;
        acknowledged_ = 0;
        transport_.OpenReport(stream_);
      }
      if (sent_.empty()) progress_at_ = now;
      transport_.Report(stream_, {next_sequence_++, options_.worker.id, work->job(),
                                  work->attempt(), batch->points});
      batch->sent = true;
      sent_.push_back({work->job(), work->attempt(), batch->end});
    }
  }
}

void Agent::DropStream(absl::Time now) {
  stream_ = 0;
  stream_at_ = now + stream_backoff_.Next();
  sent_.clear();
  for (AttemptWork* work : AllWork()) work->Unsend();
}

void Agent::On(const ReportAcknowledged& event, absl::Time now) {
  if (event.stream != stream_) return;
  stream_backoff_.Reset();
  progress_at_ = now;
  while (acknowledged_ < event.committed_through && !sent_.empty()) {
    ++acknowledged_;
    const SentBatch batch = std::move(sent_.front());
    sent_.pop_front();
    AttemptWork* work = FindWork(batch.job, batch.attempt);
    if (work == nullptr) continue;
    const bool refused = std::find(event.superseded.begin(), event.superseded.end(),
                                   acknowledged_) != event.superseded.end();
    if (refused) {
      LogWarning(WhatOf(batch.job, batch.attempt) + " is superseded; discarding it");
      work->Direct(Transport::Action::kSuperseded);
    } else {
      work->Acknowledge(batch.end);
    }
  }
}

void Agent::On(const ReportClosed& event, absl::Time now) {
  if (event.stream != stream_) return;
  const std::optional<SentBatch> oldest =
      sent_.empty() ? std::nullopt : std::optional(sent_.front());
  DropStream(now);
  if (!event.status.ok() && !IsTransient(event.status)) {
    LogWarning("the stream of points ended: " + MessageOf(event.status));
  }
  if (!absl::IsInvalidArgument(event.status) || !oldest) return;
  AttemptWork* work = FindWork(oldest->job, oldest->attempt);
  if (work != nullptr) work->RefusePoints(MessageOf(event.status));
}

// Draining.

void Agent::On(const StopAsked&, absl::Time now) {
  if (stop_asked_) return;
  stop_asked_ = true;
  stop_deadline_ = now + kDrainTimeout;
  beaten_at_ = absl::InfinitePast();  // so that the coordinator knows now
  StartDraining("the worker is stopping");
}

void Agent::StartDraining(const std::string& reason) {
  LogInfo("draining: " + reason);
  transport_.StopAcquiring();
  for (AttemptWork* work : AllWork()) work->Release(reason);
}

void Agent::AdvanceStop(absl::Time now) {
  if (!stop_asked_) return;
  const bool acquiring =
      std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.acquire != 0; });
  const std::vector<AttemptWork*> all = AllWork();
  const bool working = std::any_of(all.begin(), all.end(), [](const AttemptWork* work) {
    return work->confirmed() && work->stage() != AttemptWork::Stage::kOver;
  });
  if (!working && !acquiring) {
    done_ = true;
  } else if (now >= stop_deadline_) {
    LogWarning(
        fmt::format("{} attempt(s) could not be given back in time; the next start of this "
                    "worker goes on with them",
                    all.size()));
    done_ = true;
  }
}

// A job that is being asked for may still come, and is then trained.
void Agent::AdvanceIdle(absl::Time now) {
  if (!ever_registered_ || !AllWork().empty()) busy_at_ = now;
  const bool asking =
      std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.acquire != 0; });
  if (asking || stop_asked_ || !idle(now)) return;
  LogInfo(fmt::format("no job for {:g} s", absl::ToDoubleSeconds(options_.idle_exit)));
  On(StopAsked{}, now);
}

template <typename Answer>
void Agent::Pass(const Answer& event, absl::Time now) {
  const Event any = event;
  if (corpora_.Handle(any, now)) return;
  for (AttemptWork* work : AllWork()) {
    if (work->Handle(any, now)) return;
  }
}

}  // namespace etude
