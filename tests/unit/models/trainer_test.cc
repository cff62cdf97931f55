#include "lib/models/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/npy.h"
#include "tests/unit/models/training_fixture.h"

namespace etude {
namespace {

std::vector<std::int64_t> StepsOf(const std::vector<LossPoint>& points) {
  std::vector<std::int64_t> steps;
  for (const LossPoint& point : points) steps.push_back(point.step);
  return steps;
}

class TrainerTest : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Both, TrainerTest, testing::Values(Family::kTransformer, Family::kLstm),
                         [](const auto& info) { return std::string(FamilyName(info.param)); });

TEST_P(TrainerTest, LearnsASmallCorpus) {
  RunConfig config = TinyRun(GetParam());
  config.steps = 150;
  config.unique_tokens = config.train_tokens;
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok()) << run.report.status();
  EXPECT_EQ(run.report->outcome, JobOutcome::kSucceeded);
  // The source's entropy is below 1.25 nats a letter; a model that learned nothing has ln 9 = 2.2.
  EXPECT_LT(run.report->result.val_loss, 1.45);
  EXPECT_GT(run.report->result.val_loss, 0.8);
}

TEST_P(TrainerTest, EmitsEverySeriesAtItsSteps) {
  const RunConfig config = TinyRun(GetParam());
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok());
  for (const Series series :
       {Series::kTrain, Series::kLearningRate, Series::kGradNorm, Series::kTokensPerSecond}) {
    EXPECT_EQ(run.heard.Of(series).size(), 12u) << SeriesName(series);
  }
  EXPECT_EQ(StepsOf(run.heard.Of(Series::kValProbe)), ProbeSteps(config));
  EXPECT_EQ(StepsOf(run.heard.Of(Series::kTrainEval)), ProbeSteps(config));
  EXPECT_EQ(StepsOf(run.heard.Of(Series::kVal)), std::vector<std::int64_t>{12});
  EXPECT_EQ(StepsOf(run.heard.Of(Series::kTest)), std::vector<std::int64_t>{12});
  EXPECT_EQ(run.heard.Of(Series::kVal)[0].value, run.report->result.val_loss);
  EXPECT_NEAR(run.heard.Of(Series::kLearningRate)[0].value, 1e-2 / 3, 1e-12);
}

TEST_P(TrainerTest, ValidationLossEqualsPyTorchOnTheSavedWeights) {
  if (PythonPath().empty())
    GTEST_SKIP() << "SKIPPED LOUDLY: no Python in .deps/venv or ETUDE_PYTHON";
  const Trained run = TrainNow(RequestFor(TinyRun(GetParam())));
  ASSERT_TRUE(run.report.ok());
  const std::string last =
      run.request.attempt_dir + "/" + run.heard.Newest(CheckpointKind::kLast)->dir;
  const auto printed = RunOracle("check_val_loss.py", last + " " + SmallCorpus().dir + "/val.npy");
  ASSERT_NE(printed, std::nullopt);
  EXPECT_NEAR(run.report->result.val_loss, std::stod(*printed), 1e-5);
}

TEST_P(TrainerTest, LastCheckpointHoldsDocumentSumsAndItsHashes) {
  const Trained run = TrainNow(RequestFor(TinyRun(GetParam())));
  ASSERT_TRUE(run.report.ok());
  const WrittenCheckpoint& last = *run.heard.Newest(CheckpointKind::kLast);
  const std::string dir = run.request.attempt_dir + "/" + last.dir + "/";
  ASSERT_EQ(last.files.size(), 4u);
  for (const ArtifactFile& file : last.files) {
    EXPECT_EQ(Sha256HexOfFile(dir + file.name).value(), file.sha256) << file.name;
  }
  EXPECT_EQ(Sha256HexOfFile(dir + "model.safetensors").value(), run.report->result.weights_sha256);
  const Matrix sums = ReadMatrix(dir + "val_documents.npy").value();
  double nats = 0, targets = 0;
  for (std::int64_t row = 0; row < sums.rows; ++row) {
    nats += sums.values[2 * row];
    targets += sums.values[2 * row + 1];
  }
  EXPECT_GT(sums.rows, 5);
  EXPECT_EQ(targets, 699);
  EXPECT_NEAR(nats / targets, run.report->result.val_loss, 1e-12);
}

TEST_P(TrainerTest, BestCheckpointIsTheLowestProbe) {
  RunConfig config = TinyRun(GetParam());
  config.steps = 60;
  config.unique_tokens = 40;  // over-fits, so the last probe is not the best
  config.eval.curve_points = 8;
  config.schedule = {.kind = ScheduleKind::kConstant, .warmup_steps = 0};
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok());
  const std::vector<LossPoint> probes = run.heard.Of(Series::kValProbe);
  const auto lowest =
      std::min_element(probes.begin(), probes.end(),
                       [](const LossPoint& a, const LossPoint& b) { return a.value < b.value; });
  EXPECT_LT(lowest->step, 60);
  EXPECT_EQ(run.report->result.best_step, lowest->step);
  EXPECT_EQ(run.report->result.best_val_loss, lowest->value);
  EXPECT_EQ(run.heard.Newest(CheckpointKind::kBest)->step, lowest->step);
}

TEST_P(TrainerTest, EqualRequestsGiveEqualBitsAndOtherSeedsDoNot) {
  RunConfig config = TinyRun(GetParam());
  config.model.dropout = 0.1;
  const Trained a = TrainNow(RequestFor(config)), b = TrainNow(RequestFor(config));
  config.seed = 2;
  const Trained c = TrainNow(RequestFor(config));
  EXPECT_EQ(a.heard.Repeatable(), b.heard.Repeatable());
  EXPECT_EQ(a.report->result.weights_sha256, b.report->result.weights_sha256);
  EXPECT_NE(a.report->result.weights_sha256, c.report->result.weights_sha256);
}

TEST_P(TrainerTest, AHugeLearningRateDivergesNamingTheStep) {
  RunConfig config = TinyRun(GetParam());
  config.lr = 1e30;
  config.schedule = {.kind = ScheduleKind::kConstant, .warmup_steps = 0};
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok()) << run.report.status();
  EXPECT_EQ(run.report->outcome, JobOutcome::kDiverged);
  EXPECT_THAT(run.report->reason, testing::HasSubstr("not finite at step "));
  EXPECT_THAT(run.report->reason, testing::HasSubstr("lower the learning rate"));
  for (const LossPoint& point : run.heard.points) EXPECT_TRUE(std::isfinite(point.value));
}

TEST(PinnedLossTest, FirstLossesOfATinyTransformer) {
  const Trained run = TrainNow(RequestFor(TinyRun(Family::kTransformer)));
  ASSERT_TRUE(run.report.ok());
  const double pinned[] = {2.21487, 2.09095, 2.02203, 1.96464};
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(run.heard.Of(Series::kTrain)[i].value, pinned[i], 2e-4) << i;
}

TEST(PinnedLossTest, FirstLossesOfATinyLstm) {
  const Trained run = TrainNow(RequestFor(TinyRun(Family::kLstm)));
  ASSERT_TRUE(run.report.ok());
  const double pinned[] = {2.20103, 2.19251, 2.17336, 2.15525};
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(run.heard.Of(Series::kTrain)[i].value, pinned[i], 2e-4) << i;
}

TEST(BadInputTest, AnotherCorpusIsRefused) {
  RunConfig config = TinyRun(Family::kLstm);
  config.corpus = CorpusId(std::string(64, 'a'));
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok());
  EXPECT_EQ(run.report->outcome, JobOutcome::kBadInput);
  EXPECT_THAT(run.report->reason, testing::HasSubstr("etude corpus push"));
}

TEST(BadInputTest, ConfigsThatContradictThemselvesAreRefused) {
  const auto outcome = [](const std::function<void(RunConfig&)>& change) {
    RunConfig config = TinyRun(Family::kTransformer);
    change(config);
    return TrainNow(RequestFor(config)).report.value().outcome;
  };
  EXPECT_EQ(outcome([](RunConfig& c) { c.model.heads = 3; }), JobOutcome::kBadInput);
  EXPECT_EQ(outcome([](RunConfig& c) { c.unique_tokens = 16; }), JobOutcome::kBadInput);
  EXPECT_EQ(outcome([](RunConfig& c) { c.unique_tokens = c.train_tokens + 1; }),
            JobOutcome::kBadInput);
  EXPECT_EQ(outcome([](RunConfig& c) { c.train_tokens += 1; }), JobOutcome::kBadInput);
  EXPECT_EQ(outcome([](RunConfig& c) { c.model.vocab = 50; }), JobOutcome::kBadInput);
  EXPECT_EQ(outcome([](RunConfig& c) { c.lr = 0; }), JobOutcome::kBadInput);
}

TEST(BadInputTest, AMissingCorpusIsAnErrorNotAnOutcome) {
  TrainRequest request = RequestFor(TinyRun(Family::kLstm));
  request.corpus_dir = NewDirectory();
  EXPECT_EQ(TrainNow(request).report.status().code(), absl::StatusCode::kNotFound);
}

TEST(OutOfMemoryTest, AnImpossibleBatchIsAnOutcome) {
  RunConfig config = TinyRun(Family::kTransformer);
  config.batch = 1 << 30;
  config.unique_tokens = config.train_tokens;
  config.model.context = 2000;
  config.stride = 1;
  const Trained run = TrainNow(RequestFor(config));
  ASSERT_TRUE(run.report.ok()) << run.report.status();
  EXPECT_EQ(run.report->outcome, JobOutcome::kOutOfMemory);
}

TEST(NumericsTest, NamesWhatBitsDependOn) {
  const auto json = nlohmann::json::parse(NumericsOf(2, Device::kCpu));
  EXPECT_EQ(json.at("threads"), 2);
  EXPECT_EQ(json.at("device"), "cpu");
  EXPECT_THAT(json.at("build").get<std::string>(), testing::HasSubstr("LibTorch 2."));
  EXPECT_FALSE(json.at("cpu").get<std::string>().empty());
}

}  // namespace
}  // namespace etude
