#include "tests/bench/report_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

constexpr absl::Duration kReportLifetime = absl::Minutes(30);  // as of a real worker's stream

}  // namespace

std::shared_ptr<ReportStream> ReportStream::Open(WorkerLink& link, int worker) {
  std::shared_ptr<ReportStream> stream(new ReportStream(link));
  stream->Start(worker);
  return stream;
}

void ReportStream::Start(int worker) {
  PrepareCall(link_.address(), kReportLifetime, context_);
  if (!link_.Enter(&context_)) {
    const MutexLock lock(mutex_);
    broken_ = true;
    return;
  }
  self_ = shared_from_this();
  link_.StubOf(worker).async()->Report(&context_, this);
  AddHold();  // writes start outside of reactions
  StartRead(&response_);
  StartCall();
}

void ReportStream::Send(v1::ReportRequest request, Done done) {
  {
    const MutexLock lock(mutex_);
    if (!broken_) {
      request.set_sequence(++last_sequence_);
      unacknowledged_.push_back(std::move(done));
      unwritten_.push_back(std::move(request));
      if (unwritten_.size() == 1) StartWrite(&unwritten_.front());
      return;
    }
  }
  done(Unavailable("the stream of points is broken"));
}

bool ReportStream::broken() const {
  const MutexLock lock(mutex_);
  return broken_;
}

void ReportStream::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  if (!ok) return;
  unwritten_.pop_front();
  if (!broken_ && !unwritten_.empty()) StartWrite(&unwritten_.front());
}

void ReportStream::OnReadDone(bool ok) {
  if (!ok) return LetGo();
  const auto& refused = response_.superseded();
  std::vector<std::pair<Done, bool>> answered;
  {
    const MutexLock lock(mutex_);
    while (acknowledged_ < response_.committed_through() && !unacknowledged_.empty()) {
      ++acknowledged_;
      const bool stale = std::find(refused.begin(), refused.end(), acknowledged_) != refused.end();
      answered.emplace_back(std::move(unacknowledged_.front()), stale);
      unacknowledged_.pop_front();
    }
  }
  for (const auto& [done, stale] : answered) {
    done(stale ? FailedPrecondition("the attempt is over") : absl::OkStatus());
  }
  StartRead(&response_);
}

void ReportStream::LetGo() {
  {
    const MutexLock lock(mutex_);
    if (broken_) return;
    broken_ = true;
  }
  RemoveHold();
}

void ReportStream::OnDone(const grpc::Status& status) {
  const std::shared_ptr<ReportStream> self = std::move(self_);
  std::deque<Done> left;
  {
    const MutexLock lock(mutex_);
    broken_ = true;
    left.swap(unacknowledged_);
  }
  const absl::Status ended = FromGrpc(status);
  for (const Done& done : left) done(ended.ok() ? Unavailable("the stream has ended") : ended);
  link_.Leave(&context_);
}

}  // namespace etude
