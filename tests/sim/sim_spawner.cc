#include "tests/sim/sim_spawner.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <limits>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr double kCheckpointsBest = 0.5;  // beside a resume checkpoint

std::string LogOf(const FakeTraining& training) {
  return training.job().attempt_dir + "/" + kPointsLogFile;
}

std::int64_t SizeOf(const FakeTraining& training) {
  return static_cast<std::int64_t>(std::filesystem::file_size(LogOf(training)));
}

}  // namespace

SimSpawner::SimSpawner(Timeline& timeline, Clock& clock, Oracle& oracle, Trace& trace,
                       const Dice& dice, const TrainerPace& pace, const TrainerTrouble& trouble,
                       Deliver deliver)
    : timeline_(timeline),
      clock_(clock),
      oracle_(oracle),
      trace_(trace),
      dice_(dice),
      pace_(pace),
      trouble_(trouble),
      deliver_(std::move(deliver)) {}

SimSpawner::~SimSpawner() { *alive_ = false; }

SimSpawner::Trainer* SimSpawner::Find(TrainerId id) {
  const auto found = trainers_.find(id);
  return found == trainers_.end() ? nullptr : &found->second;
}

void SimSpawner::Later(absl::Duration delay, std::function<void()> action) {
  timeline_.After(delay, [alive = alive_, action = std::move(action)] {
    if (*alive) action();
  });
}

void SimSpawner::LaterInJob(TrainerId id, absl::Duration delay,
                            std::function<void(Trainer&)> action) {
  Later(delay, [this, id, job = trainers_.at(id).jobs, action = std::move(action)] {
    Trainer* trainer = Find(id);
    if (trainer != nullptr && trainer->jobs == job && trainer->training != nullptr) {
      action(*trainer);
    }
  });
}

void SimSpawner::Say(TrainerId id, const Event& event, absl::Duration delay) {
  Trainer& trainer = trainers_.at(id);
  trainer.said_at = std::max(trainer.said_at, timeline_.elapsed() + delay);
  const absl::Duration wait = trainer.said_at - timeline_.elapsed();
  const bool message = std::holds_alternative<TrainerSaid>(event);
  if (message && dice_.Chance(trouble_.say_twice)) {
    trace_.Count("message said twice");
    Later(wait, [=, this] { deliver_(event); });
  }
  Later(wait, [=, this] { deliver_(event); });
}

// Orders.

absl::StatusOr<TrainerId> SimSpawner::Spawn(int) {
  if (dice_.Chance(trouble_.fail_spawn)) {
    trace_.Count("failed spawn");
    return Unavailable("no process can be made");
  }
  const TrainerId id = ++last_;
  trainers_[id] = Trainer{};
  if (dice_.Chance(trouble_.fail_start)) {
    trace_.Count("failed start");
    Later(absl::Milliseconds(50), [this, id] { Die(id, {.code = 127}); });
    return id;
  }
  Later(dice_.Between(absl::Milliseconds(100), absl::Milliseconds(800)), [this, id] {
    Trainer* trainer = Find(id);
    if (trainer == nullptr || std::exchange(trainer->ready, true)) return;
    Say(id, TrainerSaid{id, ReadyMessage{kTrainerProtocol, "cpu", "{}"}}, absl::ZeroDuration());
  });
  return id;
}

absl::Status SimSpawner::Send(TrainerId id, const AgentMessage& message) {
  if (Find(id) == nullptr) return Unavailable("the trainer has ended");
  if (const auto* job = std::get_if<JobMessage>(&message)) StartJob(id, *job);
  if (const auto* stop = std::get_if<StopMessage>(&message)) {
    LaterInJob(id, dice_.Between(absl::Milliseconds(1), absl::Milliseconds(300)),
               [this, id, kind = stop->kind](Trainer& trainer) { Stop(id, trainer, kind); });
  }
  return absl::OkStatus();
}

void SimSpawner::Kill(TrainerId id) { Die(id, {.signal = SIGKILL}); }

void SimSpawner::Die(TrainerId id, const TrainerExit& exit) {
  if (Find(id) == nullptr) return;
  Say(id, TrainerExited{id, exit}, absl::Milliseconds(2));
  trainers_.erase(id);
}

void SimSpawner::CrashOne(const TrainerExit& exit) {
  for (const auto& [id, trainer] : trainers_) {
    if (trainer.training == nullptr) continue;
    trace_.Count("trainer crash");
    return Die(id, exit);
  }
}

// Training.

void SimSpawner::StartJob(TrainerId id, const JobMessage& job) {
  Trainer& trainer = trainers_.at(id);
  if (!FileExists(job.attempt_dir)) return oracle_.LostDirectory(job.job, job.attempt);
  if (job.start_step > 0) {
    const absl::StatusOr<std::string> weights = ReadFile(job.resume_dir + "/model.safetensors");
    oracle_.Resumed(job.job, job.start_step, weights.value_or("nothing"));
    if (oracle_.violated()) return;
  }
  ++trainer.jobs;
  trainer.training = std::make_unique<FakeTraining>(job, clock_);
  trainer.hung = trainer.ending = false;
  trainer.synced = 0;
  trainer.checkpoint_at = clock_.MonotonicNow() + job.checkpoint_every;
  trace_.Note(fmt::format("trains {}#{} from {}", JobName(job.job), job.attempt, job.start_step));
  if (dice_.Chance(trouble_.diverge)) {
    trace_.Count("divergence");
    trainer.training->End(JobOutcome::kDiverged, "the loss is not finite");
    return SayDone(id, JobOutcome::kDiverged);
  }
  LaterInJob(id, pace_.between, [this, id](Trainer& now) { Train(id, now); });
}

void SimSpawner::Train(TrainerId id, Trainer& trainer) {
  if (trainer.ending) return;
  LaterInJob(id, pace_.between, [this, id](Trainer& now) { Train(id, now); });
  if (stopped_) return;
  FakeTraining& training = *trainer.training;
  const JobMessage& job = training.job();
  if (!FileExists(LogOf(training))) return oracle_.LostDirectory(job.job, job.attempt);
  if (dice_.Chance(trouble_.bad_disk)) {
    trace_.Count("full disk of a worker");
    const JobMessage failed = job;
    trainer.training.reset();
    return SayFailed(id, failed, absl::StatusCode::kResourceExhausted);
  }
  const std::int64_t to = std::min(training.step() + pace_.steps, job.to);
  oracle_.Trained(job.job, job.attempt, to);
  training.TrainTo(to);
  if (training.complete()) {
    training.Succeed();
    return SayDone(id, JobOutcome::kSucceeded);
  }
  if (clock_.MonotonicNow() < trainer.checkpoint_at) return;
  trainer.checkpoint_at = clock_.MonotonicNow() + job.checkpoint_every;
  if (dice_.Chance(kCheckpointsBest)) Checkpoint(trainer, CheckpointKind::kBest);
  Checkpoint(trainer, CheckpointKind::kResume);
}

void SimSpawner::Checkpoint(Trainer& trainer, CheckpointKind kind) {
  if (trainer.training->step() == trainer.training->job().start_step) return;
  if (!FileExists(LogOf(*trainer.training))) return;  // the next step says so
  trainer.training->Checkpoint(kind);
  trainer.synced = SizeOf(*trainer.training);
}

void SimSpawner::Stop(TrainerId id, Trainer& trainer, StopKind kind) {
  if (trainer.ending) return;
  trainer.hung = trainer.hung || dice_.Chance(trouble_.hang);
  if (trainer.hung) return trace_.Count("hung trainer");
  if (kind != StopKind::kCancel) Checkpoint(trainer, CheckpointKind::kResume);
  if (kind == StopKind::kCheckpoint) return;
  const bool cancel = kind == StopKind::kCancel;
  const JobOutcome outcome = cancel ? JobOutcome::kCancelled : JobOutcome::kReleased;
  trainer.training->End(outcome, "told to");
  SayDone(id, outcome);
}

// The log is complete; the trainer may still die before it has said so.
void SimSpawner::SayDone(TrainerId id, JobOutcome outcome) {
  trainers_.at(id).ending = true;
  trainers_.at(id).synced = std::numeric_limits<int>::max();
  LaterInJob(id, dice_.Between(absl::Milliseconds(1), absl::Milliseconds(300)),
             [this, id, outcome](Trainer& trainer) {
               const JobMessage job = trainer.training->job();
               trainer.training.reset();
               const DoneMessage done{job.job, job.attempt, outcome, absl::StatusCode::kOk, ""};
               Say(id, TrainerSaid{id, done}, absl::ZeroDuration());
             });
}

void SimSpawner::SayFailed(TrainerId id, const JobMessage& job, absl::StatusCode code) {
  const DoneMessage done{job.job, job.attempt, std::nullopt, code, "points.log: cannot be written"};
  Say(id, TrainerSaid{id, done}, absl::Milliseconds(1));
}

std::vector<SimSpawner::Log> SimSpawner::Logs() const {
  std::vector<Log> logs;
  for (const auto& [id, trainer] : trainers_) {
    if (trainer.training == nullptr || !FileExists(LogOf(*trainer.training))) continue;
    const JobMessage& job = trainer.training->job();
    logs.push_back({job.job, job.attempt, LogOf(*trainer.training), trainer.synced});
  }
  return logs;
}

}  // namespace etude
