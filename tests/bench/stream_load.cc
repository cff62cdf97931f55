#include "tests/bench/stream_load.h"

#include <algorithm>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "tests/bench/loss_law.h"
#include "worker/spool.h"

namespace etude {
namespace {

constexpr std::int64_t kStepsPerFullBatch = kMaxPointsPerReport / kSeriesPerStep;
constexpr absl::Duration kSettleLimit = absl::Minutes(2);
constexpr absl::Duration kFillLimit = absl::Minutes(20);
constexpr std::uint64_t kRetrySeed = 7;

absl::Time Now() { return SystemClock().MonotonicNow(); }

LoadResult ResultOf(const LatencyLog& acks, std::int64_t points, absl::Duration length) {
  return {.points_per_s = static_cast<double>(points) / absl::ToDoubleSeconds(length),
          .ack_p50_ms = acks.PercentileMs(0.50),
          .ack_p99_ms = acks.PercentileMs(0.99)};
}

}  // namespace

StreamLoad::StreamLoad(SimulatedFleet& fleet) : fleet_(fleet) {
  for (const auto& worker : fleet.workers()) {
    const std::optional<HeldJob> lease = worker->standing().lease;
    ENSURE(lease.has_value());
    auto& stream = *streams_.emplace_back(std::make_unique<Stream>());
    stream.worker = worker.get();
    stream.seed = SeedOf(lease->run);
  }
}

// No callback may outlive what it reports to.
absl::Status StreamLoad::Settle(Pending& pending, absl::Duration limit) {
  const absl::Status status = pending.Await(limit);
  if (!status.ok()) fleet_.Stop();
  return status;
}

v1::Points StreamLoad::NewBatch(Stream& stream, std::int64_t steps) {
  const std::int64_t first = stream.next_step.fetch_add(steps);
  made_ += steps * kSeriesPerStep;
  return MakePoints(stream.seed, first, first + steps - 1);
}

v1::Points StreamLoad::OldBatch(const Stream& stream, std::int64_t steps) {
  const std::int64_t choices = std::max<std::int64_t>(1, stream.next_step.load() - steps);
  const CounterRandom random(kRetrySeed, RandomStream::kSampling);
  const auto offset =
      static_cast<std::int64_t>(random.Below(draw_++, static_cast<std::uint64_t>(choices)));
  return MakePoints(stream.seed, 1 + offset, offset + steps);
}

// A phase at a fixed pace. Acknowledgements count within it alone, and their times from the send
// on: the loop never waits for one, so a slow coordinator is asked no less.
absl::StatusOr<LoadResult> StreamLoad::AtPace(
    const Pace& pace, const std::function<v1::Points(Stream& stream)>& make) {
  LatencyLog acks;
  Pending pending;
  std::atomic<std::int64_t> acknowledged = 0;
  const absl::Duration gap = pace.every / static_cast<double>(streams_.size());
  const absl::Time begin = Now();
  const absl::Time end = begin + pace.length;
  std::size_t sent = 0;
  for (absl::Time due = begin; due < end; due = begin + static_cast<double>(sent) * gap) {
    if (due > Now()) SystemClock().SleepFor(due - Now());
    Stream& stream = *streams_[sent++ % streams_.size()];
    v1::Points points = make(stream);
    const std::int64_t count = points.step_size();
    pending.Add();
    const absl::Time sent_at = Now();
    stream.worker->Report(std::move(points), [&, sent_at, count](const absl::Status& status) {
      const absl::Time now = Now();
      acks.Add(now - sent_at);
      if (now < end) acknowledged += count;
      pending.Done(status);
    });
  }
  RETURN_IF_ERROR(Annotate(Settle(pending, kSettleLimit), "loss points at a pace"));
  return ResultOf(acks, acknowledged.load(), pace.length);
}

absl::StatusOr<LoadResult> StreamLoad::Paced(const Pace& pace) {
  auto result =
      AtPace(pace, [&](Stream& stream) { return NewBatch(stream, pace.steps_per_batch); });
  stored_ = made_.load();
  return result;
}

absl::StatusOr<LoadResult> StreamLoad::Retried(const Pace& pace) {
  return AtPace(pace, [&](Stream& stream) { return OldBatch(stream, pace.steps_per_batch); });
}

// Full batches, each acknowledgement followed by another, until `over`. Lives until all are
// acknowledged.
class StreamLoad::Rush {
 public:
  Rush(StreamLoad& load, std::function<bool()> over) : load_(load), over_(std::move(over)) {}

  absl::Status Run(absl::Duration limit) {
    for (const auto& stream : load_.streams_) {
      for (std::size_t i = 0; i < kMaxUnacknowledgedBatches; ++i) Send(*stream);
    }
    const absl::Status status = load_.Settle(pending_, limit);
    load_.stored_ = load_.made_.load();
    return Annotate(status, "loss points at full speed");
  }
  // Ends the count of what is acknowledged, not the phase.
  void CountUntil(absl::Time end) { count_until_ = end; }
  const LatencyLog& acks() const { return acks_; }
  std::int64_t acknowledged() const { return acknowledged_.load(); }

 private:
  void Send(Stream& stream) {
    if (over_() || pending_.failed()) return;
    v1::Points points = load_.NewBatch(stream, kStepsPerFullBatch);
    const std::int64_t count = points.step_size();
    pending_.Add();
    const absl::Time sent_at = Now();
    stream.worker->Report(std::move(points),
                          [this, &stream, sent_at, count](const absl::Status& status) {
                            const absl::Time now = Now();
                            acks_.Add(now - sent_at);
                            if (now < count_until_) acknowledged_ += count;
                            if (status.ok()) Send(stream);
                            pending_.Done(status);
                          });
  }

  StreamLoad& load_;
  const std::function<bool()> over_;
  absl::Time count_until_ = absl::InfiniteFuture();
  LatencyLog acks_;
  Pending pending_;
  std::atomic<std::int64_t> acknowledged_ = 0;
};

absl::StatusOr<LoadResult> StreamLoad::Saturated(absl::Duration length) {
  const absl::Time end = Now() + length;
  Rush rush(*this, [end] { return Now() >= end; });
  rush.CountUntil(end);
  RETURN_IF_ERROR(rush.Run(length + kSettleLimit));
  return ResultOf(rush.acks(), rush.acknowledged(), length);
}

absl::Status StreamLoad::FillTo(std::int64_t points) {
  Rush rush(*this, [this, points] { return made_.load() >= points; });
  return rush.Run(kFillLimit);
}

}  // namespace etude
