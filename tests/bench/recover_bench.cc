// A killed coordinator: how long until another one hands out jobs from the same store.
#include <fmt/format.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/simulated_fleet.h"
#include "tests/bench/statistics.h"
#include "tests/bench/study_fill.h"

namespace etude {
namespace {

constexpr absl::Duration kLeaseLimit = absl::Seconds(60);

// Half of the jobs are done and carry all the points, half are queued.
StudySize SizeOf(Scale scale) {
  if (scale == Scale::kFull) {
    return {.prefix = "recover", .trained_runs = 50'000, .queued_runs = 50'000, .steps = 50};
  }
  return {.prefix = "recover", .trained_runs = 5'000, .queued_runs = 5'000, .steps = 50};
}

// When a worker that no one knows yet has its first job.
absl::StatusOr<absl::Time> FirstLease(const BenchBed& bed, int repeat) {
  Pending lease;
  lease.Add();
  absl::Time leased_at;
  SimulatedFleet fleet(bed.address(), {.workers = 1, .prefix = fmt::format("first-{}", repeat)});
  fleet.worker(0).Ask([&](SimulatedWorker&, const HeldJob&) {
    leased_at = SystemClock().MonotonicNow();
    lease.Done(absl::OkStatus());
  });
  RETURN_IF_ERROR(Annotate(lease.Await(kLeaseLimit), "a job from the restarted coordinator"));
  return leased_at;
}

}  // namespace

absl::StatusOr<Outcome> RunRecover(BenchBed& bed, const BenchOptions& options) {
  const StudySize size = SizeOf(options.scale);
  RETURN_IF_ERROR(FillStudy(bed, options, size));
  Outcome outcome;
  for (int i = 0; i < options.repeats; ++i) {
    RETURN_IF_ERROR(bed.KillAndRestart());
    const absl::Time begin = bed.coordinator().started_at();
    const absl::Duration listening = SystemClock().MonotonicNow() - begin;
    ASSIGN_OR_RETURN(const absl::Time leased_at, FirstLease(bed, i));
    outcome.repeats.push_back({{"recover_s", absl::ToDoubleSeconds(leased_at - begin)},
                               {"listening_s", absl::ToDoubleSeconds(listening)},
                               {"rss_mib", bed.coordinator().ResidentMib()}});
  }
  outcome.notes.push_back(fmt::format(
      "{} jobs done with {} points, {} queued; from the exec of the new process to the first job "
      "of a new worker",
      size.trained_runs, size.points(), size.queued_runs));
  return outcome;
}

}  // namespace etude
