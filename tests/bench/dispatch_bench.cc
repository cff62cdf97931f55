// Jobs: whole cycles from submission to a durable success, and how soon an idle worker has a job
// that was just submitted.
#include <fmt/format.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/job_cycles.h"
#include "tests/bench/loss_law.h"
#include "tests/bench/simulated_fleet.h"
#include "tests/bench/statistics.h"

namespace etude {
namespace {

constexpr int kWorkers = 100;
constexpr std::int64_t kSteps = 4;  // of a job: 16 points
constexpr int kRunsPerSweep = 1000;
constexpr int kMinQueued = 1000;  // jobs; below it another sweep is submitted
constexpr int kIdleJobs = 200;    // of one repeat
constexpr absl::Duration kIdlePause = absl::Milliseconds(10);  // the worker polls again long before
constexpr absl::Duration kLookEvery = absl::Milliseconds(5);
constexpr absl::Duration kJobLimit = absl::Seconds(30);

absl::Time Now() { return SystemClock().MonotonicNow(); }

// Submits sweeps of runs that nobody has had yet.
class Submitter {
 public:
  explicit Submitter(BenchClient& client) : client_(client) {}
  absl::Status Submit(int runs) {
    const std::string name = fmt::format("dispatch-{}", sweeps_++);
    const auto first_seed = static_cast<std::uint64_t>(submitted_) + 1;
    submitted_ += runs;
    return client_.Submit({.name = name, .runs = runs, .steps = kSteps, .first_seed = first_seed})
        .status();
  }
  std::int64_t submitted() const { return submitted_; }

 private:
  BenchClient& client_;
  std::int64_t submitted_ = 0;
  int sweeps_ = 0;
};

// Jobs finished a second while the queue never runs dry: submission is part of the load.
absl::StatusOr<double> CyclesPerSecond(SimulatedFleet& fleet, Submitter& submitter,
                                       absl::Duration length) {
  const std::int64_t before = submitter.submitted();
  RETURN_IF_ERROR(submitter.Submit(2 * kMinQueued));
  JobCycles cycles(fleet);
  RETURN_IF_ERROR(cycles.AwaitFinished(1, kJobLimit));
  const absl::Time begin = Now();
  const std::int64_t finished = cycles.finished();
  while (Now() < begin + length && cycles.status().ok()) {
    if (submitter.submitted() - before - cycles.finished() < kMinQueued) {
      RETURN_IF_ERROR(submitter.Submit(kRunsPerSweep));
    } else {
      SystemClock().SleepFor(kLookEvery);
    }
  }
  const auto done = static_cast<double>(cycles.finished() - finished);
  const double rate = done / absl::ToDoubleSeconds(Now() - begin);
  RETURN_IF_ERROR(cycles.AwaitFinished(submitter.submitted() - before, kJobLimit));
  return rate;
}

// One worker that polls, and jobs that come one by one.
class IdleProbe {
 public:
  IdleProbe(SimulatedFleet& fleet, Submitter& submitter)
      : fleet_(fleet), worker_(fleet.worker(0)), submitter_(submitter) {
    worker_.Ask([this](SimulatedWorker&, const HeldJob& lease) { OnLease(lease); });
  }
  ~IdleProbe() { fleet_.Stop(); }
  IdleProbe(const IdleProbe&) = delete;
  IdleProbe& operator=(const IdleProbe&) = delete;

  // From the submission of a job, as its client sends it, until the worker has it.
  absl::Status Measure(LatencyLog& log) {
    RETURN_IF_ERROR(
        AwaitThat("a long poll", kJobLimit, [this] { return worker_.standing().polls; }));
    SystemClock().SleepFor(kIdlePause);
    jobs_.Add();
    const absl::Time submitted_at = Now();
    RETURN_IF_ERROR(submitter_.Submit(1));
    RETURN_IF_ERROR(Annotate(jobs_.Await(kJobLimit), "a job of an idle worker"));
    const MutexLock lock(mutex_);
    log.Add(leased_at_ - submitted_at);
    return absl::OkStatus();
  }

 private:
  void OnLease(const HeldJob& lease) {
    {
      const MutexLock lock(mutex_);
      leased_at_ = Now();
    }
    worker_.Report(MakePoints(SeedOf(lease.run), 1, lease.steps), [this, lease](
                                                                      const absl::Status& status) {
      if (!status.ok()) return jobs_.Done(status);
      worker_.Finish(LawLoss(lease.steps), [this](const absl::Status& end) { jobs_.Done(end); });
    });
  }

  SimulatedFleet& fleet_;
  SimulatedWorker& worker_;
  Submitter& submitter_;
  Pending jobs_;
  Mutex mutex_;
  absl::Time leased_at_ ABSL_GUARDED_BY(mutex_);
};

absl::Status MeasureIdle(const BenchBed& bed, Submitter& submitter, int repeat, LatencyLog& log) {
  SimulatedFleet fleet(bed.address(), {.workers = 1, .prefix = fmt::format("idle-{}", repeat)});
  RETURN_IF_ERROR(fleet.AwaitRegistered());
  IdleProbe probe(fleet, submitter);
  for (int i = 0; i < kIdleJobs; ++i) RETURN_IF_ERROR(probe.Measure(log));
  return absl::OkStatus();
}

struct BusyResult {
  double cycles_per_s = 0;
  double cpu_us_per_cycle = 0;  // of the coordinator; hardly depends on what else the machine does
};

absl::StatusOr<BusyResult> MeasureBusy(const BenchBed& bed, Submitter& submitter,
                                       const BenchOptions& options, int repeat) {
  SimulatedFleet fleet(bed.address(), {.workers = kWorkers,
                                       .connections = options.connections,
                                       .prefix = fmt::format("busy-{}", repeat)});
  RETURN_IF_ERROR(fleet.AwaitRegistered());
  const absl::Duration cpu_before = bed.coordinator().CpuTime();
  const std::int64_t jobs_before = submitter.submitted();
  ASSIGN_OR_RETURN(const double rate, CyclesPerSecond(fleet, submitter, options.length));
  const absl::Duration cpu = bed.coordinator().CpuTime() - cpu_before;
  const auto jobs = static_cast<double>(submitter.submitted() - jobs_before);
  return BusyResult{rate, absl::ToDoubleMicroseconds(cpu) / jobs};
}

}  // namespace

absl::StatusOr<Outcome> RunDispatch(BenchBed& bed, const BenchOptions& options) {
  BenchClient client(bed.address());
  RETURN_IF_ERROR(client.PushCorpus(bed.directory()));
  Submitter submitter(client);
  Outcome outcome;
  for (int i = 0; i < options.repeats; ++i) {
    ASSIGN_OR_RETURN(const BusyResult busy, MeasureBusy(bed, submitter, options, i));
    LatencyLog idle;
    RETURN_IF_ERROR(MeasureIdle(bed, submitter, i, idle));
    outcome.repeats.push_back({{"cycles_per_s", busy.cycles_per_s},
                               {"cpu_us_per_cycle", busy.cpu_us_per_cycle},
                               {"idle_p50_ms", idle.PercentileMs(0.50)},
                               {"idle_p99_ms", idle.PercentileMs(0.99)}});
  }
  outcome.notes.push_back(
      fmt::format("{} workers, one job each at a time; a cycle is its share of a sweep of {}, "
                  "Acquire, {} points, Finish; {} jobs in all; idle: {} jobs, one by one",
                  kWorkers, kRunsPerSweep, kSteps * kSeriesPerStep, submitter.submitted(),
                  kIdleJobs * options.repeats));
  return outcome;
}

}  // namespace etude
