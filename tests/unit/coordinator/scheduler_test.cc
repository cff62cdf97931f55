// What single calls promise; the scenarios show how they go together.
#include "coordinator/scheduler.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/coordinator/builders.h"

namespace etude {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  SchedulerTest() {
    StoredState state;
    state.corpora.push_back(MakeCorpus());
    EXPECT_TRUE(scheduler_.Restore(state, now_).ok());
  }
  void Pass(absl::Duration duration) { now_.monotonic += duration; }

  Moment now_{absl::UnixEpoch(), 1'000'000};
  Scheduler scheduler_{SchedulerOptions{}};
  Scheduler::Changes changes_;
};

TEST_F(SchedulerTest, EqualConfigsOfOneSweepAreOneRun) {
  const std::vector<RunConfig> configs = {MakeConfig(10), MakeConfig(20), MakeConfig(10)};
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), configs, now_, changes_).ok());
  ASSERT_EQ(changes_.size(), 1u);
  const auto& added = std::get<SweepAdded>(changes_[0]);
  EXPECT_EQ(added.sweep.runs, (std::vector<RunKey>{KeyOf(configs[0]), KeyOf(configs[1])}));
  EXPECT_EQ(added.new_runs.size(), 2u);
  EXPECT_EQ(added.new_jobs.size(), 2u);
  EXPECT_EQ(added.new_segments.size(), 3u) << "the shorter run branches off the longer one";
  EXPECT_EQ(added.sweep.spec_toml, "name = \"s\"");
  EXPECT_EQ(added.sweep.created_at_us, now_.wall_us);
}

TEST_F(SchedulerTest, SubmittingTheSameSweepAgainChangesNothing) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_).ok());
  changes_.clear();
  const auto again = scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->created);
  EXPECT_TRUE(changes_.empty());
}

TEST_F(SchedulerTest, ANameWithOtherContentIsRefusedAndChangesNothing) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_).ok());
  changes_.clear();
  Sweep other = MakeSweep("t");
  other.name = "s";
  const auto submitted = scheduler_.Submit(other, {MakeConfig(20)}, now_, changes_);
  EXPECT_EQ(submitted.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(scheduler_.Count().queued_jobs, 1);
}

TEST_F(SchedulerTest, ASweepOnAnUnknownCorpusIsRefused) {
  Sweep sweep = MakeSweep("s");
  sweep.corpus = CorpusId(std::string(64, 'd'));
  EXPECT_EQ(scheduler_.Submit(sweep, {MakeConfig(10)}, now_, changes_).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SchedulerTest, ACorpusNameStandsForOneCorpus) {
  EXPECT_EQ(*scheduler_.AddCorpus(MakeCorpus("folk"), now_, changes_), false);
  EXPECT_EQ(*scheduler_.AddCorpus(MakeCorpus("other"), now_, changes_), true);
  Corpus different = MakeCorpus("folk");
  different.id = CorpusId(std::string(64, 'd'));
  EXPECT_EQ(scheduler_.AddCorpus(different, now_, changes_).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(changes_.size(), 1u);
}

TEST_F(SchedulerTest, AnAssignmentCarriesAllThatAnAttemptNeeds) {
  const RunConfig config = MakeConfig(10);
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {config}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  const auto acquired = scheduler_.Acquire(WorkerId("w"), 0, now_, changes_);
  ASSERT_TRUE(acquired.ok() && acquired->assignment);
  EXPECT_EQ(acquired->assignment->config, config);
  EXPECT_EQ(acquired->assignment->to, 10);
  EXPECT_EQ(acquired->assignment->corpus.name, "folk");
  EXPECT_EQ(acquired->assignment->run, KeyOf(config));
}

TEST_F(SchedulerTest, APointBeyondTheJobIsRefusedAndChangesNothing) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Acquire(WorkerId("w"), 0, now_, changes_).ok());
  changes_.clear();
  const JobId job = JobOf(MakeConfig(10));
  EXPECT_EQ(
      scheduler_.AddPoints(WorkerId("w"), job, 1, TrainPoints(9, 11), changes_).status().code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(changes_.empty());
  EXPECT_EQ(scheduler_.AddPoints(WorkerId("w"), JobId("x.0"), 1, {}, changes_).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SchedulerTest, PointsOfAnotherWorkersAttemptAreNotTaken) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Acquire(WorkerId("w"), 0, now_, changes_).ok());
  changes_.clear();
  const JobId job = JobOf(MakeConfig(10));
  EXPECT_FALSE(*scheduler_.AddPoints(WorkerId("v"), job, 1, TrainPoints(1, 2), changes_));
  EXPECT_TRUE(changes_.empty());
}

TEST_F(SchedulerTest, SuccessNeedsAFiniteResult) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(2)}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  ASSERT_TRUE(scheduler_.Acquire(WorkerId("w"), 0, now_, changes_).ok());
  const JobId job = JobOf(MakeConfig(2));
  ASSERT_TRUE(*scheduler_.AddPoints(WorkerId("w"), job, 1, TrainPoints(1, 2), changes_));
  FinishedAttempt end{.worker = WorkerId("w"), .job = job, .attempt = 1};
  EXPECT_EQ(scheduler_.Finish(end, now_, changes_).code(), absl::StatusCode::kInvalidArgument);
  end.result = RunResult{};
  end.result->val_loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(scheduler_.Finish(end, now_, changes_).code(), absl::StatusCode::kInvalidArgument);
  end.result->val_loss = 1.5;
  EXPECT_TRUE(scheduler_.Finish(end, now_, changes_).ok());
}

TEST_F(SchedulerTest, AJobDoesNotGoToASlotThatIsTooSmallForIt) {
  ASSERT_TRUE(scheduler_.Submit(MakeSweep("s"), {MakeConfig(10)}, now_, changes_).ok());
  Worker small = MakeWorker("small", 4);
  small.device = "cpu";
  small.memory_bytes = 2 * kTrainerBaseBytes;  // for four
  ASSERT_TRUE(scheduler_.Register(small, {}, now_, changes_).ok());
  EXPECT_FALSE(scheduler_.Acquire(WorkerId("small"), 0, now_, changes_)->assignment);
  const auto why = scheduler_.Explain(KeyOf(MakeConfig(10)), now_);
  EXPECT_NE(why.now.wait_reason.find("MiB of memory at least"), std::string::npos)
      << why.now.wait_reason;
  Worker large = small;
  large.id = WorkerId("large");
  large.slots = 1;
  ASSERT_TRUE(scheduler_.Register(large, {}, now_, changes_).ok());
  EXPECT_TRUE(scheduler_.Acquire(WorkerId("large"), 0, now_, changes_)->assignment);
}

TEST_F(SchedulerTest, TheWorkerUnseenForLongestMakesRoomForANewOne) {
  Scheduler scheduler(SchedulerOptions{.max_known_workers = 2});
  ASSERT_TRUE(scheduler.Register(MakeWorker("a"), {}, now_, changes_).ok());
  now_.wall_us += 1;
  ASSERT_TRUE(scheduler.Register(MakeWorker("b"), {}, now_, changes_).ok());
  EXPECT_EQ(scheduler.Register(MakeWorker("c"), {}, now_, changes_).status().code(),
            absl::StatusCode::kResourceExhausted)
      << "both are online";
  Pass(SchedulerOptions().lease);
  scheduler.Tick(now_, changes_);
  changes_.clear();
  ASSERT_TRUE(scheduler.Register(MakeWorker("c"), {}, now_, changes_).ok());
  EXPECT_EQ(std::get<WorkerForgotten>(changes_.at(0)).worker, WorkerId("a"));
  EXPECT_EQ(scheduler.Workers().size(), 2u);
}

TEST_F(SchedulerTest, AHeartbeatThatChangesNothingMakesNoChange) {
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  changes_.clear();
  Pass(absl::Seconds(2));
  ASSERT_TRUE(scheduler_.Heartbeat(WorkerId("w"), {}, false, now_, changes_).ok());
  scheduler_.Tick(now_, changes_);
  EXPECT_TRUE(changes_.empty());
  Pass(absl::Seconds(15));
  scheduler_.Tick(now_, changes_);
  ASSERT_EQ(changes_.size(), 1u);
  EXPECT_EQ(std::get<WorkerChanged>(changes_[0]).worker.state, WorkerState::kOffline);
}

TEST_F(SchedulerTest, AskingForAJobIsASignOfLife) {
  ASSERT_TRUE(scheduler_.Register(MakeWorker("w"), {}, now_, changes_).ok());
  Pass(SchedulerOptions().lease / 2);
  scheduler_.Hear(WorkerId("w"), now_, changes_);
  Pass(SchedulerOptions().lease / 2);
  scheduler_.Tick(now_, changes_);
  EXPECT_EQ(scheduler_.Workers().at(0).worker.state, WorkerState::kOnline);
  scheduler_.Hear(WorkerId("unknown"), now_, changes_);
  EXPECT_EQ(scheduler_.Workers().size(), 1u);
}

TEST(SchedulerRestoreTest, ALeasedJobWithoutItsAttemptIsDataLoss) {
  StoredState state;
  etude::Run run;
  run.config = MakeConfig(10);
  run.key = KeyOf(run.config);
  Job job;
  job.id = JobOf(run.config);
  job.run = run.key;
  job.state = JobState::kLeased;
  state.runs.push_back(run);
  state.jobs.push_back(job);
  state.segments.push_back(Segment{run.key, 0, job.id, 0, 10});
  Scheduler scheduler{SchedulerOptions{}};
  EXPECT_EQ(scheduler.Restore(state, Moment{}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace etude
