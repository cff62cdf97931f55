#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/models/checkpoint.h"
#include "lib/scaling/trunk.h"
#include "tests/unit/models/training_fixture.h"

namespace etude {
namespace {

// A request that goes on in a new attempt directory from the newest resume point of `before`.
TrainRequest After(const Trained& before) {
  const WrittenCheckpoint& point = *before.heard.Newest(CheckpointKind::kResume);
  TrainRequest request = RequestFor(before.request.config);
  request.resume_dir = before.request.attempt_dir + "/" + point.dir;
  request.start_step = point.step;
  return request;
}

StopRequest ReleaseAt(int call, int step) {
  return call == step ? StopRequest::kRelease : StopRequest::kNone;
}

std::vector<LossPoint> Sorted(std::vector<LossPoint> points) {
  std::sort(points.begin(), points.end(), [](const LossPoint& a, const LossPoint& b) {
    return std::pair(a.step, a.series) < std::pair(b.step, b.series);
  });
  return points;
}

struct Case {
  Family family;
  double dropout;
  int stop;  // steps before the interruption; the first epoch ends in step 7 or before
};
class ResumeTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, ResumeTest,
                         testing::Values(Case{Family::kTransformer, 0.0, 5},
                                         Case{Family::kTransformer, 0.1, 8},
                                         Case{Family::kLstm, 0.0, 8}, Case{Family::kLstm, 0.1, 1}));

TEST_P(ResumeTest, IsBitIdenticalToAnUninterruptedRun) {
  RunConfig config = TinyRun(GetParam().family);
  config.model.dropout = GetParam().dropout;
  const Trained whole = TrainNow(RequestFor(config));
  const Trained first =
      TrainNow(RequestFor(config), [](int call) { return ReleaseAt(call, GetParam().stop); });
  ASSERT_EQ(first.report.value().outcome, JobOutcome::kReleased);
  ASSERT_EQ(first.report->step, GetParam().stop);
  const Trained second = TrainNow(After(first));
  ASSERT_TRUE(second.report.ok()) << second.report.status();
  std::vector<LossPoint> joined = first.heard.Repeatable();
  for (const LossPoint& point : second.heard.Repeatable()) joined.push_back(point);
  EXPECT_EQ(Sorted(joined), Sorted(whole.heard.Repeatable()));
  EXPECT_EQ(second.report->result.weights_sha256, whole.report->result.weights_sha256);
  EXPECT_EQ(second.report->result.best_step, whole.report->result.best_step);
  EXPECT_EQ(second.report->result.best_val_loss, whole.report->result.best_val_loss);
  EXPECT_FALSE(second.report->result.mixed_numerics);
}

// The run of `config`, from the branch point after `step` that `trunk` left.
TrainRequest BranchOff(const Trained& trunk, const RunConfig& config, std::int64_t step) {
  TrainRequest request = RequestFor(config);
  for (const WrittenCheckpoint& written : trunk.heard.checkpoints) {
    if (written.kind != CheckpointKind::kBranch || written.step != step) continue;
    request.resume_dir = trunk.request.attempt_dir + "/" + written.dir;
    request.start_step = step;
  }
  return request;
}

std::vector<LossPoint> Between(const std::vector<LossPoint>& points, std::int64_t from,
                               std::int64_t to) {
  std::vector<LossPoint> found;
  for (const LossPoint& point : points) {
    const bool follows_d = point.series == Series::kValProbe || point.series == Series::kTrainEval;
    if (point.step > from && point.step <= to && !follows_d) found.push_back(point);
  }
  return Sorted(found);
}

class BranchTest : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(All, BranchTest, testing::Values(Family::kTransformer, Family::kLstm));

TEST_P(BranchTest, IsBitIdenticalToARunFromTheBeginning) {
  RunConfig longest = TinyRun(GetParam());
  longest.model.dropout = 0.1;
  longest.schedule.warmup_steps = 3;
  longest.steps = 20;
  RunConfig shorter = longest;
  shorter.steps = 10;  // cools down after 8
  const std::int64_t branch = BranchStep(shorter);
  ASSERT_EQ(branch, 8);
  TrainRequest request = RequestFor(longest);
  request.branch_steps = {branch};
  const Trained trunk = TrainNow(request);
  const Trained branched = TrainNow(BranchOff(trunk, shorter, branch));
  const Trained alone = TrainNow(RequestFor(shorter));
  ASSERT_EQ(branched.report.value().outcome, JobOutcome::kSucceeded) << branched.report->reason;
  EXPECT_EQ(branched.report->result.weights_sha256, alone.report->result.weights_sha256);
  EXPECT_EQ(branched.report->result.val_loss, alone.report->result.val_loss);
  EXPECT_EQ(branched.report->result.test_loss, alone.report->result.test_loss);
  EXPECT_FALSE(branched.report->result.mixed_numerics);
  EXPECT_EQ(Between(trunk.heard.Repeatable(), 0, branch),
            Between(alone.heard.Repeatable(), 0, branch));
  EXPECT_EQ(Between(branched.heard.Repeatable(), branch, 10),
            Between(alone.heard.Repeatable(), branch, 10));
  EXPECT_EQ(branched.heard.Of(Series::kTrain).size(), 2u) << "the trunk's steps are trained once";
  // The trunk itself is as if none branched off it.
  const Trained plain = TrainNow(RequestFor(longest));
  EXPECT_EQ(trunk.report->result.weights_sha256, plain.report->result.weights_sha256);
  EXPECT_EQ(Sorted(trunk.heard.Repeatable()), Sorted(plain.heard.Repeatable()));
}

TEST_P(BranchTest, TheBestWeightsOfTheTrunkGoWithIt) {
  RunConfig longest = TinyRun(GetParam());
  longest.steps = 20;
  RunConfig shorter = longest;
  shorter.steps = 10;
  const std::int64_t branch = BranchStep(shorter);
  TrainRequest request = RequestFor(longest);
  request.branch_steps = {branch, 15};
  // Interrupted between the best probe and the branch point, which the next attempt makes.
  const Trained first = TrainNow(request, [](int call) { return ReleaseAt(call, 7); });
  TrainRequest next = After(first);
  next.branch_steps = request.branch_steps;
  std::filesystem::create_directories(next.attempt_dir + "/checkpoints");
  std::filesystem::copy(first.request.attempt_dir + "/checkpoints/best",
                        next.attempt_dir + "/checkpoints/best",
                        std::filesystem::copy_options::recursive);
  const Trained trunk = TrainNow(next);
  const TrainRequest branching = BranchOff(trunk, shorter, branch);
  ASSERT_TRUE(FileExists(branching.resume_dir + "/" + kBestFile));
  const auto point = ReadResumePoint(branching.resume_dir);
  ASSERT_TRUE(point.ok()) << point.status();
  ASSERT_GT((*point)->progress.best_step, 0);
  const Trained branched = TrainNow(branching);
  const RunResult& result = branched.report.value().result;
  const WrittenCheckpoint* best = branched.heard.Newest(CheckpointKind::kBest);
  ASSERT_NE(best, nullptr) << "a branch has best weights of its own, be they its trunk's";
  EXPECT_EQ(best->step, result.best_step);
  EXPECT_LE(result.best_val_loss, (*point)->progress.best_val_loss);
}

TEST(BranchPointTest, StartsOnlyWhereTheStepsAreTheSame) {
  RunConfig longest = TinyRun(Family::kLstm);
  longest.steps = 20;
  TrainRequest request = RequestFor(longest);
  request.branch_steps = {12};
  const Trained trunk = TrainNow(request);
  RunConfig shorter = longest;
  shorter.steps = 14;  // began to cool down after 11
  EXPECT_EQ(TrainNow(BranchOff(trunk, shorter, 12)).report.value().outcome, JobOutcome::kBadInput);
  RunConfig other = longest;
  other.steps = 40;
  other.lr *= 2;
  EXPECT_EQ(TrainNow(BranchOff(trunk, other, 12)).report.value().outcome, JobOutcome::kBadInput);
  other.lr = longest.lr;
  EXPECT_EQ(TrainNow(BranchOff(trunk, other, 12)).report.value().outcome, JobOutcome::kSucceeded);
}

TEST(CheckpointTest, TrainingSecondsAddUpOverAttempts) {
  const RunConfig config = TinyRun(Family::kLstm);
  const Trained whole = TrainNow(RequestFor(config));
  const Trained first = TrainNow(RequestFor(config), [](int call) { return ReleaseAt(call, 6); });
  const Trained second = TrainNow(After(first));
  EXPECT_NEAR(whole.report->result.train_seconds, 0.012, 1e-9);  // twelve steps of one tick
  EXPECT_NEAR(second.report.value().result.train_seconds, 0.012, 1e-9);
}

TEST(CheckpointTest, PointsUpToAStepComeBeforeItsCheckpoint) {
  struct : Recorder {
    absl::Status OnCheckpoint(const WrittenCheckpoint& checkpoint) override {
      heard_at_checkpoint.push_back({checkpoint.step, Of(Series::kTrain).size()});
      return absl::OkStatus();
    }
    std::vector<std::pair<std::int64_t, std::size_t>> heard_at_checkpoint;
  } recorder;
  TickingClock clock;
  TrainRequest request = RequestFor(TinyRun(Family::kLstm));
  request.checkpoint_every = absl::Milliseconds(5);
  ASSERT_TRUE(Train(
                  request, recorder, [] { return StopRequest::kNone; }, clock)
                  .ok());
  EXPECT_GT(recorder.heard_at_checkpoint.size(), 3u);
  for (const auto& [step, points] : recorder.heard_at_checkpoint) {
    EXPECT_GE(points, static_cast<std::size_t>(step));
  }
}

TEST(CheckpointTest, TwoNewestResumePointsStay) {
  TrainRequest request = RequestFor(TinyRun(Family::kLstm));
  const Trained run = TrainNow(request, [](int) { return StopRequest::kCheckpoint; });
  ASSERT_TRUE(run.report.ok());
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(request.attempt_dir + "/checkpoints")) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("step-00000010", "step-00000011", "last", "best"));
}

TEST(CheckpointTest, ASegmentEndsWithAResumePointAndNoFinalLoss) {
  TrainRequest request = RequestFor(TinyRun(Family::kTransformer));
  request.to = 7;
  const Trained segment = TrainNow(request);
  ASSERT_EQ(segment.report.value().outcome, JobOutcome::kSucceeded);
  EXPECT_EQ(segment.heard.Newest(CheckpointKind::kResume)->step, 7);
  EXPECT_EQ(segment.heard.Newest(CheckpointKind::kLast), nullptr);
  EXPECT_TRUE(segment.heard.Of(Series::kVal).empty());
  const Trained whole = TrainNow(RequestFor(request.config));
  EXPECT_EQ(TrainNow(After(segment)).report.value().result.weights_sha256,
            whole.report->result.weights_sha256);
}

TEST(CheckpointTest, CancelWritesNothing) {
  const Trained run = TrainNow(RequestFor(TinyRun(Family::kLstm)), [](int call) {
    return call == 4 ? StopRequest::kCancel : StopRequest::kNone;
  });
  EXPECT_EQ(run.report.value().outcome, JobOutcome::kCancelled);
  EXPECT_EQ(run.heard.Of(Series::kTrain).size(), 4u);
  EXPECT_TRUE(run.heard.checkpoints.empty());
}

TEST(CheckpointTest, AnotherRunsCheckpointIsRefused) {
  const Trained first =
      TrainNow(RequestFor(TinyRun(Family::kLstm)), [](int call) { return ReleaseAt(call, 3); });
  TrainRequest request = After(first);
  request.config.lr = 5e-3;
  EXPECT_EQ(TrainNow(request).report.value().outcome, JobOutcome::kBadInput);
  TrainRequest other_step = After(first);
  other_step.start_step = 4;
  EXPECT_EQ(TrainNow(other_step).report.value().outcome, JobOutcome::kBadInput);
}

TEST(CheckpointTest, OtherNumericsAreMarked) {
  const Trained first =
      TrainNow(RequestFor(TinyRun(Family::kLstm)), [](int call) { return ReleaseAt(call, 3); });
  const TrainRequest request = After(first);
  CheckpointConfig config =
      DecodeCheckpointConfig(ReadFile(request.resume_dir + "/config.json").value()).value();
  config.numerics = R"({"build":"another"})";
  ASSERT_TRUE(
      WriteFileAtomically(request.resume_dir + "/config.json", EncodeCheckpointConfig(config))
          .ok());
  EXPECT_TRUE(TrainNow(request).report.value().result.mixed_numerics);
}

TEST(CheckpointTest, ADamagedCheckpointIsDataLoss) {
  const Trained first =
      TrainNow(RequestFor(TinyRun(Family::kLstm)), [](int call) { return ReleaseAt(call, 3); });
  const TrainRequest request = After(first);
  const std::string path = request.resume_dir + "/optimizer.safetensors";
  const std::string bytes = ReadFile(path).value();
  ASSERT_TRUE(WriteFileAtomically(path, bytes.substr(0, bytes.size() - 1)).ok());
  EXPECT_EQ(TrainNow(request).report.status().code(), absl::StatusCode::kDataLoss);
}

TEST(CheckpointTest, AListenersErrorStopsTraining) {
  struct : Recorder {
    absl::Status OnPoints(std::span<const LossPoint>) override {
      return ResourceExhausted("disk full");
    }
  } recorder;
  TickingClock clock;
  const auto report = Train(
      RequestFor(TinyRun(Family::kLstm)), recorder, [] { return StopRequest::kNone; }, clock);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace etude
