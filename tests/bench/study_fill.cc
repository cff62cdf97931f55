#include "tests/bench/study_fill.h"

#include <algorithm>

#include "lib/base/status.h"
#include "lib/scaling/spec.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/job_cycles.h"
#include "tests/bench/loss_law.h"
#include "tests/bench/simulated_fleet.h"

namespace etude {
namespace {

constexpr int kWorkers = 64;
constexpr absl::Duration kFillLimit = absl::Minutes(30);

struct Made {
  int sweeps = 0;
  int runs = 0;
};

// In sweeps of up to kMaxRunsLimit.
absl::Status SubmitRuns(BenchClient& client, const StudySize& size, int runs, Made& made) {
  const int end = made.runs + runs;
  while (made.runs < end) {
    const int part = std::min(kMaxRunsLimit, end - made.runs);
    RETURN_IF_ERROR(client
                        .Submit({.name = size.prefix + "-" + std::to_string(made.sweeps++),
                                 .runs = part,
                                 .steps = size.steps,
                                 .first_seed = 1 + static_cast<std::uint64_t>(made.runs)})
                        .status());
    made.runs += part;
  }
  return absl::OkStatus();
}

}  // namespace

std::int64_t StudySize::points() const { return trained_runs * steps * kSeriesPerStep; }

absl::Status FillStudy(const BenchBed& bed, const BenchOptions& options, const StudySize& size) {
  BenchClient client(bed.address());
  RETURN_IF_ERROR(client.PushCorpus(bed.directory()));
  Made made;
  RETURN_IF_ERROR(SubmitRuns(client, size, size.trained_runs, made));
  {
    SimulatedFleet fleet(bed.address(), {.workers = kWorkers, .connections = options.connections});
    RETURN_IF_ERROR(fleet.AwaitRegistered());
    JobCycles cycles(fleet);
    RETURN_IF_ERROR(
        Annotate(cycles.AwaitFinished(size.trained_runs, kFillLimit), "fill the store"));
  }
  return SubmitRuns(client, size, size.queued_runs, made);
}

}  // namespace etude
