// What the agent does when nothing goes wrong, and in a drain.
#include "worker/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "tests/unit/worker/agent_fixture.h"

namespace etude {
namespace {

using testing::ElementsAre;

class AgentTest : public AgentFixture {};

TEST_F(AgentTest, AJobIsTrainedReportedKeptAndFinished) {
  StartTraining(100);
  spawner_->current().TrainTo(60);
  Pass(absl::Seconds(1));
  EXPECT_EQ(coordinator_.train_points.at({kJob, 1}).size(), 60u) << "points stream while it trains";
  spawner_->Complete();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(HasCurve(1, 1, 100));
  EXPECT_THAT(coordinator_.journal,
              ElementsAre("commit best 100", "commit last 100", "finish succeeded"));
  ASSERT_TRUE(LastEnding().result.has_value());
  EXPECT_EQ(LastEnding().result->val_loss, FakeLoss(100));
  ASSERT_EQ(LastEnding().artifacts.size(), 1u);
  EXPECT_EQ(LastEnding().artifacts[0].name, "trainer.log");
  EXPECT_NE(LastEnding().numerics.find("fake"), std::string::npos);
  EXPECT_FALSE(FileExists(AttemptPath(1)));
}

TEST_F(AgentTest, OneWarmTrainerRunsJobAfterJob) {
  StartTraining(10);
  coordinator_.queue.push_back(MakeAssignment(2, 10));
  spawner_->Complete();
  Pass(absl::Seconds(2));
  ASSERT_TRUE(spawner_->training());
  EXPECT_EQ(spawner_->current().job().attempt, 2);
  EXPECT_EQ(spawner_->spawned(), 1);
}

TEST_F(AgentTest, TheCorpusIsFetchedBeforeTraining) {
  StartTraining();
  const std::string dir = spawner_->current().job().corpus_dir;
  EXPECT_EQ(*ReadFile(dir + "/train.npy"), "bytes of train.npy");
  EXPECT_EQ(*ReadFile(dir + "/corpus.json"), "bytes of corpus.json");
}

TEST_F(AgentTest, ACorpusTheCoordinatorDoesNotHaveIsBadInput) {
  coordinator_.queue.push_back(MakeAssignment(1, 10));
  coordinator_.blobs.clear();
  StartAgent();
  Pass(absl::Seconds(2));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kBadInput);
  EXPECT_NE(LastEnding().reason.find("etude corpus push"), std::string::npos);
}

TEST_F(AgentTest, ACheckpointOfAnotherMachineIsFetched) {
  Transport::Assignment assignment = MakeAssignment(3, 100);
  const std::string bytes = "weights";
  coordinator_.blobs[Sha256Hex(bytes)] = bytes;
  assignment.start_step = 40;
  assignment.checkpoint = Checkpoint{
      JobId(kJob), 2, CheckpointKind::kResume, 40, {{"model.safetensors", Sha256Hex(bytes), 7}}};
  coordinator_.queue.push_back(assignment);
  StartAgent();
  ASSERT_TRUE(spawner_->training());
  EXPECT_EQ(*ReadFile(spawner_->current().job().resume_dir + "/model.safetensors"), bytes);
  EXPECT_EQ(spawner_->current().step(), 40);
  Pass(absl::Seconds(3));
  EXPECT_EQ(coordinator_.last_held.at(0).local_step, 40);
}

TEST_F(AgentTest, AResumeCheckpointIsUploadedAtMostEveryUploadPeriod) {
  options_.upload_every = absl::Seconds(100);
  StartTraining(10'000);
  for (int second = 1; second <= 250; ++second) {
    if (second % 30 == 0) {
      spawner_->current().TrainTo(second);
      spawner_->current().Checkpoint(CheckpointKind::kResume);
    }
    Pass(absl::Seconds(1));
  }
  EXPECT_THAT(coordinator_.journal, ElementsAre("commit resume 120", "commit resume 240"));
}

TEST_F(AgentTest, AnOrderedCheckpointIsUploadedAtOnceAndOnce) {
  StartTraining();
  spawner_->current().TrainTo(33);
  coordinator_.orders[{kJob, 1}] = Transport::Action::kCheckpoint;
  Pass(absl::Seconds(2.1));
  coordinator_.orders.clear();
  Pass(absl::Seconds(10));
  EXPECT_THAT(coordinator_.journal, ElementsAre("commit resume 33"));
  EXPECT_TRUE(spawner_->training()) << "and training goes on";
}

TEST_F(AgentTest, ACheckpointIsNeverCommittedBeforeItsPointsAreAcknowledged) {
  StartTraining();
  coordinator_.holds_acknowledgements = true;
  spawner_->current().TrainTo(33);
  coordinator_.orders[{kJob, 1}] = Transport::Action::kCheckpoint;
  Pass(absl::Seconds(10));
  EXPECT_GT(coordinator_.unacknowledged(), 0u);
  EXPECT_THAT(coordinator_.journal, ElementsAre());
  coordinator_.orders.clear();
  coordinator_.holds_acknowledgements = false;
  coordinator_.ReleaseAcknowledgements();
  Pass(absl::Seconds(1));
  EXPECT_THAT(coordinator_.journal, ElementsAre("commit resume 33"));
}

TEST_F(AgentTest, EveryBranchPointIsCommittedBeforeLaterResumePoints) {
  options_.upload_every = absl::Seconds(1);
  Transport::Assignment assignment = MakeAssignment(1, 100);
  assignment.branch_steps = {20, 40, 80};
  coordinator_.queue.push_back(assignment);
  StartAgent();
  coordinator_.holds_acknowledgements = true;
  spawner_->current().TrainTo(50);
  Pass(absl::Seconds(2));
  spawner_->current().Checkpoint(CheckpointKind::kResume);
  Pass(absl::Seconds(2));
  EXPECT_THAT(coordinator_.journal, ElementsAre()) << "their points come first";
  coordinator_.holds_acknowledgements = false;
  coordinator_.ReleaseAcknowledgements();
  Pass(absl::Seconds(2));
  EXPECT_THAT(coordinator_.journal,
              ElementsAre("commit branch 20", "commit branch 40", "commit resume 50"));
  spawner_->Complete();
  Pass(absl::Seconds(2));
  EXPECT_THAT(
      coordinator_.journal,
      ElementsAre("commit branch 20", "commit branch 40", "commit resume 50", "commit branch 80",
                  "commit best 100", "commit last 100", "finish succeeded"));
}

TEST_F(AgentTest, ABranchPointIsCommittedThoughTheTrainerOrTheAgentDied) {
  Transport::Assignment assignment = MakeAssignment(1, 100);
  assignment.branch_steps = {20};
  coordinator_.queue.push_back(assignment);
  StartAgent();
  coordinator_.holds_acknowledgements = true;
  spawner_->current().TrainTo(50);
  Pass(absl::Seconds(1));
  KillAgent();
  coordinator_.holds_acknowledgements = false;
  StartAgent();
  Pass(absl::Seconds(5));
  EXPECT_THAT(coordinator_.journal, ElementsAre("commit branch 20", "finish released"));
}

TEST_F(AgentTest, SlowAcknowledgementsHoldBackTheReaderNotTheTrainer) {
  StartTraining(100'000);
  coordinator_.holds_acknowledgements = true;
  for (int i = 1; i <= 100; ++i) {
    spawner_->current().TrainTo(i * 500);
    Pass(absl::Milliseconds(100));
  }
  EXPECT_LE(coordinator_.unacknowledged(), kMaxUnacknowledgedBatches);
  EXPECT_EQ(spawner_->current().step(), 50'000);
  coordinator_.holds_acknowledgements = false;
  coordinator_.ReleaseAcknowledgements();
  Pass(absl::Seconds(2));
  EXPECT_TRUE(HasCurve(1, 1, 50'000));
}

TEST_F(AgentTest, ACancelledAttemptSaysSoAndLeavesNothing) {
  StartTraining();
  spawner_->current().TrainTo(20);
  coordinator_.orders[{kJob, 1}] = Transport::Action::kCancel;
  Pass(absl::Seconds(3));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kCancelled);
  EXPECT_EQ(coordinator_.endings.size(), 1u);
  EXPECT_FALSE(FileExists(AttemptPath(1)));
  EXPECT_FALSE(spawner_->training());
}

TEST_F(AgentTest, AStopChecksPointsInUploadsReleasesAndEnds) {
  StartTraining();
  spawner_->current().TrainTo(57);
  agent_->Handle(StopAsked{}, clock_.MonotonicNow());
  Pass(absl::Seconds(2));
  EXPECT_TRUE(agent_->done());
  EXPECT_TRUE(agent_->exit_status().ok());
  EXPECT_THAT(coordinator_.journal, ElementsAre("commit resume 57", "finish released"));
  EXPECT_EQ(LastEnding().local_step, 57);
  EXPECT_TRUE(HasCurve(1, 1, 57));
}

TEST_F(AgentTest, AStopOfAnIdleWorkerEndsAtOnce) {
  StartAgent();
  agent_->Handle(StopAsked{}, clock_.MonotonicNow());
  Settle();
  EXPECT_TRUE(agent_->done());
}

TEST_F(AgentTest, AStopEndsInTimeThoughTrainerAndCoordinatorAreDeaf) {
  StartTraining();
  spawner_->current().TrainTo(57);
  spawner_->ignores_stops = true;
  coordinator_.away = true;
  agent_->Handle(StopAsked{}, clock_.MonotonicNow());
  Pass(kDrainTimeout);
  EXPECT_TRUE(agent_->done());
  EXPECT_TRUE(FileExists(AttemptPath(1))) << "the next start goes on with it";
}

TEST_F(AgentTest, ADrainedWorkerReleasesAndTakesJobsAgainWhenUndrained) {
  StartTraining();
  spawner_->current().TrainTo(20);
  coordinator_.drains = true;
  Pass(absl::Seconds(4));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kReleased);
  coordinator_.queue.push_back(MakeAssignment(2, 10));
  Pass(absl::Seconds(5));
  EXPECT_FALSE(spawner_->training());
  coordinator_.drains = false;
  Pass(absl::Seconds(3));
  EXPECT_TRUE(spawner_->training());
}

TEST_F(AgentTest, AWorkerThatHoldsNothingBeatsSeldom) {
  StartAgent();
  coordinator_.heartbeats = 0;
  Pass(absl::Seconds(15));
  EXPECT_EQ(coordinator_.heartbeats, 2) << "one in 7 s";
  coordinator_.queue.push_back(MakeAssignment(1, 100));
  coordinator_.Lease();
  Pass(absl::Seconds(1));
  coordinator_.heartbeats = 0;
  Pass(absl::Seconds(10));
  EXPECT_EQ(coordinator_.heartbeats, 5) << "one in 2 s";
}

TEST_F(AgentTest, AnIdleWorkerWithoutAnAnswerBeatsOften) {
  StartAgent();
  Pass(absl::Seconds(8));
  coordinator_.away = true;
  Pass(absl::Seconds(7));
  coordinator_.heartbeats = 0;
  Pass(absl::Seconds(10));
  EXPECT_GE(coordinator_.heartbeats, 4);
}

// Past the time that options_.idle_exit gives it, while it asks for a job.
class IdleWorkerTest : public AgentTest {
 protected:
  void SetUp() override {
    options_.idle_exit = absl::Seconds(60);
    StartAgent();
    Pass(absl::Seconds(61));
  }
};

TEST_F(IdleWorkerTest, EndsOnceItsQuestionForAJobIsAnsweredWithNone) {
  EXPECT_FALSE(agent_->done()) << "a job may still come";
  coordinator_.EndPolls();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(agent_->done());
  EXPECT_TRUE(agent_->exit_status().ok());
}

TEST_F(IdleWorkerTest, TrainsAJobThatComesAtTheLastMomentAndCountsAnew) {
  coordinator_.queue.push_back(MakeAssignment(1, 10));
  coordinator_.Lease();
  Pass(absl::Seconds(1));
  ASSERT_TRUE(spawner_->training());
  spawner_->Complete();
  Pass(absl::Seconds(59));
  coordinator_.EndPolls();
  Pass(absl::Milliseconds(300));
  EXPECT_FALSE(agent_->done());
  Pass(absl::Seconds(5));
  coordinator_.EndPolls();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(agent_->done());
  EXPECT_THAT(coordinator_.journal,
              ElementsAre("commit best 10", "commit last 10", "finish succeeded"));
}

TEST_F(AgentTest, TrainingIsNotIdleHoweverLongItTakes) {
  options_.idle_exit = absl::Seconds(60);
  StartTraining();
  Pass(absl::Minutes(5));
  EXPECT_FALSE(agent_->done());
  EXPECT_TRUE(spawner_->training());
}

}  // namespace
}  // namespace etude
