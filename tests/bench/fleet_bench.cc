// A thousand workers: what they cost while nothing happens, and how soon those that train are
// known again after the coordinator was killed.
#include <fmt/format.h>

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/simulated_fleet.h"
#include "tests/bench/statistics.h"

namespace etude {
namespace {

constexpr int kWorkers = 1000;
constexpr int kHolders = 500;  // of them hold a lease when the coordinator dies
constexpr absl::Duration kSettle = absl::Seconds(3);       // the registrations are over
constexpr absl::Duration kIdleWindow = absl::Seconds(10);  // two polls of each worker end in it
constexpr absl::Duration kReturnLimit = absl::Seconds(60);

absl::Time Now() { return SystemClock().MonotonicNow(); }

bool Holds(const SimulatedWorker::Standing& one) { return one.lease.has_value(); }

// Share of one core, in percent.
double CpuPercent(const CoordinatorProcess& coordinator, absl::Duration length) {
  const absl::Duration before = coordinator.CpuTime();
  const absl::Time begin = Now();
  SystemClock().SleepFor(length);
  return 100 * absl::FDivDuration(coordinator.CpuTime() - before, Now() - begin);
}

int LeasesLost(const SimulatedFleet& fleet) {
  int lost = 0;
  for (const auto& worker : fleet.workers()) lost += worker->standing().leases_lost;
  return lost;
}

struct Return {
  double seconds = 0;  // from the kill until the last holder is told to keep its lease
  int lost = 0;
};

absl::StatusOr<Return> KillAndAwaitReturn(BenchBed& bed, const SimulatedFleet& fleet) {
  const absl::Time killed_at = Now();
  RETURN_IF_ERROR(bed.KillAndRestart());
  absl::Time last = killed_at;
  const auto confirmed = [&](const SimulatedWorker::Standing& one) {
    if (!one.lease || one.confirmed_at <= bed.coordinator().started_at()) return false;
    last = std::max(last, one.confirmed_at);
    return true;
  };
  RETURN_IF_ERROR(AwaitThat("return of the leases", kReturnLimit, [&] {
    return fleet.Count(confirmed) + LeasesLost(fleet) >= kHolders;
  }));
  ASSIGN_OR_RETURN(const v1::GetInfoResponse info, BenchClient(bed.address()).Info());
  const int unknown = kHolders - std::min(kHolders, static_cast<int>(info.leased_jobs()));
  return Return{absl::ToDoubleSeconds(last - killed_at), std::max(LeasesLost(fleet), unknown)};
}

absl::StatusOr<Measurement> MeasureOnce(BenchBed& bed, const BenchOptions& options) {
  RETURN_IF_ERROR(bed.StartAfresh());
  const double empty_mib = bed.coordinator().ResidentMib();
  BenchClient client(bed.address());
  RETURN_IF_ERROR(client.PushCorpus(bed.directory()));
  SimulatedFleet fleet(bed.address(), {.workers = kWorkers, .connections = options.connections});
  RETURN_IF_ERROR(fleet.AwaitRegistered());
  for (const auto& worker : fleet.workers()) worker->Ask([](SimulatedWorker&, const HeldJob&) {});
  SystemClock().SleepFor(kSettle);
  const double cpu_percent = CpuPercent(bed.coordinator(), kIdleWindow);
  const double rss_mib = bed.coordinator().ResidentMib();
  RETURN_IF_ERROR(client.Submit({.name = "held", .runs = kHolders, .steps = 1000}).status());
  RETURN_IF_ERROR(fleet.AwaitLeases(kHolders));
  if (fleet.Count(Holds) != kHolders) return Internal("more leases than jobs");
  ASSIGN_OR_RETURN(const Return back, KillAndAwaitReturn(bed, fleet));
  return Measurement{{"rss_mib", rss_mib},
                     {"rss_empty_mib", empty_mib},
                     {"cpu_percent", cpu_percent},
                     {"reconnect_s", back.seconds},
                     {"leases_lost", static_cast<double>(back.lost)}};
}

}  // namespace

absl::StatusOr<Outcome> RunFleet(BenchBed& bed, const BenchOptions& options) {
  Outcome outcome;
  for (int i = 0; i < options.repeats; ++i) {
    ASSIGN_OR_RETURN(Measurement measured, MeasureOnce(bed, options));
    outcome.repeats.push_back(std::move(measured));
  }
  outcome.notes.push_back(
      fmt::format("{} workers over {} connections, each with a long poll of 10 s and a heartbeat "
                  "as often as it "
                  "is told (idle 7.5 s, else 2 s); {} of them hold a lease at the kill; "
                  "reconnect_s counts from the kill",
                  kWorkers, std::min(options.connections, kWorkers), kHolders));
  return outcome;
}

}  // namespace etude
