// One sweep of as many runs as may be: how long its submission takes, from the call to its answer.
#include <fmt/format.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/scaling/spec.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"

namespace etude {
namespace {

constexpr int kWantedRuns = 100'000;

}  // namespace

absl::StatusOr<Outcome> RunSubmit(BenchBed& bed, const BenchOptions& options) {
  BenchClient client(bed.address());
  RETURN_IF_ERROR(client.PushCorpus(bed.directory()));
  const int runs = std::min(kWantedRuns, kMaxRunsLimit);
  std::size_t reply_bytes = 0;
  Outcome outcome;
  for (int i = 0; i < options.repeats; ++i) {
    const absl::Time begin = SystemClock().MonotonicNow();
    ASSIGN_OR_RETURN(
        const v1::SubmitSweepResponse response,
        client.Submit({.name = fmt::format("submit-{}", i),
                       .runs = runs,
                       .steps = 1000,
                       .first_seed = 1 + static_cast<std::uint64_t>(i) * kWantedRuns}));
    const absl::Duration taken = SystemClock().MonotonicNow() - begin;
    if (response.sweep().runs_size() != runs || response.runs_shared() != 0) {
      return Internal(fmt::format("the sweep has {} runs, {} of them shared, instead of {}",
                                  response.sweep().runs_size(), response.runs_shared(), runs));
    }
    reply_bytes = response.ByteSizeLong();
    outcome.repeats.push_back({{"submit_s", absl::ToDoubleSeconds(taken)},
                               {"runs", static_cast<double>(runs)},
                               {"reply_mib", static_cast<double>(reply_bytes) / (1 << 20)}});
  }
  if (runs < kWantedRuns) {
    outcome.notes.push_back(
        fmt::format("{} runs instead of {}: limits.max_runs of a spec is at most {}", runs,
                    kWantedRuns, kMaxRunsLimit));
  }
  if (reply_bytes > kShippedReplyBytes) {
    outcome.notes.push_back(
        fmt::format("the shipped client cannot read the answer of {} bytes: it takes {}",
                    reply_bytes, kShippedReplyBytes));
  }
  return outcome;
}

}  // namespace etude
