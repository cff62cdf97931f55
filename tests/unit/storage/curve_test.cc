#include "gmock/gmock.h"
#include "storage/run_curve.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using CurveTest = StoreTest;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

LossPoint Point(Series series, std::int64_t step, double value = 0.5) {
  return {series, step, value};
}

TEST_F(CurveTest, RunThatNobodyTrainedHasNoPoints) { EXPECT_THAT(Curve(), IsEmpty()); }

TEST_F(CurveTest, PointsComeByStepThenSeries) {
  const PointsAdded mixed{job_,
                          1,
                          {Point(Series::kGradNorm, 1), Point(Series::kTrain, 2),
                           Point(Series::kTrain, 1), Point(Series::kValProbe, 2)}};
  ASSERT_TRUE(Commit({StartOf(job_, 1), mixed}).ok());
  EXPECT_THAT(Curve(), ElementsAre(Point(Series::kTrain, 1), Point(Series::kGradNorm, 1),
                                   Point(Series::kTrain, 2), Point(Series::kValProbe, 2)));
}

TEST_F(CurveTest, TestLossStaysSealedUnlessAskedFor) {
  const PointsAdded both{job_, 1, {Point(Series::kVal, 100), Point(Series::kTest, 100)}};
  ASSERT_TRUE(Commit({StartOf(job_, 1), both}).ok());
  EXPECT_THAT(Curve(), ElementsAre(Point(Series::kVal, 100)));
  EXPECT_THAT(Curve({Series::kTest}), ElementsAre(Point(Series::kTest, 100)));
  EXPECT_THAT(OpenSeries(), SizeIs(7));
  EXPECT_THAT(OpenSeries(), Not(Contains(Series::kTest)));
}

TEST_F(CurveTest, PageEndsWithAWholeStep) {
  PointsAdded points{job_, 1, {}};
  for (int step = 1; step <= 5; ++step) {
    points.points.push_back(Point(Series::kTrain, step));
    points.points.push_back(Point(Series::kLearningRate, step));
  }
  ASSERT_TRUE(Commit({StartOf(job_, 1), points}).ok());
  const std::vector<LossPoint> page = Curve({}, 1, 3);
  ASSERT_THAT(page, SizeIs(4));
  EXPECT_EQ(page.front().step, 2);
  EXPECT_EQ(page.back().step, 3);
  EXPECT_THAT(Curve({}, 5, 3), IsEmpty());
}

TEST_F(CurveTest, PagesTogetherAreTheWholeCurve) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 40), StartOf(job_, 2, 23),
                      PointsOf(job_, 2, 24, 100)})
                  .ok());
  std::vector<LossPoint> all;
  for (std::vector<LossPoint> page = Curve({}, 0, 7); !page.empty();
       page = Curve({}, all.back().step, 7)) {
    all.insert(all.end(), page.begin(), page.end());
  }
  EXPECT_EQ(all, PointsOf(job_, 1, 1, 100).points);
}

TEST_F(CurveTest, PathTakesEachSegmentsStepsFromItsJob) {
  const Run run = MakeRun(2);
  const JobId trunk = FirstJob(run);
  const JobId branch(run.key.text() + ".1");
  SweepAdded added = MakeSweep({run}, "branched", 'b');
  added.new_jobs.push_back(MakeJob(branch, run.key, 60));
  added.new_segments = {{run.key, 0, trunk, 0, 60}, {run.key, 1, branch, 60, 100}};
  PointsAdded cooled = PointsOf(branch, 1, 61, 100);
  for (LossPoint& point : cooled.points) point.value = 7;
  // The trunk goes on for longer runs than this one.
  ASSERT_TRUE(Commit({Change(added), StartOf(trunk, 1), PointsOf(trunk, 1, 1, 100),
                      StartOf(branch, 1, 60), cooled})
                  .ok());
  std::vector<LossPoint> expected = PointsOf(trunk, 1, 1, 60).points;
  expected.insert(expected.end(), cooled.points.begin(), cooled.points.end());
  const auto points = Reader()->Curve(run.key, {}, 0, 1000);
  ASSERT_TRUE(points.ok()) << points.status();
  EXPECT_EQ(*points, expected);
}

TEST_F(CurveTest, RepeatedEvaluationCountsOnce) {
  const PointsAdded first{job_, 1, {Point(Series::kVal, 100, 1.5)}};
  const PointsAdded second{job_, 2, {Point(Series::kVal, 100, 1.25)}};
  ASSERT_TRUE(Commit({StartOf(job_, 1), first, StartOf(job_, 2, 100), second}).ok());
  EXPECT_THAT(Curve(), ElementsAre(Point(Series::kVal, 100, 1.25)));
}

TEST_F(CurveTest, LimitMustBePositive) {
  EXPECT_EQ(Reader()->Curve(run_.key, {}, 0, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Reader()->Curve(RunKey(Hex('9')), {}, 0, 5).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(CurveTest, StandingTellsTheNewestOfEachSeries) {
  const PointsAdded more{job_,
                         2,
                         {Point(Series::kTrain, 21, 0.75), Point(Series::kValProbe, 21, 0.8),
                          Point(Series::kTokensPerSecond, 21, 5000)}};
  ASSERT_TRUE(
      Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 40), StartOf(job_, 2, 20), more}).ok());
  const auto standing = Reader()->Standing(run_.key);
  ASSERT_TRUE(standing.ok()) << standing.status();
  EXPECT_EQ(standing->step, 21);
  EXPECT_EQ(standing->train_loss, 0.75);
  EXPECT_EQ(standing->val_probe, 0.8);
  EXPECT_EQ(standing->tokens_per_s, 5000);
  EXPECT_EQ(standing->attempts, 2);
  EXPECT_EQ(standing->run.config, run_.config);
}

TEST_F(CurveTest, StandingOfAResumeWithoutPointsIsThatOfItsStart) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 40), StartOf(job_, 2, 20)}).ok());
  const auto standing = Reader()->Standing(run_.key);
  ASSERT_TRUE(standing.ok()) << standing.status();
  EXPECT_EQ(standing->step, 20);
  EXPECT_EQ(standing->train_loss, 1.0 / 20);
  EXPECT_FALSE(standing->val_probe.has_value());
}

TEST_F(CurveTest, StandingsFollowTheSpecOrAge) {
  const Run other = MakeRun(2);
  SweepAdded second = MakeSweep({other}, "second", 'b');
  second.sweep.runs = {other.key, run_.key};
  ASSERT_TRUE(Commit({Change(second)}).ok());
  const auto of_sweep = Reader()->Standings(SweepId(Hex('b')));
  ASSERT_TRUE(of_sweep.ok()) << of_sweep.status();
  ASSERT_THAT(*of_sweep, SizeIs(2));
  EXPECT_EQ(of_sweep->at(0).run.key, other.key);
  const auto page = Reader()->Standings(SweepId(Hex('b')), 1, 5);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(*page, SizeIs(1));
  EXPECT_EQ(page->at(0).run.key, run_.key);
  const auto all = Reader()->Standings(SweepId());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_THAT(*all, SizeIs(2));
  EXPECT_EQ(all->at(0).run.key, run_.key);
  EXPECT_EQ(Reader()->Standings(SweepId(Hex('9'))).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace etude
