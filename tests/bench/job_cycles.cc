#include "tests/bench/job_cycles.h"

#include <algorithm>
#include <string>

#include "lib/base/status.h"
#include "proto/convert.h"
#include "tests/bench/loss_law.h"

namespace etude {
namespace {

constexpr std::int64_t kStepsPerReport = kMaxPointsPerReport / kSeriesPerStep;
constexpr absl::Duration kStopLimit = absl::Seconds(60);

}  // namespace

JobCycles::JobCycles(SimulatedFleet& fleet) : fleet_(fleet) {
  for (const auto& worker : fleet_.workers()) {
    worker->Ask([this](SimulatedWorker& one, const HeldJob& lease) { Train(one, lease); });
  }
}

// A poll that is open still gets its job, which nobody trains then.
JobCycles::~JobCycles() {
  for (const auto& worker : fleet_.workers()) worker->StopAsking();
  bool idle = false;
  {
    const MutexLock lock(mutex_);
    idle = changed_.WaitFor(mutex_, kStopLimit,
                            [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return training_ == 0; });
  }
  if (!idle) fleet_.Stop();
}

std::int64_t JobCycles::finished() const {
  const MutexLock lock(mutex_);
  return finished_;
}

absl::Status JobCycles::status() const {
  const MutexLock lock(mutex_);
  return status_;
}

absl::Status JobCycles::AwaitFinished(std::int64_t jobs, absl::Duration limit) {
  const MutexLock lock(mutex_);
  const bool over = changed_.WaitFor(mutex_, limit, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return finished_ >= jobs || !status_.ok();
  });
  if (!status_.ok() || over) return status_;
  return DeadlineExceeded(std::to_string(finished_) + " of " + std::to_string(jobs) +
                          " jobs finished within " + absl::FormatDuration(limit));
}

void JobCycles::Train(SimulatedWorker& worker, const HeldJob& lease) {
  {
    const MutexLock lock(mutex_);
    ++training_;
  }
  ReportFrom(worker, lease, 1);
}

void JobCycles::ReportFrom(SimulatedWorker& worker, const HeldJob& lease, std::int64_t first) {
  const std::int64_t last = std::min(lease.steps, first + kStepsPerReport - 1);
  worker.Report(MakePoints(SeedOf(lease.run), first, last), [this, &worker, lease,
                                                             last](const absl::Status& status) {
    if (!status.ok()) return OnFinished(status);
    if (last < lease.steps) return ReportFrom(worker, lease, last + 1);
    worker.Finish(LawLoss(lease.steps), [this](const absl::Status& end) { OnFinished(end); });
  });
}

void JobCycles::OnFinished(const absl::Status& status) {
  const MutexLock lock(mutex_);
  --training_;
  finished_ += status.ok() ? 1 : 0;
  if (status_.ok()) status_ = status;
  changed_.SignalAll();
}

}  // namespace etude
