// Loss points: how many become durable in a second, how soon they are acknowledged, and whether a
// batch that is sent again costs more in a large store.
#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/loss_law.h"
#include "tests/bench/simulated_fleet.h"
#include "tests/bench/stream_load.h"

namespace etude {
namespace {

constexpr std::int64_t kEndlessSteps = 10'000'000;
constexpr std::int64_t kLargeStore[] = {1'000'000, 10'000'000};  // points, by scale

// What 64 streams offer in steps of 40 with four series, ten times a second: 102,400 points/s.
// A worker tails its log every 100 ms (worker/agent.h) and sends what it finds.
Pace OfferedPace(const BenchOptions& options) {
  Pace pace;
  pace.length = options.length;
  return pace;
}

std::int64_t PointsPerRound(const Pace& pace) {
  return std::int64_t{pace.steps_per_batch} * kSeriesPerStep * kStreams;
}

// Enough for one batch of each stream: 10,240 points.
absl::Status FillSmall(StreamLoad& load, Pace pace) {
  pace.length = pace.every;
  return load.Paced(pace).status();
}

absl::StatusOr<std::vector<double>> RetryP99s(StreamLoad& load, const BenchOptions& options) {
  std::vector<double> p99s;
  for (int i = 0; i < options.repeats; ++i) {
    ASSIGN_OR_RETURN(const LoadResult retried, load.Retried(OfferedPace(options)));
    p99s.push_back(retried.ack_p99_ms);
  }
  return p99s;
}

// Ingest at full speed, and at the offered pace.
absl::StatusOr<Measurement> MeasureIngest(const CoordinatorProcess& coordinator, StreamLoad& load,
                                          const BenchOptions& options) {
  const absl::Duration cpu_before = coordinator.CpuTime();
  const std::int64_t points_before = load.stored();
  ASSIGN_OR_RETURN(const LoadResult full, load.Saturated(options.length));
  const absl::Duration cpu = coordinator.CpuTime() - cpu_before;
  const auto points = static_cast<double>(load.stored() - points_before);
  ASSIGN_OR_RETURN(const LoadResult paced, load.Paced(OfferedPace(options)));
  return Measurement{{"points_per_s", full.points_per_s},
                     {"cpu_us_per_point", absl::ToDoubleMicroseconds(cpu) / points},
                     {"ack_p50_ms", paced.ack_p50_ms},
                     {"ack_p99_ms", paced.ack_p99_ms},
                     {"paced_points_per_s", paced.points_per_s},
                     {"saturated_ack_p50_ms", full.ack_p50_ms},
                     {"saturated_ack_p99_ms", full.ack_p99_ms}};
}

std::vector<std::string> NotesOf(const Pace& pace, std::int64_t small, std::int64_t large,
                                 std::int64_t end) {
  return {fmt::format(
              "ack_* at an offered {:.0f} points/s in batches of {} points over {} streams; "
              "points_per_s and saturated_* with 8 batches of 4096 points under way in each stream",
              static_cast<double>(PointsPerRound(pace)) / absl::ToDoubleSeconds(pace.every),
              pace.steps_per_batch * kSeriesPerStep, kStreams),
          fmt::format("retries at the same pace, small: {} points stored, large: {}; ingest is "
                      "measured from there on, {} at the end",
                      small, large, end)};
}

}  // namespace

absl::StatusOr<Outcome> RunIngest(BenchBed& bed, const BenchOptions& options) {
  BenchClient client(bed.address());
  RETURN_IF_ERROR(client.PushCorpus(bed.directory()));
  RETURN_IF_ERROR(
      client.Submit({.name = "ingest", .runs = kStreams, .steps = kEndlessSteps}).status());
  SimulatedFleet fleet(bed.address(), {.workers = kStreams, .connections = options.connections});
  RETURN_IF_ERROR(fleet.AwaitRegistered());
  RETURN_IF_ERROR(fleet.AwaitLeases(kStreams));
  StreamLoad load(fleet);
  const Pace pace = OfferedPace(options);

  RETURN_IF_ERROR(FillSmall(load, pace));
  const std::int64_t small = load.stored();
  ASSIGN_OR_RETURN(const std::vector<double> at_small, RetryP99s(load, options));
  RETURN_IF_ERROR(load.FillTo(kLargeStore[options.scale == Scale::kFull ? 1 : 0]));
  const std::int64_t large = load.stored();
  ASSIGN_OR_RETURN(const std::vector<double> at_large, RetryP99s(load, options));

  Outcome outcome;
  for (std::size_t i = 0; i < at_small.size(); ++i) {
    ASSIGN_OR_RETURN(Measurement measured, MeasureIngest(bed.coordinator(), load, options));
    measured.push_back({"retry_ack_p99_ms_at_small", at_small[i]});
    measured.push_back({"retry_ack_p99_ms_at_large", at_large[i]});
    outcome.repeats.push_back(std::move(measured));
  }
  outcome.notes = NotesOf(pace, small, large, load.stored());
  return outcome;
}

}  // namespace etude
