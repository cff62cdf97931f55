// Which blobs rows name, and so which the coordinator keeps.
#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::Contains;
using testing::Not;

class RetentionTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 100)}).ok());
    Add(CheckpointKind::kResume, '7', 10);
    Add(CheckpointKind::kLast, '8', 100);
    Add(CheckpointKind::kBest, '9', 50);
  }
  void Add(CheckpointKind kind, char digit, std::int64_t step, const JobId& job, int attempt = 1) {
    CheckpointAdded added = CheckpointAt(job, attempt, step, kind);
    added.checkpoint.files = {{"model.safetensors", Hex(digit), 1}};
    ASSERT_TRUE(Commit({added}).ok());
  }
  void Add(CheckpointKind kind, char digit, std::int64_t step) { Add(kind, digit, step, job_); }
  void End(JobState state, JobOutcome outcome) {
    AttemptEnded end = EndOf(job_, 1, outcome);
    end.artifacts = {{"trainer.log", Hex('6'), 1}};
    ASSERT_TRUE(Commit({end, JobChanged{MakeJob(job_, run_.key, 0, state, 1)}}).ok());
  }
  std::vector<std::string> Kept() { return Reader()->ReferencedBlobs().value(); }
};

TEST_F(RetentionTest, OfAJobThatTrainsItsNewestResumeCheckpointIsKept) {
  EXPECT_THAT(Kept(), Contains(Hex('7')));
  Add(CheckpointKind::kResume, '5', 20);
  EXPECT_THAT(Kept(), Contains(Hex('5')));
  EXPECT_THAT(Kept(), Not(Contains(Hex('7'))));
}

TEST_F(RetentionTest, OfARunThatEndedTheLastAndTheBestAreKeptAndItsLogs) {
  End(JobState::kSucceeded, JobOutcome::kSucceeded);
  EXPECT_THAT(Kept(), Contains(Hex('8')));
  EXPECT_THAT(Kept(), Contains(Hex('9')));
  EXPECT_THAT(Kept(), Contains(Hex('6')));
  EXPECT_THAT(Kept(), Not(Contains(Hex('7'))));
}

TEST_F(RetentionTest, NobodyResumesAJobThatFailedOrWasCancelled) {
  End(JobState::kFailed, JobOutcome::kCrashed);
  EXPECT_THAT(Kept(), Not(Contains(Hex('7'))));
}

TEST_F(RetentionTest, ARunThatStartsAgainKeepsNothingOfItsFormerJob) {
  End(JobState::kCancelled, JobOutcome::kCancelled);
  const JobId again(run_.key.text() + ".1");
  ASSERT_TRUE(Commit({JobAdded{MakeJob(again, run_.key), {{run_.key, 0, again, 0, 100}}},
                      StartOf(again, 1)})
                  .ok());
  EXPECT_THAT(Kept(), Not(Contains(Hex('8'))));
  EXPECT_THAT(Kept(), Not(Contains(Hex('9'))));
  EXPECT_THAT(Kept(), Contains(Hex('6'))) << "logs stay";
  ASSERT_TRUE(Commit({PointsOf(again, 1, 1, 100)}).ok());
  Add(CheckpointKind::kBest, 'a', 50, again);
  EXPECT_THAT(Kept(), Contains(Hex('a')));
}

TEST_F(RetentionTest, ALostResumeCheckpointIsForgotten) {
  ASSERT_TRUE(Commit({CheckpointLost{job_}}).ok());
  EXPECT_THAT(Kept(), Not(Contains(Hex('7'))));
  EXPECT_THAT(Load().checkpoints, testing::IsEmpty());
}

TEST_F(RetentionTest, BranchPointsAreKeptUntilTheyAreLost) {
  Add(CheckpointKind::kBranch, 'b', 60);
  End(JobState::kSucceeded, JobOutcome::kSucceeded);
  EXPECT_THAT(Kept(), Contains(Hex('b')));
  ASSERT_TRUE(Commit({CheckpointLost{job_, CheckpointKind::kBranch, 60}}).ok());
  EXPECT_THAT(Kept(), Not(Contains(Hex('b'))));
}

TEST_F(RetentionTest, ACorpusIsKeptForItsName) {
  for (const ArtifactFile& file : MakeCorpus().files) EXPECT_THAT(Kept(), Contains(file.sha256));
}

}  // namespace
}  // namespace etude
