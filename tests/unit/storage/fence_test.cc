#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using FenceTest = StoreTest;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::StatusCode kStale = absl::StatusCode::kFailedPrecondition;

Job JobIn(const Run& run, JobState state, int attempts) {
  return MakeJob(FirstJob(run), run.key, 0, state, attempts);
}

TEST_F(FenceTest, JobThatWasNeverLeasedTakesNoWrites) {
  EXPECT_EQ(Commit({PointsOf(job_, 1, 1, 2)}).code(), kStale);
  EXPECT_EQ(Commit({CheckpointAt(job_, 1, 2)}).code(), kStale);
  EXPECT_EQ(Commit({EndOf(job_, 1)}).code(), kStale);
  EXPECT_EQ(Commit({PointsOf(JobId("nobody.0"), 1, 1, 2)}).code(), kStale);
}

TEST_F(FenceTest, SupersededAttemptWritesNothing) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 4)}).ok());
  ASSERT_TRUE(Commit({EndOf(job_, 1, JobOutcome::kSuperseded), StartOf(job_, 2, 4)}).ok());
  const absl::Status status = Commit({PointsOf(job_, 1, 5, 6)});
  EXPECT_EQ(status.code(), kStale);
  EXPECT_THAT(MessageOf(status), HasSubstr("the newest attempt is 2"));
  EXPECT_EQ(Commit({CheckpointAt(job_, 1, 6)}).code(), kStale);
  EXPECT_EQ(Commit({EndOf(job_, 1)}).code(), kStale);
  EXPECT_THAT(Curve(), SizeIs(4));
}

TEST_F(FenceTest, EndedAttemptWritesNothing) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), EndOf(job_, 1, JobOutcome::kKilled)}).ok());
  EXPECT_EQ(Commit({PointsOf(job_, 1, 1, 2)}).code(), kStale);
  EXPECT_EQ(Commit({CheckpointAt(job_, 1, 2)}).code(), kStale);
  EXPECT_EQ(Commit({EndOf(job_, 1, JobOutcome::kSucceeded)}).code(), kStale);
  const auto attempts = Reader()->AttemptsOf(run_.key);
  ASSERT_TRUE(attempts.ok()) << attempts.status();
  EXPECT_EQ(attempts->at(0).attempt.outcome, JobOutcome::kKilled);
}

TEST_F(FenceTest, AttemptNumbersOnlyGrow) {
  ASSERT_TRUE(Commit({StartOf(job_, 2)}).ok());
  EXPECT_EQ(Commit({StartOf(job_, 2)}).code(), kStale);
  EXPECT_EQ(Commit({StartOf(job_, 1)}).code(), kStale);
  EXPECT_TRUE(Commit({StartOf(job_, 3)}).ok());
}

TEST_F(FenceTest, NewAttemptEndsALiveOne) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), StartOf(job_, 2)}).ok());
  const auto attempts = Reader()->AttemptsOf(run_.key);
  ASSERT_TRUE(attempts.ok()) << attempts.status();
  ASSERT_THAT(*attempts, SizeIs(2));
  EXPECT_EQ(attempts->at(0).attempt.outcome, JobOutcome::kSuperseded);
  EXPECT_EQ(attempts->at(0).attempt.ended_at_us, 12);
  EXPECT_FALSE(attempts->at(1).attempt.outcome.has_value());
}

TEST_F(FenceTest, ResumeDropsPointsAfterItsStart) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 30)}).ok());
  ASSERT_TRUE(Commit({StartOf(job_, 2, 10), PointsOf(job_, 2, 11, 20)}).ok());
  ASSERT_TRUE(Commit({StartOf(job_, 3, 15)}).ok());
  EXPECT_EQ(Curve(), PointsOf(job_, 1, 1, 15).points);
  EXPECT_EQ(Load().points_through.at(0).step, 15);
}

TEST_F(FenceTest, ResumeLeavesOtherJobsAlone) {
  const Run other = MakeRun(2);
  ASSERT_TRUE(Commit({Change(MakeSweep({other}, "second", 'b')), StartOf(FirstJob(other), 1),
                      PointsOf(FirstJob(other), 1, 1, 9), StartOf(job_, 1), StartOf(job_, 2)})
                  .ok());
  const auto points = Reader()->Curve(other.key, {}, 0, 100);
  ASSERT_TRUE(points.ok()) << points.status();
  EXPECT_THAT(*points, SizeIs(9));
}

TEST_F(FenceTest, ResumeDropsCheckpointsWhosePointsAreGone) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 30), CheckpointAt(job_, 1, 30),
                      CheckpointAt(job_, 1, 5, CheckpointKind::kBest)})
                  .ok());
  ASSERT_TRUE(Commit({StartOf(job_, 2, 10)}).ok());
  EXPECT_THAT(Load().checkpoints, IsEmpty());
  const auto kept = Reader()->CheckpointsOf(run_.key);
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_THAT(*kept, SizeIs(1));
  EXPECT_THAT(kept->at(0).files, SizeIs(2));
}

TEST_F(FenceTest, TerminalJobNeverChanges) {
  for (const JobState last : {JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    const Run run = MakeRun(10 + static_cast<int>(last));
    const std::string name(JobStateName(last));
    const char digit = static_cast<char>('1' + static_cast<int>(last));
    ASSERT_TRUE(
        Commit({Change(MakeSweep({run}, name, digit)), JobChanged{JobIn(run, last, 0)}}).ok());
    EXPECT_TRUE(Commit({JobChanged{JobIn(run, last, 0)}}).ok());
    EXPECT_EQ(Commit({JobChanged{JobIn(run, JobState::kQueued, 0)}}).code(), kStale);
    EXPECT_EQ(Commit({JobChanged{JobIn(run, JobState::kLeased, 0)}}).code(), kStale);
    EXPECT_EQ(Commit({StartOf(FirstJob(run), 1)}).code(), kStale);
  }
}

TEST_F(FenceTest, JobNeverForgetsAttempts) {
  ASSERT_TRUE(Commit({StartOf(job_, 1)}).ok());
  EXPECT_EQ(Commit({JobChanged{JobIn(run_, JobState::kLeased, 0)}}).code(), kStale);
  EXPECT_TRUE(Commit({JobChanged{JobIn(run_, JobState::kLeased, 1)}}).ok());
}

TEST_F(FenceTest, ResultNeverChanges) {
  RunResult result;
  result.val_loss = 1.25;
  ASSERT_TRUE(Commit({RunChanged{run_.key, RunState::kSucceeded, "", result, 5}}).ok());
  EXPECT_EQ(Commit({RunChanged{run_.key, RunState::kQueued, "", {}, 0}}).code(), kStale);
  EXPECT_EQ(Commit({RunChanged{run_.key, RunState::kFailed, "", {}, 0}}).code(), kStale);
  result.val_loss = 2.5;
  EXPECT_TRUE(Commit({RunChanged{run_.key, RunState::kSucceeded, "", result, 6}}).ok());
  EXPECT_EQ(Load().runs.at(0).result->val_loss, 1.25);
}

TEST_F(FenceTest, CancelledRunMayBeWantedAgain) {
  ASSERT_TRUE(Commit({RunChanged{run_.key, RunState::kCancelled, "by user", {}, 5}}).ok());
  EXPECT_EQ(Commit({RunChanged{run_.key, RunState::kSucceeded, "", {}, 6}}).code(), kStale);
  EXPECT_TRUE(Commit({RunChanged{run_.key, RunState::kQueued, "", {}, 0}}).ok());
  EXPECT_EQ(Load().runs.at(0).state, RunState::kQueued);
}

}  // namespace
}  // namespace etude
