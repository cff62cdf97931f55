#include "coordinator/report_service.h"

#include <fmt/format.h>

#include <utility>

#include "coordinator/worker_service.h"
#include "lib/base/status.h"
#include "proto/convert.h"
#include "proto/grpc_status.h"

namespace etude {

ReportReactor::ReportReactor(Core& core, WorkerClaims& claims,
                             const absl::StatusOr<CallerId>& caller)
    : core_(core),
      claims_(claims),
      caller_(caller.ok() ? *caller : CallerId()),
      status_(caller.status()) {
  ended_ = !caller.ok();
  Next next;
  {
    const MutexLock lock(mutex_);
    next = Advance();
  }
  Start(std::move(next));
}

// Decides what to do next; the caller holds the lock. A call that failed ends although a read is in
// flight: the worker may have nothing more to say.
ReportReactor::Next ReportReactor::Advance() {
  Next next;
  if (!ended_ && !reading_ && in_flight_ < kMaxReportsInFlight) next.read = reading_ = true;
  if (has_pending_ && !writing_ && status_.ok()) {
    response_.Swap(&pending_);
    pending_.Clear();
    has_pending_ = false;
    next.write = writing_ = true;
  }
  if (next.read || next.write) ++starting_;
  const bool idle = !writing_ && in_flight_ == 0 && starting_ == 0;
  if (ended_ && idle && (!reading_ || !status_.ok()) && !finished_) {
    next.finish = finished_ = true;
    next.status = status_;
  }
  return next;
}

void ReportReactor::Start(Next next) {
  while (next.read || next.write) {
    if (next.read) StartRead(&request_);
    if (next.write) StartWrite(&response_);
    const MutexLock lock(mutex_);
    --starting_;
    next = Advance();
  }
  if (next.finish) Finish(ToGrpc(next.status));
}

void ReportReactor::OnReadDone(bool ok) {
  absl::Status taken = ok ? Take(request_) : absl::OkStatus();
  Next next;
  {
    const MutexLock lock(mutex_);
    reading_ = false;
    if (!ok || !taken.ok()) ended_ = true;
    if (!taken.ok() && status_.ok()) status_ = std::move(taken);
    next = Advance();
  }
  Start(std::move(next));
}

absl::Status ReportReactor::Take(const v1::ReportRequest& request) {
  ASSIGN_OR_RETURN(WorkerId worker, claims_.Claim(request.worker(), caller_));
  ASSIGN_OR_RETURN(std::string job, NameFromWire(request.job(), "job"));
  ASSIGN_OR_RETURN(std::vector<LossPoint> points, FromWire(request.points(), kMaxPointsPerReport));
  const std::uint64_t sequence = request.sequence();
  {
    const MutexLock lock(mutex_);
    if (ended_) return absl::OkStatus();
    if (sequence != last_sequence_ + 1) {
      return InvalidArgument(
          fmt::format("sequence {} after {}: expected one more", sequence, last_sequence_));
    }
    last_sequence_ = sequence;
    ++in_flight_;
  }
  core_.AddPoints(
      std::move(worker), JobId(std::move(job)), request.attempt(), std::move(points),
      [this, sequence](const absl::StatusOr<bool>& accepted) { OnCommitted(sequence, accepted); });
  return absl::OkStatus();
}

// The core answers in the order in which it was asked.
void ReportReactor::OnCommitted(std::uint64_t sequence, const absl::StatusOr<bool>& accepted) {
  Next next;
  {
    const MutexLock lock(mutex_);
    --in_flight_;
    if (accepted.ok() && status_.ok()) {
      pending_.set_committed_through(sequence);
      if (!*accepted) pending_.add_superseded(sequence);
      has_pending_ = true;
    } else if (!accepted.ok()) {
      ended_ = true;
      if (status_.ok()) status_ = accepted.status();
    }
    next = Advance();
  }
  Start(std::move(next));
}

void ReportReactor::OnWriteDone(bool ok) {
  Next next;
  {
    const MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) {
      ended_ = true;
      has_pending_ = false;
    }
    next = Advance();
  }
  Start(std::move(next));
}

}  // namespace etude
