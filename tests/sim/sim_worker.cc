#include "tests/sim/sim_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {

SimWorker::SimWorker(int number, std::string state_dir, const WorkerNature& nature,
                     const Wire& wire, Oracle& oracle, const Dice& dice)
    : number_(number),
      state_dir_(std::move(state_dir)),
      nature_(nature),
      wire_(wire),
      oracle_(oracle),
      dice_(dice),
      clock_(wire.timeline) {
  MakeStateDir();
}

void SimWorker::MakeStateDir() const {
  for (const char* part : {"attempts", "corpora", "logs"}) {
    ENSURE(MakeDirectories(state_dir_ + "/" + part).ok());
  }
}

void SimWorker::Note(const std::string& line) const {
  wire_.trace.Note(fmt::format("w{}: {}", number_, line));
}

AgentOptions SimWorker::Options() {
  AgentOptions options;
  options.state_dir = state_dir_;
  options.endpoint = "coordinator:7433";
  options.worker.id = WorkerId(fmt::format("w{}.{}", number_, machines_));
  options.worker.slots = nature_.slots;
  options.checkpoint_every = nature_.checkpoint_every;
  options.upload_every = nature_.upload_every;
  options.jitter_seed = static_cast<std::uint64_t>(dice_.Between(1, 1'000'000));
  return options;
}

void SimWorker::Start() {
  if (running() || lost_) return;
  ++process_;
  Note("starts");
  const auto deliver = [this](const Event& event) { Deliver(event); };
  transport_ = std::make_unique<SimTransport>(wire_, number_, dice_.Split(), deliver);
  spawner_ = std::make_unique<SimSpawner>(wire_.timeline, clock_, oracle_, wire_.trace,
                                          dice_.Split(), nature_.pace, trouble_, deliver);
  agent_ = std::make_unique<Agent>(Options(), *transport_, *spawner_, clock_.MonotonicNow());
  Tick();
}

void SimWorker::Crash(bool power) {
  if (!running()) return;
  Note(power ? "loses power" : "dies");
  ++process_;
  if (power) CutLogs();
  agent_.reset();
  spawner_.reset();
  transport_.reset();
  waiting_.clear();
  paused_ = false;
  clock_.Reboot(dice_.Between(absl::ZeroDuration(), absl::Hours(1)));
}

void SimWorker::Lose() {
  Crash(/*power=*/true);
  wire_.trace.Count("lost machine");
  lost_ = true;
}

void SimWorker::Replace() {
  if (!std::exchange(lost_, false)) return;
  std::filesystem::remove_all(state_dir_);
  MakeStateDir();
  ++machines_;
  Start();
}

// What was written after the last sync is there in part, perhaps up to the middle of a record.
void SimWorker::CutLogs() {
  for (const SimSpawner::Log& log : spawner_->Logs()) {
    oracle_.LostLog(log.job, log.attempt);
    const auto size = static_cast<int>(std::filesystem::file_size(log.path));
    const int kept = dice_.Between(std::min(static_cast<int>(log.synced), size), size);
    std::filesystem::resize_file(log.path, static_cast<std::uintmax_t>(kept));
  }
}

void SimWorker::Pause(bool trainers_too) {
  if (!running() || paused_) return;
  Note(trainers_too ? "stops with its trainers" : "stops");
  wire_.trace.Count("worker pause");
  paused_ = true;
  spawner_->set_stopped(trainers_too);
}

void SimWorker::Continue() {
  if (!std::exchange(paused_, false)) return;
  Note("continues");
  spawner_->set_stopped(false);
  for (const Event& event : std::exchange(waiting_, {})) Deliver(event);
  if (running()) Tick();
}

void SimWorker::AskToStop() {
  if (!running() || paused_) return;
  Note("is asked to stop");
  wire_.trace.Count("stop");
  Deliver(StopAsked{});
}

void SimWorker::CrashTrainer(const TrainerExit& exit) {
  if (!running()) return;
  Note(fmt::format("a trainer dies of signal {}", exit.signal));
  spawner_->CrashOne(exit);
}

void SimWorker::SpoilLog() {
  if (!running()) return;
  for (const SimSpawner::Log& log : spawner_->Logs()) {
    oracle_.LostLog(log.job, log.attempt);
    wire_.trace.Count("spoilt log");
    const auto size = static_cast<int>(std::filesystem::file_size(log.path));
    const int place = dice_.Between(0, size - 1);
    Note(fmt::format("byte {} of a log of {} is spoilt", place, size));
    std::fstream file(log.path, std::ios::in | std::ios::out | std::ios::binary);
    const int byte = file.seekg(place).get();
    file.seekp(place).put(static_cast<char>(byte ^ 0x55));
  }
}

bool SimWorker::idle() const {
  if (!running()) return lost_;
  return transport_->held() == 0 && UnfinishedAttempts(state_dir_).empty();
}

void SimWorker::ConnectionBroke() {
  if (running()) transport_->Break();
}

void SimWorker::Deliver(const Event& event) {
  if (!running() || agent_->done() || oracle_.violated()) return;
  if (paused_) {
    waiting_.push_back(event);
    return;
  }
  agent_->Handle(event, clock_.MonotonicNow());
  Review();
}

void SimWorker::Tick() {
  if (paused_ || agent_->done() || oracle_.violated()) return;
  agent_->Tick(clock_.MonotonicNow());
  Review();
  wire_.timeline.After(agent_->NextWait() * nature_.tick_after, [this, process = process_] {
    if (process == process_) Tick();
  });
}

void SimWorker::Review() {
  if (!agent_->done()) return;
  Note("ends: " + std::string(agent_->exit_status().ok() ? "ok" : "error"));
  wire_.timeline.After(absl::ZeroDuration(), [this, process = process_] {
    if (process == process_) Crash(/*power=*/false);
  });
  wire_.timeline.After(absl::Seconds(1), [this] { Start(); });
}

}  // namespace etude
