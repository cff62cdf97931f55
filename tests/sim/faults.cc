#include "tests/sim/faults.h"

#include <fmt/format.h>

#include <csignal>

namespace etude {
namespace {

constexpr double kKindIsThere = 0.5;

}  // namespace

Faults::Faults(const Wire& wire, SimClock& coordinator_clock, JournaledStore& store,
               SimClient& client, std::vector<std::unique_ptr<SimWorker>>& workers,
               const Dice& dice)
    : wire_(wire),
      coordinator_clock_(coordinator_clock),
      store_(store),
      client_(client),
      workers_(workers),
      dice_(dice) {}

void Faults::Plan(absl::Duration until) {
  until_ = until;
  if (dice_.Chance(kKindIsThere)) SpoilWeather();
  if (dice_.Chance(kKindIsThere)) SpoilTrainers();
  Some(6, [this] { CutLink(); });
  Some(4, [this] { StallStreams(); });
  Some(4, [this] { CrashCoordinator(); });
  Some(2, [this] { PauseCoordinator(); });
  Some(5, [this] { CrashWorker(); });
  Some(1, [this] { LoseWorker(); });
  Some(6, [this] { CrashTrainer(); });
  Some(2, [this] { SpoilLog(); });
  Some(4, [this] { PauseWorker(); });
  Some(3, [this] { StopWorker(); });
  Some(2, [this] { JumpWall(); });
  Some(2, [this] { SlowCommits(); });
  Some(2, [this] { FillDisk(); });
  Some(4, [this] { SpoilDisk(); });
}

void Faults::Some(int most, const std::function<void()>& begin) {
  if (!dice_.Chance(kKindIsThere)) return;
  const int count = dice_.Between(1, most);
  for (int i = 0; i < count; ++i) {
    After(dice_.Between(absl::ZeroDuration(), until_), begin);
  }
}

void Faults::After(absl::Duration delay, const Action& action) {
  wire_.timeline.After(delay, [this, action] {
    if (!mended_) action();
  });
}

// Short ones more often.
absl::Duration Faults::Length(absl::Duration shortest, absl::Duration longest) {
  const absl::Duration high = dice_.Between(shortest, longest);
  return dice_.Between(shortest, high);
}

SimWorker& Faults::AnyWorker() {
  return *workers_[static_cast<std::size_t>(
      dice_.Between(0, static_cast<int>(workers_.size()) - 1))];
}

void Faults::Mend() {
  mended_ = true;
  wire_.trace.Note("everything is mended");
  wire_.network.set_weather({});
  wire_.network.HealAll();
  store_.set_trouble({});
  wire_.coordinator.set_commit_time({});
  wire_.coordinator.Continue();
  if (!wire_.coordinator.running()) wire_.coordinator.Start();
  for (const auto& worker : workers_) {
    worker->set_trouble({});
    worker->Continue();
    worker->Start();
  }
}

// What lasts.

void Faults::SpoilWeather() {
  wire_.network.set_weather({.drop = 0.06 * dice_.Uniform(),
                             .duplicate = 0.1 * dice_.Uniform(),
                             .late = 0.15 * dice_.Uniform()});
}

void Faults::SpoilTrainers() {
  for (const auto& worker : workers_) {
    worker->set_trouble({.fail_spawn = 0.1 * dice_.Uniform(),
                         .fail_start = 0.1 * dice_.Uniform(),
                         .hang = 0.2 * dice_.Uniform(),
                         .say_twice = 0.2 * dice_.Uniform(),
                         .diverge = 0.04 * dice_.Uniform(),
                         .bad_disk = 0.003 * dice_.Uniform()});
  }
}

// What happens at a time.

void Faults::CutLink() {
  const int link = dice_.Between(0, static_cast<int>(workers_.size()));  // the last: the client's
  const int ways = dice_.Between(1, 3);
  for (const Way way : {Way::kUp, Way::kDown}) {
    if ((ways & (way == Way::kUp ? 1 : 2)) == 0) continue;
    CutLink(link, way, Length(absl::Milliseconds(200), absl::Seconds(40)));
  }
  wire_.trace.Count(ways == 3 ? "partition" : "one-way partition");
}

void Faults::CutLink(int link, Way way, absl::Duration length) {
  wire_.trace.Note(fmt::format("link {}: cut {}", link, way == Way::kUp ? "up" : "down"));
  wire_.network.Cut(link, way);
  After(length, [this, link, way] {
    wire_.trace.Note(fmt::format("link {}: heals", link));
    wire_.network.Heal(link, way);
  });
}

// Half of them are the beginning of something worse: what calls have told by then, streams have
// not, and the worker's leases end.
void Faults::StallStreams() {
  const int link = dice_.Between(0, static_cast<int>(workers_.size()) - 1);
  wire_.trace.Note(fmt::format("link {}: its streams stall", link));
  wire_.trace.Count("stalled stream");
  wire_.network.Stall(link, true);
  After(dice_.Between(absl::Seconds(1), absl::Seconds(20)), [this, link] {
    wire_.trace.Note(fmt::format("link {}: its streams move", link));
    wire_.network.Stall(link, false);
    if (dice_.Chance(0.5)) CutLink(link, Way::kUp, absl::Seconds(15));
  });
}

// Half of them at the worst moment.
void Faults::CrashCoordinator() {
  if (dice_.Chance(0.5)) return CrashNow();
  wire_.coordinator.InNextCommit([this] {
    if (!mended_) CrashNow();
  });
}

void Faults::CrashNow() {
  if (!wire_.coordinator.running()) return;
  wire_.coordinator.Crash();
  store_.Crash();
  if (dice_.Chance(0.3)) coordinator_clock_.Reboot(Length(absl::ZeroDuration(), absl::Hours(2)));
  for (const auto& worker : workers_) worker->ConnectionBroke();
  client_.ConnectionBroke();
  After(Length(absl::Milliseconds(50), absl::Seconds(20)), [this] {
    if (!wire_.coordinator.running()) wire_.coordinator.Start();
  });
}

void Faults::PauseCoordinator() {
  wire_.coordinator.Pause();
  After(Length(absl::Milliseconds(100), absl::Seconds(30)),
        [this] { wire_.coordinator.Continue(); });
}

void Faults::CrashWorker() {
  SimWorker& worker = AnyWorker();
  const bool power = dice_.Chance(0.3);
  if (worker.running()) wire_.trace.Count(power ? "power loss" : "worker crash");
  worker.Crash(power);
  After(Length(absl::Milliseconds(50), absl::Seconds(30)), [&worker] { worker.Start(); });
}

void Faults::LoseWorker() {
  SimWorker& worker = AnyWorker();
  worker.Lose();
  if (dice_.Chance(0.5)) {
    After(Length(absl::Seconds(1), absl::Seconds(30)), [&worker] { worker.Replace(); });
  }
}

void Faults::CrashTrainer() {
  const double kind = dice_.Uniform();
  TrainerExit exit{.signal = SIGKILL};
  if (kind < 0.3) exit.signal = SIGSEGV;
  exit.out_of_memory = kind > 0.95;
  AnyWorker().CrashTrainer(exit);
}

void Faults::PauseWorker() {
  SimWorker& worker = AnyWorker();
  worker.Pause(/*trainers_too=*/dice_.Chance(0.5));
  After(Length(absl::Milliseconds(100), absl::Seconds(45)), [&worker] { worker.Continue(); });
}

void Faults::StopWorker() { AnyWorker().AskToStop(); }

void Faults::SpoilLog() { AnyWorker().SpoilLog(); }

void Faults::JumpWall() {
  const absl::Duration by = dice_.Between(-absl::Hours(24 * 400), absl::Hours(24 * 400));
  wire_.trace.Note("wall time jumps");
  wire_.trace.Count("clock jump");
  coordinator_clock_.JumpWall(by);
  AnyWorker().clock().JumpWall(-by);
}

void Faults::SlowCommits() {
  wire_.trace.Note("commits are slow");
  wire_.trace.Count("slow disk");
  wire_.coordinator.set_commit_time(
      {absl::Milliseconds(50), Length(absl::Seconds(1), absl::Seconds(9))});
  After(Length(absl::Seconds(2), absl::Seconds(20)), [this] {
    wire_.trace.Note("commits are quick");
    wire_.coordinator.set_commit_time({});
  });
}

void Faults::FillDisk() {
  store_.set_trouble({.full = true});
  After(Length(absl::Seconds(1), absl::Seconds(15)), [this] { store_.set_trouble({}); });
}

void Faults::SpoilDisk() {
  store_.set_trouble({.fail_commit = 0.8 * dice_.Uniform(), .fail_load = 0.9 * dice_.Uniform()});
  After(Length(absl::Seconds(2), absl::Seconds(25)), [this] { store_.set_trouble({}); });
}

}  // namespace etude
