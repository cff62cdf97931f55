#include "coordinator/core.h"

#include <gtest/gtest.h>

#include <future>

#include "lib/base/status.h"
#include "tests/scenarios/memory_results_store.h"
#include "tests/support/faulty_results_store.h"
#include "tests/unit/coordinator/builders.h"

namespace etude {
namespace {

constexpr std::chrono::seconds kPatience(20);

// Stands still until it is told to move. Thread-safe.
class StillClock final : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch() + absl::Seconds(1); }
  absl::Time MonotonicNow() override { return absl::UnixEpoch() + absl::Microseconds(us_.load()); }
  void SleepFor(absl::Duration) override {}
  void Advance(absl::Duration duration) { us_ += absl::ToInt64Microseconds(duration); }

 private:
  std::atomic<std::int64_t> us_ = 0;
};

// A store whose commits wait while the gate is shut.
class GatedStore final : public ResultsStore {
 public:
  explicit GatedStore(ResultsStore& store) : store_(store) {}
  absl::Status Commit(std::span<const Change> changes) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --waiting_;
    return store_.Commit(changes);
  }
  void Tidy() override { store_.Tidy(); }
  absl::StatusOr<StoredState> Load() override { return store_.Load(); }
  void Open(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void AwaitCommit() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kPatience, [&] { return waiting_ > 0; }));
  }

 private:
  ResultsStore& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

template <typename T>
T Get(std::future<T>& future) {
  if (future.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "no answer";
    std::abort();
  }
  return future.get();
}

// An answer that may be waited for.
template <typename T>
struct Reply {
  std::shared_ptr<std::promise<T>> promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  std::function<void(T)> done() {
    return [promise = promise](T value) { promise->set_value(std::move(value)); };
  }
  T Get() { return etude::Get(future); }
};

class CoreTest : public testing::Test {
 protected:
  CoreTest() {
    EXPECT_TRUE(memory_.Commit(std::vector<Change>{CorpusAdded{MakeCorpus(), 1}}).ok());
    CoreOptions options;
    options.tick = absl::Milliseconds(5);
    core_ = *Core::Start(options, clock_, gated_);
  }
  void TearDown() override {
    gated_.Open(true);
    core_->Stop();
  }

  absl::Status Register(const std::string& worker) {
    Reply<absl::StatusOr<std::vector<Directive>>> reply;
    core_->Register(MakeWorker(worker, 2), {}, reply.done());
    return reply.Get().status();
  }
  absl::StatusOr<Scheduler::Submitted> Submit(const std::string& name, const RunConfig& config) {
    return core_->Submit(MakeSweep(name), {config});
  }
  Core::AcquireCall Ask(const std::string& worker, int slot, absl::Duration wait) {
    return {WorkerId(worker), slot, wait, std::make_shared<std::atomic<bool>>(false)};
  }
  absl::StatusOr<Scheduler::Acquired> Acquire(const std::string& worker, int slot = 0) {
    Reply<absl::StatusOr<Scheduler::Acquired>> reply;
    core_->Acquire(Ask(worker, slot, absl::ZeroDuration()), reply.done());
    return reply.Get();
  }
  absl::StatusOr<bool> Report(const JobId& job, int attempt, std::int64_t first,
                              std::int64_t last) {
    Reply<absl::StatusOr<bool>> reply;
    core_->AddPoints(WorkerId("w"), job, attempt, TrainPoints(first, last), reply.done());
    return reply.Get();
  }
  Scheduler::Counts Counts() {
    Scheduler::Counts counts;
    EXPECT_TRUE(core_
                    ->Inspect([&](const Scheduler& scheduler, const Moment&) {
                      counts = scheduler.Count();
                    })
                    .ok());
    return counts;
  }

  StillClock clock_;
  MemoryResultsStore memory_;
  FaultyResultsStore faulty_{memory_};
  GatedStore gated_{faulty_};
  std::unique_ptr<Core> core_;
  const RunConfig config_ = MakeConfig(10);
  const JobId job_ = JobOf(config_);
};

TEST_F(CoreTest, ALongPollIsAnsweredWhenAJobAppears) {
  ASSERT_TRUE(Register("w").ok());
  Reply<absl::StatusOr<Scheduler::Acquired>> reply;
  core_->Acquire(Ask("w", 0, absl::Seconds(20)), reply.done());
  ASSERT_EQ(Counts().queued_jobs, 0);
  ASSERT_TRUE(Submit("s", config_).ok());
  const auto acquired = reply.Get();
  ASSERT_TRUE(acquired.ok() && acquired->assignment);
  EXPECT_EQ(acquired->assignment->job, job_);
}

TEST_F(CoreTest, WhatWaitsIsSeenWhileACommitTakesItsTime) {
  gated_.Open(false);
  Reply<absl::StatusOr<std::vector<Directive>>> registered;
  core_->Register(MakeWorker("w"), {}, registered.done());
  gated_.AwaitCommit();
  Reply<absl::StatusOr<bool>> reported;
  core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(1, 7), reported.done());
  const Core::Load load = core_->CurrentLoad();
  EXPECT_EQ(load.events, 1u);
  EXPECT_EQ(load.points, 7u);
  EXPECT_EQ(load.events_taken, 1u);
  gated_.Open(true);
  EXPECT_EQ(reported.Get().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(core_->CurrentLoad().events, 0u);
  EXPECT_EQ(core_->CurrentLoad().events_taken, 2u);
}

TEST_F(CoreTest, WhatIsNoPromiseIsRefusedLongBeforeAnythingElse) {
  gated_.Open(false);
  Reply<absl::StatusOr<std::vector<Directive>>> registered;
  core_->Register(MakeWorker("w"), {}, registered.done());
  gated_.AwaitCommit();
  std::atomic<int> refused = 0;
  for (std::size_t i = 0; i < kMaxQueuedBeforeShedding; ++i) {
    core_->AddPoints(WorkerId("w"), job_, 1, {}, [&](const absl::StatusOr<bool>& added) {
      refused += absl::IsResourceExhausted(added.status()) ? 1 : 0;
    });
  }
  Reply<absl::Status> held;
  core_->CheckHeld(WorkerId("w"), job_, 1, held.done());
  EXPECT_EQ(held.Get().code(), absl::StatusCode::kResourceExhausted);
  gated_.Open(true);
  core_->Stop();
  EXPECT_EQ(refused, 0);
}

TEST_F(CoreTest, WhoHoldsAnAttemptIsAnsweredOnlyOnceItIsCommitted) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  gated_.Open(false);
  Reply<absl::StatusOr<bool>> first;
  core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(1, 1), first.done());
  gated_.AwaitCommit();
  // One batch ends the attempt and is asked who holds it, and comes to nothing.
  Reply<absl::Status> finished;
  core_->Finish(
      {.worker = WorkerId("w"), .job = job_, .attempt = 1, .outcome = JobOutcome::kKilled},
      finished.done());
  Reply<absl::Status> held;
  core_->CheckHeld(WorkerId("w"), job_, 1, held.done());
  faulty_.FailCommit(2, FaultyResultsStore::When::kBeforeApplying);
  faulty_.FailLoad();
  gated_.Open(true);
  EXPECT_TRUE(absl::IsUnavailable(finished.Get()));
  EXPECT_TRUE(absl::IsUnavailable(held.Get())) << "not that the attempt is over";
  // Nor while memory is not what the store holds.
  Reply<absl::Status> meanwhile;
  core_->CheckHeld(WorkerId("w"), job_, 1, meanwhile.done());
  EXPECT_TRUE(absl::IsUnavailable(meanwhile.Get()));
  clock_.Advance(absl::Seconds(1));
  Reply<absl::Status> after;
  core_->CheckHeld(WorkerId("w"), job_, 1, after.done());
  EXPECT_TRUE(after.Get().ok());
}

TEST_F(CoreTest, ALongPollEndsAtItsDeadlineWithAReason) {
  ASSERT_TRUE(Register("w").ok());
  Reply<absl::StatusOr<Scheduler::Acquired>> reply;
  core_->Acquire(Ask("w", 0, absl::Seconds(5)), reply.done());
  ASSERT_EQ(Counts().queued_jobs, 0);
  EXPECT_EQ(reply.future.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  clock_.Advance(absl::Seconds(5));
  const auto acquired = reply.Get();
  ASSERT_TRUE(acquired.ok());
  EXPECT_FALSE(acquired->assignment);
  EXPECT_EQ(acquired->reason, "no job is queued");
}

TEST_F(CoreTest, ACallerThatHasGoneGetsNoLease) {
  ASSERT_TRUE(Register("w").ok());
  Core::AcquireCall call = Ask("w", 0, absl::Seconds(20));
  const auto gone = call.gone;
  Reply<absl::StatusOr<Scheduler::Acquired>> reply;
  core_->Acquire(std::move(call), reply.done());
  gone->store(true);
  ASSERT_TRUE(Submit("s", config_).ok());
  EXPECT_EQ(reply.Get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Counts().leased_jobs, 0);
}

TEST_F(CoreTest, ALaterCallForTheSameSlotTakesThePlaceOfTheEarlier) {
  ASSERT_TRUE(Register("w").ok());
  Reply<absl::StatusOr<Scheduler::Acquired>> first;
  Reply<absl::StatusOr<Scheduler::Acquired>> second;
  core_->Acquire(Ask("w", 0, absl::Seconds(20)), first.done());
  core_->Acquire(Ask("w", 0, absl::Seconds(20)), second.done());
  EXPECT_FALSE(first.Get()->assignment);
  ASSERT_TRUE(Submit("s", config_).ok());
  EXPECT_TRUE(second.Get()->assignment);
}

TEST_F(CoreTest, WhatACommitDidNotTakeIsAcknowledgedToNobodyAndForgotten) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  EXPECT_EQ(Report(job_, 1, 1, 5).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(memory_.PointsOf(job_).empty());
  clock_.Advance(absl::Seconds(1));
  // Had memory kept the lost points, this checkpoint would be taken.
  Checkpoint checkpoint;
  checkpoint.job = job_;
  checkpoint.attempt = 1;
  checkpoint.step = 5;
  Reply<absl::Status> reply;
  core_->CommitCheckpoint(WorkerId("w"), checkpoint, reply.done());
  EXPECT_EQ(reply.Get().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(*Report(job_, 1, 1, 5));
  EXPECT_EQ(memory_.PointsOf(job_).size(), 5u);
}

TEST_F(CoreTest, APredictionThatWasNotCommittedLeasesNothing) {
  Sweep sweep = MakeSweep("s");
  RunConfig held_out = MakeConfig(20);
  held_out.seed = 2;
  sweep.held_out = {KeyOf(held_out)};
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(core_->Submit(sweep, {config_, held_out}).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  Reply<absl::Status> finished;
  core_->Finish(
      {.worker = WorkerId("w"), .job = job_, .attempt = 1, .outcome = JobOutcome::kDiverged},
      finished.done());
  ASSERT_TRUE(finished.Get().ok());
  Forecast forecast;
  forecast.sweep = sweep.id;
  forecast.predictions.emplace_back().run = KeyOf(held_out);
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  EXPECT_EQ(core_->Freeze(forecast).code(), absl::StatusCode::kUnavailable);
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Register("w").ok());
  EXPECT_FALSE(Acquire("w")->assignment);
  EXPECT_TRUE(core_->Freeze(forecast).ok());
  EXPECT_EQ(Acquire("w")->assignment->job, JobOf(held_out));
}

TEST_F(CoreTest, ABatchWhoseCommitFailsIsRefusedWhole) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  gated_.Open(false);
  Reply<absl::StatusOr<bool>> replies[4];
  core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(1, 1), replies[0].done());
  gated_.AwaitCommit();
  // These three wait for the first, and so are one batch.
  for (int i = 1; i < 4; ++i) {
    core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(i + 1, i + 1), replies[i].done());
  }
  faulty_.FailCommit(2, FaultyResultsStore::When::kBeforeApplying);
  gated_.Open(true);
  EXPECT_TRUE(replies[0].Get().ok());
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(replies[i].Get().status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(memory_.PointsOf(job_).size(), 1u);
}

TEST_F(CoreTest, ACommitThatWasKeptButNotConfirmedMayBeRepeated) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  faulty_.FailCommit(1, FaultyResultsStore::When::kAfterApplying);
  EXPECT_FALSE(Report(job_, 1, 1, 10).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(*Report(job_, 1, 1, 10));
  EXPECT_EQ(memory_.PointsOf(job_).size(), 10u);
  FinishedAttempt end{.worker = WorkerId("w"), .job = job_, .attempt = 1};
  end.result = RunResult{};
  for (int i = 0; i < 2; ++i) {
    Reply<absl::Status> reply;
    core_->Finish(end, reply.done());
    EXPECT_TRUE(reply.Get().ok());
  }
}

TEST_F(CoreTest, AFullDiskIsSaidUntilACommitPasses) {
  EXPECT_EQ(core_->ReadOnlyReason(), "");
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying, ResourceExhausted("full"));
  EXPECT_EQ(Submit("s", config_).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(core_->ReadOnlyReason(), "");
  // For a while nothing is tried at all.
  EXPECT_EQ(Submit("s", config_).status().code(), absl::StatusCode::kResourceExhausted);
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Submit("s", config_)->created);
  EXPECT_EQ(core_->ReadOnlyReason(), "");
}

TEST_F(CoreTest, AStoreThatCannotBeReadBackIsReadAgainLater) {
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  faulty_.FailLoad();
  EXPECT_FALSE(Submit("s", config_).ok());
  EXPECT_FALSE(Submit("s", config_).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Submit("s", config_)->created);
}

TEST_F(CoreTest, HeartbeatsHearNothingThatWasNotCommitted) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  faulty_.FailLoad();
  const FinishedAttempt end{
      .worker = WorkerId("w"), .job = job_, .attempt = 1, .outcome = JobOutcome::kKilled};
  Reply<absl::Status> finished;
  core_->Finish(end, finished.done());
  ASSERT_FALSE(finished.Get().ok());
  Reply<absl::StatusOr<Scheduler::HeartbeatReply>> reply;
  core_->Heartbeat(WorkerId("w"), {{.job = job_, .attempt = 1}}, false, reply.done());
  EXPECT_EQ(reply.Get().status().code(), absl::StatusCode::kUnavailable)
      << "the store has the attempt as it was: it is not superseded";
}

TEST_F(CoreTest, HeartbeatsNeedNoCommit) {
  ASSERT_TRUE(Register("w").ok());
  const int commits = faulty_.commits();
  for (int i = 0; i < 100; ++i) {
    Reply<absl::StatusOr<Scheduler::HeartbeatReply>> reply;
    core_->Heartbeat(WorkerId("w"), {}, false, reply.done());
    ASSERT_TRUE(reply.Get().ok());
  }
  EXPECT_EQ(faulty_.commits(), commits);
}

TEST_F(CoreTest, AFullQueueShedsAtOnceAndHeartbeatsKeepTheirLane) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  gated_.Open(false);
  std::atomic<int> shed = 0;
  std::atomic<int> accepted = 0;
  const auto count = [&](const absl::StatusOr<bool>& answer) {
    if (answer.status().code() == absl::StatusCode::kResourceExhausted) ++shed;
    if (answer.ok() && *answer) ++accepted;
  };
  core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(1, 1), count);
  gated_.AwaitCommit();
  const int extra = 10;
  for (std::size_t i = 0; i < kMaxQueuedEvents + extra; ++i) {
    core_->AddPoints(WorkerId("w"), job_, 1, TrainPoints(1, 1), count);
  }
  EXPECT_EQ(shed, extra);
  Reply<absl::StatusOr<Scheduler::HeartbeatReply>> heartbeat;
  core_->Heartbeat(WorkerId("w"), {}, false, heartbeat.done());
  gated_.Open(true);
  EXPECT_TRUE(heartbeat.Get().ok());
  EXPECT_EQ(Counts().leased_jobs, 1);
  EXPECT_EQ(accepted, static_cast<int>(kMaxQueuedEvents) + 1);
}

TEST_F(CoreTest, SilenceEndsALease) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  const std::uint64_t seen = core_->commits();
  clock_.Advance(absl::Seconds(60));
  EXPECT_GT(core_->AwaitCommit(seen, absl::Seconds(20)), seen);
  EXPECT_EQ(*Report(job_, 1, 1, 1), false);
  EXPECT_EQ(Counts().leased_jobs, 0);
}

TEST_F(CoreTest, StoppingAnswersEverythingThatWaits) {
  ASSERT_TRUE(Register("w").ok());
  Reply<absl::StatusOr<Scheduler::Acquired>> parked;
  core_->Acquire(Ask("w", 0, absl::Seconds(20)), parked.done());
  std::thread stopper([&] { core_->Stop(); });
  EXPECT_TRUE(core_->AwaitStop(absl::Seconds(20)));
  EXPECT_EQ(parked.Get().status().code(), absl::StatusCode::kUnavailable);
  stopper.join();
  EXPECT_EQ(Submit("s", config_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CoreTest, ANewCoreGoesOnFromWhatWasCommitted) {
  ASSERT_TRUE(Register("w").ok());
  ASSERT_TRUE(Submit("s", config_).ok());
  ASSERT_TRUE(Acquire("w")->assignment);
  ASSERT_TRUE(*Report(job_, 1, 1, 5));
  core_->Stop();
  core_ = *Core::Start(CoreOptions{}, clock_, gated_);
  EXPECT_EQ(Counts().leased_jobs, 1);
  Reply<absl::StatusOr<std::vector<Directive>>> reply;
  core_->Register(MakeWorker("w", 2), {{job_, 1, 5, 0}}, reply.done());
  const auto directives = reply.Get();
  ASSERT_TRUE(directives.ok());
  EXPECT_EQ(directives->at(0).action, Action::kKeep);
  EXPECT_TRUE(*Report(job_, 1, 6, 10));
}

}  // namespace
}  // namespace etude
