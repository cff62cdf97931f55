#include "tests/sim/point_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

// A cut, or a stall, is tried again so often before the connection is given up.
constexpr int kLongestWait = 20;
constexpr absl::Duration kTryAgain = absl::Seconds(1);
// A stream may break without any other reason: a router, a proxy.
constexpr double kBreaks = 0.01;

}  // namespace

PointStream::PointStream(CallId id, int link, Timeline& timeline, SimNetwork& network,
                         SimCoordinator& coordinator, const Dice& dice,
                         std::function<void(const Event&)> deliver)
    : id_(id),
      link_(link),
      timeline_(timeline),
      network_(network),
      coordinator_(coordinator),
      dice_(dice),
      deliver_(std::move(deliver)) {}

void PointStream::Carry(Way way, Action arrive) {
  Lane& lane = LaneOf(way);
  lane.messages.emplace_back(timeline_.elapsed() + network_.Delay(), std::move(arrive));
  if (lane.messages.size() == 1) Await(way);
}

void PointStream::Await(Way way) {
  timeline_.After(LaneOf(way).messages.front().first - timeline_.elapsed(),
                  [self = shared_from_this(), way] { self->Arrive(way); });
}

void PointStream::Arrive(Way way) {
  if (broken_) return;
  Lane& lane = LaneOf(way);
  if (network_.IsCut(link_, way) || network_.IsStalled(link_)) {
    if (++lane.waited > kLongestWait) return Break();
    return timeline_.After(kTryAgain, [self = shared_from_this(), way] { self->Arrive(way); });
  }
  lane.waited = 0;
  const Action arrive = std::move(lane.messages.front().second);
  lane.messages.pop_front();
  if (!lane.messages.empty()) Await(way);
  arrive();
}

void PointStream::Break() {
  if (std::exchange(broken_, true)) return;
  server_open_ = false;
  timeline_.After(network_.Delay(),
                  [self = shared_from_this()] { self->Close(Unavailable("the stream broke")); });
}

void PointStream::Close(const absl::Status& status) {
  if (std::exchange(client_open_, false)) deliver_(ReportClosed{id_, status});
}

void PointStream::Cancel() {
  if (dice_.Chance(0.5)) broken_ = true;  // what is in flight is lost
  timeline_.After(absl::ZeroDuration(),
                  [self = shared_from_this()] { self->Close(Cancelled("closed by the worker")); });
}

void PointStream::Send(const Transport::PointsBatch& batch) {
  if (broken_ || !client_open_) return;
  if (dice_.Chance(kBreaks)) return Break();
  Carry(Way::kUp, [this, batch] { Take(batch); });
}

// The server's end.

void PointStream::Take(const Transport::PointsBatch& batch) {
  if (!server_open_) return;
  if (!coordinator_.running()) return Break();
  if (batch.sequence != last_sequence_ + 1) {
    return EndServer(InvalidArgument(
        fmt::format("sequence {} after {}: expected one more", batch.sequence, last_sequence_)));
  }
  last_sequence_ = batch.sequence;
  coordinator_.AddPoints(
      batch.worker, batch.job, batch.attempt, batch.points,
      [self = shared_from_this(), sequence = batch.sequence](const absl::StatusOr<bool>& accepted) {
        self->OnCommitted(sequence, accepted);
      });
}

void PointStream::OnCommitted(std::uint64_t sequence, const absl::StatusOr<bool>& accepted) {
  if (!server_open_) return;
  if (!accepted.ok()) return EndServer(accepted.status());
  ReportAcknowledged acknowledged{id_, sequence, {}};
  if (!*accepted) acknowledged.superseded.push_back(sequence);
  Carry(Way::kDown, [this, acknowledged] {
    if (client_open_) deliver_(acknowledged);
  });
}

void PointStream::EndServer(const absl::Status& status) {
  server_open_ = false;
  Carry(Way::kDown, [this, status] { Close(status); });
}

}  // namespace etude
