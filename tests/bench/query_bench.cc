// Questions to a large store: the curve of one run, and the list of a sweep's runs.
#include <fmt/format.h>

#include <functional>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/statistics.h"
#include "tests/bench/study_fill.h"

namespace etude {
namespace {

constexpr char kSweep[] = "query-0";
constexpr std::int64_t kSteps = 250;  // 1000 points a run
constexpr std::size_t kMinCalls = 20;
constexpr int kPage = 500;  // as the shipped client asks
constexpr std::uint64_t kSeed = 3;

StudySize SizeOf(Scale scale) {
  return {
      .prefix = "query", .trained_runs = scale == Scale::kFull ? 10'000 : 1'000, .steps = kSteps};
}

// Calls one after another for `length`, and at least kMinCalls of them.
absl::StatusOr<double> P99Ms(absl::Duration length, const std::function<absl::Status()>& call) {
  LatencyLog log;
  const absl::Time end = SystemClock().MonotonicNow() + length;
  while (log.count() < kMinCalls || SystemClock().MonotonicNow() < end) {
    const absl::Time begin = SystemClock().MonotonicNow();
    RETURN_IF_ERROR(call());
    log.Add(SystemClock().MonotonicNow() - begin);
  }
  return log.PercentileMs(0.99);
}

}  // namespace

absl::StatusOr<Outcome> RunQuery(BenchBed& bed, const BenchOptions& options) {
  const StudySize size = SizeOf(options.scale);
  RETURN_IF_ERROR(FillStudy(bed, options, size));
  BenchClient client(bed.address());
  ASSIGN_OR_RETURN(const v1::ListRunsResponse runs, client.ListRuns(kSweep));
  if (runs.runs_size() != size.trained_runs) return Internal("the list lacks runs");
  const std::size_t list_bytes = runs.ByteSizeLong();
  const CounterRandom random(kSeed, RandomStream::kSampling);
  std::uint64_t draw = 0;
  const auto read_curve = [&]() -> absl::Status {
    const auto index = random.Below(draw++, static_cast<std::uint64_t>(runs.runs_size()));
    ASSIGN_OR_RETURN(const std::int64_t points,
                     client.CountCurve(runs.runs(static_cast<int>(index)).run().key()));
    return points * size.trained_runs == size.points() ? absl::OkStatus()
                                                       : Internal("the curve lacks points");
  };
  const auto read_page = [&]() -> absl::Status {
    const std::uint64_t pages = static_cast<std::uint64_t>(size.trained_runs / kPage);
    const int offset = static_cast<int>(random.Below(draw++, pages)) * kPage;
    ASSIGN_OR_RETURN(const v1::ListRunsResponse page, client.ListRuns(kSweep, offset, kPage));
    return page.runs_size() == kPage ? absl::OkStatus() : Internal("the page lacks runs");
  };
  Outcome outcome;
  for (int i = 0; i < options.repeats; ++i) {
    ASSIGN_OR_RETURN(const double curve, P99Ms(options.length, read_curve));
    ASSIGN_OR_RETURN(const double list, P99Ms(options.length, read_page));
    ASSIGN_OR_RETURN(const double all,
                     P99Ms(options.length, [&] { return client.ListRuns(kSweep).status(); }));
    outcome.repeats.push_back(
        {{"curve_p99_ms", curve}, {"list_p99_ms", list}, {"list_all_p99_ms", all}});
  }
  outcome.notes.push_back(
      fmt::format("{} runs with {} points; one call at a time; list_p99_ms is of {} runs, as the "
                  "client asks for them",
                  size.trained_runs, size.points(), kPage));
  if (list_bytes > kShippedReplyBytes) {
    outcome.notes.push_back(
        fmt::format("the shipped client cannot read the list of {} bytes: it takes {}", list_bytes,
                    kShippedReplyBytes));
  }
  return outcome;
}

}  // namespace etude
