#include "tests/bench/simulated_fleet.h"

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tests/bench/statistics.h"

namespace etude {
namespace {

constexpr absl::Duration kAdvanceEvery = absl::Milliseconds(10);
constexpr absl::Duration kPatience = absl::Seconds(60);

}  // namespace

SimulatedFleet::SimulatedFleet(const CoordinatorAddress& address, const FleetOptions& options)
    : link_(address, std::min(options.connections, options.workers)) {
  for (int i = 0; i < options.workers; ++i) {
    const double phase = static_cast<double>(i) / options.workers;
    workers_.push_back(std::make_unique<SimulatedWorker>(link_, i, options.prefix, phase));
  }
  clockwork_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void SimulatedFleet::Stop() {
  clockwork_.request_stop();
  if (clockwork_.joinable()) clockwork_.join();
  link_.Close();
}

void SimulatedFleet::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const absl::Time now = SystemClock().MonotonicNow();
    for (const auto& worker : workers_) worker->Advance(now);
    SystemClock().SleepFor(kAdvanceEvery);
  }
}

int SimulatedFleet::Count(const Test& test) const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(), [&](const auto& worker) {
    return test(worker->standing());
  }));
}

absl::Status SimulatedFleet::Explain(const absl::Status& status) const {
  for (const auto& worker : workers_) {
    const absl::Status refusal = worker->standing().refusal;
    if (!status.ok() && !refusal.ok()) return Annotate(refusal, MessageOf(status));
  }
  return status;
}

absl::Status SimulatedFleet::AwaitRegistered() const {
  return Explain(AwaitThat("registration of every worker", kPatience, [this] {
    return Count([](const SimulatedWorker::Standing& one) { return one.registered; }) == size();
  }));
}

absl::Status SimulatedFleet::AwaitLeases(int leases) {
  for (const auto& worker : workers_) worker->Ask([](SimulatedWorker&, const HeldJob&) {});
  return Explain(AwaitThat("leases", kPatience, [this, leases] {
    return Count([](const SimulatedWorker::Standing& one) { return one.lease.has_value(); }) >=
           leases;
  }));
}

}  // namespace etude
