// What the agent does when trainers, coordinator, disk or the agent itself fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/worker/agent_fixture.h"
#include "worker/agent.h"

namespace etude {
namespace {

using testing::ElementsAre;

class AgentFaultsTest : public AgentFixture {
 protected:
  // Trains to step 40 with a checkpoint at 30.
  void StartAndTrain() {
    StartTraining(100);
    spawner_->current().TrainTo(30);
    spawner_->current().Checkpoint(CheckpointKind::kResume);
    spawner_->current().TrainTo(40);
  }
  // The coordinator leases the next attempt, from this worker's disk.
  void QueueResumed(int attempt, int from_attempt, std::int64_t step) {
    Transport::Assignment assignment = MakeAssignment(attempt, 100);
    assignment.local_attempt = from_attempt;
    assignment.start_step = step;
    coordinator_.queue.push_back(assignment);
    coordinator_.Lease();
  }
};

TEST_F(AgentFaultsTest, AKilledTrainersPointsAreKeptAndItsCheckpointNamed) {
  StartAndTrain();
  spawner_->Die({.signal = SIGKILL});
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kKilled);
  EXPECT_EQ(LastEnding().local_step, 30);
  EXPECT_TRUE(HasCurve(1, 1, 40));
  EXPECT_EQ(spawner_->spawned(), 2);
}

TEST_F(AgentFaultsTest, TheNextAttemptGoesOnFromTheLocalCheckpoint) {
  StartAndTrain();
  spawner_->current().Checkpoint(CheckpointKind::kBest);  // of step 40: not before step 30
  spawner_->Die({.signal = SIGKILL});
  Pass(absl::Seconds(1));
  QueueResumed(2, 1, 30);
  Pass(absl::Seconds(1));
  ASSERT_TRUE(spawner_->training());
  EXPECT_EQ(spawner_->current().step(), 30);
  EXPECT_FALSE(FileExists(AttemptPath(1)));
  spawner_->Complete();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(HasCurve(1, 2, 100));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
}

TEST_F(AgentFaultsTest, BestWeightsFromBeforeTheResumePointAreInherited) {
  StartTraining(100);
  spawner_->current().TrainTo(20);
  spawner_->current().Checkpoint(CheckpointKind::kBest);
  spawner_->current().TrainTo(30);
  spawner_->current().Checkpoint(CheckpointKind::kResume);
  spawner_->Die({.signal = SIGKILL});
  Pass(absl::Seconds(1));
  QueueResumed(2, 1, 30);
  Pass(absl::Seconds(1));
  spawner_->current().TrainTo(100);
  spawner_->current().Checkpoint(CheckpointKind::kLast);
  spawner_->current().End(JobOutcome::kReleased, "as if");
  spawner_->SayDone({JobId(kJob), 2, JobOutcome::kReleased, absl::StatusCode::kOk, ""});
  Pass(absl::Seconds(1));
  EXPECT_EQ(coordinator_.journal.at(1), "commit best 20") << "after attempt 1's finish";
}

TEST_F(AgentFaultsTest, ALostLocalCheckpointIsGivenBackWithoutOne) {
  StartAndTrain();
  spawner_->Die({.signal = SIGKILL});
  Pass(absl::Seconds(1));
  std::filesystem::remove_all(AttemptPath(1));
  QueueResumed(2, 1, 30);
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kReleased);
  EXPECT_EQ(LastEnding().local_step, 0);
}

TEST_F(AgentFaultsTest, OutOfMemoryAndCrashesAreToldApart) {
  StartAndTrain();
  spawner_->Die({.signal = SIGKILL, .out_of_memory = true});
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kOutOfMemory);
  coordinator_.queue.push_back(MakeAssignment(2, 100));
  coordinator_.Lease();
  Pass(absl::Seconds(2));
  ASSERT_TRUE(spawner_->training());
  spawner_->Die({.signal = SIGSEGV});
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kCrashed);
}

TEST_F(AgentFaultsTest, AfterAKillOfTheAgentTheRestIsReportedAndTheJobGivenBack) {
  StartAndTrain();
  coordinator_.holds_acknowledgements = true;  // so that part of the log was never acknowledged
  Pass(absl::Seconds(1));
  spawner_->current().TrainTo(45);
  KillAgent();
  coordinator_.holds_acknowledgements = false;
  StartAgent();
  Pass(absl::Seconds(1));
  EXPECT_EQ(coordinator_.registrations, 2);
  EXPECT_TRUE(HasCurve(1, 1, 45));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kReleased);
  EXPECT_EQ(LastEnding().local_step, 30);
}

TEST_F(AgentFaultsTest, ARestartedAgentHoldsWhatItLeftAndAsksForNothingElseFirst) {
  StartAndTrain();
  KillAgent();
  coordinator_.queue.push_back(MakeAssignment(7, 10));
  coordinator_.away = true;
  StartAgent();
  EXPECT_TRUE(coordinator_.endings.empty());
  coordinator_.away = false;
  Pass(absl::Seconds(10));
  ASSERT_EQ(coordinator_.endings.size(), 1u);
  EXPECT_EQ(coordinator_.endings[0].attempt, 1);
  ASSERT_TRUE(spawner_->training());
  EXPECT_EQ(spawner_->current().job().attempt, 7);
}

TEST_F(AgentFaultsTest, AJobThatEndedWhileNobodyLookedStillSucceeds) {
  StartAndTrain();
  spawner_->current().TrainTo(100);
  spawner_->current().Succeed();
  KillAgent();
  StartAgent();
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
  EXPECT_TRUE(HasCurve(1, 1, 100));
  EXPECT_EQ(coordinator_.journal.back(), "finish succeeded");
}

TEST_F(AgentFaultsTest, WhatWasSupersededWhileTheAgentWasGoneIsDiscarded) {
  StartAndTrain();
  KillAgent();
  coordinator_.Supersede(kJob, 1);
  StartAgent();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(coordinator_.endings.empty());
  EXPECT_FALSE(FileExists(AttemptPath(1)));
}

TEST_F(AgentFaultsTest, ASupersededAttemptIsStoppedDiscardedAndReportsNothingMore) {
  StartAndTrain();
  Pass(absl::Seconds(1));
  coordinator_.Supersede(kJob, 1);
  Pass(absl::Seconds(3));
  EXPECT_FALSE(spawner_->training());
  EXPECT_FALSE(FileExists(AttemptPath(1)));
  EXPECT_TRUE(coordinator_.endings.empty());
  EXPECT_EQ(spawner_->spawned(), 1);
}

TEST_F(AgentFaultsTest, RefusedPointsSupersedeToo) {
  StartAndTrain();
  Pass(absl::Seconds(0.1));
  coordinator_.Supersede(kJob, 1);
  spawner_->current().TrainTo(50);
  Pass(absl::Seconds(0.5));
  EXPECT_FALSE(spawner_->training());
  EXPECT_FALSE(FileExists(AttemptPath(1)));
}

TEST_F(AgentFaultsTest, ATrainerThatIgnoresItsOrdersIsReplaced) {
  StartAndTrain();
  spawner_->ignores_stops = true;
  coordinator_.Supersede(kJob, 1);
  Pass(absl::Seconds(3) + kStopTimeout);
  EXPECT_FALSE(spawner_->training());
  EXPECT_EQ(spawner_->spawned(), 2);
}

TEST_F(AgentFaultsTest, TrainingGoesOnWhileTheCoordinatorIsAway) {
  StartAndTrain();
  Pass(absl::Seconds(1));
  coordinator_.away = true;
  coordinator_.BreakStream();
  coordinator_.knows_worker = false;  // it restarts
  for (int step = 41; step <= 90; ++step) {
    spawner_->current().TrainTo(step);
    Pass(absl::Seconds(1));
  }
  coordinator_.away = false;
  Pass(absl::Seconds(15));
  EXPECT_EQ(coordinator_.registrations, 2);
  EXPECT_TRUE(HasCurve(1, 1, 90));
  spawner_->Complete();
  Pass(absl::Seconds(2));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
  EXPECT_EQ(LastEnding().attempt, 1);
}

TEST_F(AgentFaultsTest, AJobThatEndsWhileTheCoordinatorIsAwayIsFinishedLater) {
  StartAndTrain();
  coordinator_.away = true;
  coordinator_.BreakStream();
  spawner_->Complete();
  Pass(absl::Seconds(60));
  EXPECT_TRUE(coordinator_.endings.empty());
  coordinator_.away = false;
  Pass(absl::Seconds(15));
  EXPECT_TRUE(HasCurve(1, 1, 100));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
}

TEST_F(AgentFaultsTest, LostAcknowledgementsAreMadeUpBySendingAgain) {
  StartAndTrain();
  coordinator_.holds_acknowledgements = true;
  Pass(absl::Seconds(1));
  coordinator_.holds_acknowledgements = false;
  Pass(kAcknowledgeTimeout + absl::Seconds(10));
  const int batches = coordinator_.batches;
  spawner_->Complete();
  Pass(absl::Seconds(2));
  EXPECT_GT(coordinator_.batches, batches);
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
}

TEST_F(AgentFaultsTest, AFullDiskGivesTheJobBackAndRestsTheSlot) {
  StartAndTrain();
  spawner_->SayDone(
      {JobId(kJob), 1, std::nullopt, absl::StatusCode::kResourceExhausted, "write x: disk full"});
  coordinator_.queue.push_back(MakeAssignment(2, 10));
  Pass(absl::Seconds(5));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kReleased);
  EXPECT_NE(LastEnding().reason.find("disk full"), std::string::npos);
  EXPECT_EQ(LastEnding().local_step, 30);
  EXPECT_FALSE(spawner_->training());
  Pass(kHoldAfterDiskFailure);
  EXPECT_TRUE(spawner_->training());
}

TEST_F(AgentFaultsTest, ADamagedLogGivesTheJobBackFromBeforeTheDamage) {
  StartAndTrain();
  Pass(absl::Seconds(1));
  const std::string path = AttemptPath(1) + "/points.log";
  const std::int64_t good = static_cast<std::int64_t>(ReadFile(path)->size());
  spawner_->current().TrainTo(60);
  spawner_->current().TrainTo(70);
  std::FILE* file = std::fopen(path.c_str(), "r+");
  std::fseek(file, good + 10, SEEK_SET);
  std::fputc(0x55, file);
  std::fclose(file);
  Pass(absl::Seconds(3));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kReleased);
  EXPECT_NE(LastEnding().reason.find("damaged"), std::string::npos);
  EXPECT_EQ(LastEnding().local_step, 30);
}

TEST_F(AgentFaultsTest, TrainersThatNeverStartEndTheWorker) {
  options_.worker.slots = 1;
  spawner_ = std::make_unique<FakeSpawner>(events_, clock_);
  spawner_->starts = false;
  agent_ = std::make_unique<Agent>(options_, coordinator_, *spawner_, clock_.MonotonicNow());
  Pass(absl::Seconds(30));
  EXPECT_TRUE(agent_->done());
  EXPECT_EQ(agent_->exit_status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(spawner_->spawned(), kMaxFailedStarts);
  EXPECT_EQ(coordinator_.registrations, 0) << "a worker that cannot train takes no jobs";
}

TEST_F(AgentFaultsTest, WithoutACoordinatorTheWorkerTriesUntilItsTimeout) {
  options_.connect_timeout = absl::Seconds(30);
  coordinator_.away = true;
  StartAgent();
  Pass(absl::Seconds(29));
  EXPECT_FALSE(agent_->done());
  Pass(absl::Seconds(7));
  EXPECT_TRUE(agent_->done());
  EXPECT_EQ(agent_->exit_status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace etude
