#include "tests/bench/simulated_worker.h"

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "proto/channel.h"
#include "proto/convert.h"

namespace etude {
namespace {

// Those of worker/agent.cc.
constexpr absl::Duration kFirstRetry = absl::Milliseconds(250);
constexpr absl::Duration kLongestRetry = absl::Seconds(5);
constexpr absl::Duration kAcquireWait = absl::Seconds(10);
constexpr absl::Duration kLongPollSlack = absl::Seconds(5);

Backoff MakeBackoff(int number, int which) {
  return Backoff(kFirstRetry, kLongestRetry, static_cast<std::uint64_t>(2 * number + which));
}

absl::Time Now() { return SystemClock().MonotonicNow(); }

}  // namespace

SimulatedWorker::SimulatedWorker(WorkerLink& link, int number, const std::string& prefix,
                                 double phase)
    : link_(link),
      number_(number),
      id_(prefix + "-" + std::to_string(number)),
      phase_(phase),
      register_backoff_(MakeBackoff(number, 0)),
      acquire_backoff_(MakeBackoff(number, 1)) {}

SimulatedWorker::Standing SimulatedWorker::standing() const {
  const MutexLock lock(mutex_);
  Standing standing = standing_;
  standing.polls = polling_;
  return standing;
}

void SimulatedWorker::Advance(absl::Time now) {
  bool registers = false;
  bool beats = false;
  bool asks = false;
  {
    const MutexLock lock(mutex_);
    if (!standing_.registered) {
      registers = !registering_ && now >= register_at_;
      registering_ = registering_ || registers;
    } else {
      beats = !beating_ && now - beaten_at_ >= (standing_.lease ? beat_every_ : idle_beat_every_);
      beating_ = beating_ || beats;
      if (beats) beaten_at_ = now;
      asks = on_lease_ && !standing_.lease && !polling_ && now >= acquire_at_;
      polling_ = polling_ || asks;
    }
  }
  if (registers) Register();
  if (beats) Beat();
  if (asks) Acquire();
}

template <typename Message>
void SimulatedWorker::AddHeld(Message& message) const {
  const MutexLock lock(mutex_);
  if (!standing_.lease) return;
  v1::HeldAttempt& held = *message.add_held();
  held.set_job(standing_.lease->job);
  held.set_attempt(standing_.lease->attempt);
}

// What the coordinator says of the lease that it holds.
template <typename Message>
void SimulatedWorker::Follow(const Message& message) {
  for (const v1::Directive& directive : message.directives()) {
    const std::optional<HeldJob>& lease = standing_.lease;
    if (!lease || lease->job != directive.job() || lease->attempt != directive.attempt()) continue;
    if (directive.action() == v1::ACTION_KEEP) {
      standing_.confirmed_at = Now();
    } else {
      ++standing_.leases_lost;
      standing_.lease.reset();
    }
  }
}

void SimulatedWorker::Register() {
  v1::RegisterRequest request;
  request.set_protocol(kProtocolVersion);
  v1::Worker& facts = *request.mutable_worker();
  facts.set_id(id_);
  facts.set_host("bench");
  facts.set_device("cpu");
  facts.set_slots(1);
  facts.set_threads_per_slot(1);
  facts.set_state(v1::WORKER_STATE_ONLINE);
  AddHeld(request);
  link_.Call<v1::RegisterRequest, v1::RegisterResponse>(
      number_, kControlDeadline, std::move(request), &v1::WorkerService::Stub::async::Register,
      [this](const absl::Status& status, const v1::RegisterResponse& response) {
        OnRegistered(status, response);
      });
}

void SimulatedWorker::OnRegistered(const absl::Status& status,
                                   const v1::RegisterResponse& response) {
  {
    const MutexLock lock(mutex_);
    registering_ = false;
    if (!status.ok()) {
      standing_.refusal = status;
      register_at_ = Now() + register_backoff_.Next();
      return;
    }
    register_backoff_.Reset();
    standing_.registered = true;
    beat_every_ = absl::Milliseconds(response.heartbeat_ms());
    idle_beat_every_ = std::max(beat_every_, absl::Milliseconds(response.idle_heartbeat_ms()));
    beaten_at_ = Now() - phase_ * idle_beat_every_;
    Follow(response);
  }
  Advance(Now());
}

void SimulatedWorker::Beat() {
  v1::HeartbeatRequest request;
  request.set_worker(id_);
  AddHeld(request);
  link_.Call<v1::HeartbeatRequest, v1::HeartbeatResponse>(
      number_, kControlDeadline, std::move(request), &v1::WorkerService::Stub::async::Heartbeat,
      [this](const absl::Status& status, const v1::HeartbeatResponse& response) {
        OnBeat(status, response);
      });
}

void SimulatedWorker::OnBeat(const absl::Status& status, const v1::HeartbeatResponse& response) {
  {
    const MutexLock lock(mutex_);
    beating_ = false;
    if (absl::IsNotFound(status)) standing_.registered = false;
    if (status.ok()) Follow(response);
  }
  Advance(Now());
}

void SimulatedWorker::Ask(OnLease on_lease) {
  {
    const MutexLock lock(mutex_);
    on_lease_ = std::move(on_lease);
  }
  Advance(Now());
}

void SimulatedWorker::StopAsking() {
  const MutexLock lock(mutex_);
  on_lease_ = nullptr;
}

void SimulatedWorker::Acquire() {
  v1::AcquireRequest request;
  request.set_worker(id_);
  request.set_wait_ms(absl::ToInt64Milliseconds(kAcquireWait));
  link_.Call<v1::AcquireRequest, v1::AcquireResponse>(
      number_, kAcquireWait + kLongPollSlack, std::move(request),
      &v1::WorkerService::Stub::async::Acquire,
      [this](const absl::Status& status, const v1::AcquireResponse& response) {
        OnAcquired(status, response);
      });
}

void SimulatedWorker::OnAcquired(const absl::Status& status, const v1::AcquireResponse& response) {
  OnLease on_lease;
  HeldJob lease;
  {
    const MutexLock lock(mutex_);
    polling_ = false;
    if (absl::IsNotFound(status)) standing_.registered = false;
    if (!status.ok()) {
      standing_.refusal = status;
      acquire_at_ = Now() + acquire_backoff_.Next();
      return;
    }
    acquire_backoff_.Reset();
    if (!response.has_assignment()) {
      acquire_at_ = Now() + kFirstRetry;
      return;
    }
    const v1::Assignment& assignment = response.assignment();
    lease = {assignment.job(), assignment.run(), assignment.attempt(), assignment.to()};
    standing_.lease = lease;
    on_lease = on_lease_;
  }
  if (on_lease) on_lease(*this, lease);
}

void SimulatedWorker::Report(v1::Points points, Done done) {
  v1::ReportRequest request;
  request.set_worker(id_);
  *request.mutable_points() = std::move(points);
  std::shared_ptr<ReportStream> stream;
  {
    const MutexLock lock(mutex_);
    if (standing_.lease) {
      request.set_job(standing_.lease->job);
      request.set_attempt(standing_.lease->attempt);
      if (stream_ == nullptr || stream_->broken()) stream_ = ReportStream::Open(link_, number_);
      stream = stream_;
    }
  }
  if (stream == nullptr) return done(FailedPrecondition(id_ + " holds no lease"));
  stream->Send(std::move(request), std::move(done));
}

void SimulatedWorker::Finish(double val_loss, Done done) {
  v1::FinishRequest request;
  request.set_worker(id_);
  request.set_outcome(v1::JOB_OUTCOME_SUCCEEDED);
  request.mutable_result()->set_val_loss(val_loss);
  request.mutable_result()->set_device("cpu");
  {
    const MutexLock lock(mutex_);
    if (standing_.lease) {
      request.set_job(standing_.lease->job);
      request.set_attempt(standing_.lease->attempt);
    }
  }
  link_.Call<v1::FinishRequest, v1::FinishResponse>(
      number_, kControlDeadline, std::move(request), &v1::WorkerService::Stub::async::Finish,
      [this, done = std::move(done)](const absl::Status& status, const v1::FinishResponse&) {
        OnFinished(status, done);
      });
}

void SimulatedWorker::OnFinished(const absl::Status& status, const Done& done) {
  if (status.ok()) {
    const MutexLock lock(mutex_);
    standing_.lease.reset();
  }
  done(status);
  Advance(Now());
}

}  // namespace etude
