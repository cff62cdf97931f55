// From runs to rows, and from fitted runs to frozen predictions of held-out ones.
#include "lib/scaling/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_csv.h"
#include "lib/scaling/fit_runs.h"
#include "lib/scaling/law.h"

namespace etude {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const SweepId kSweep(std::string(64, 'a'));

using Runs = std::vector<Run>;  // inside a test, Run is one of its members

Run MakeRun(Family family, int width, std::int64_t steps, std::uint64_t seed = 1) {
  Run run;
  ModelConfig& model = run.config.model;
  model.family = family;
  model.layers = family == Family::kLstm ? 1 : 2;
  model.width = width;
  model.heads = family == Family::kLstm ? 0 : 2;
  model.vocab = 50;
  model.context = 64;
  run.config.corpus = CorpusId(std::string(64, 'c'));
  run.config.steps = steps;
  run.config.unique_tokens = 1'000'000;
  run.config.train_tokens = 1'000'000;
  run.config.seed = seed;
  run.config.lr = 0.01;
  run.key = KeyOf(run.config);
  const double n = CountN(run.config, NConvention::kCompute);
  const double d = static_cast<double>(run.config.tokens());
  // Planted, with seeds a percent apart.
  const double loss = 0.9 + 20 / std::sqrt(n) + 300 / std::sqrt(d);
  run.result.emplace().val_loss = loss * (1 + 0.005 * (static_cast<double>(seed) - 1.5));
  run.result->test_loss = loss + 1;
  run.state = RunState::kSucceeded;
  return run;
}

Runs GridOf(Family family) {
  Runs runs;
  for (const int width : {16, 32, 64, 96}) {
    for (const std::int64_t steps : {600, 1800, 5400}) {
      for (const std::uint64_t seed : {1, 2}) runs.push_back(MakeRun(family, width, steps, seed));
    }
  }
  return runs;
}

TEST(FitRunsTest, ARowIsWhatTheRunMeasured) {
  const Runs runs = {MakeRun(Family::kLstm, 24, 600)};
  const std::vector<FitRow> rows = FitRowsOf(runs, {}).value();
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].n, CountN(runs[0].config, NConvention::kCompute));
  EXPECT_EQ(rows[0].d, 600 * 8 * 64);
  EXPECT_EQ(rows[0].u, 1e6);
  EXPECT_EQ(rows[0].loss, runs[0].result->val_loss);
  EXPECT_EQ(rows[0].run_key, runs[0].key.text());
  EXPECT_THAT(rows[0].group, testing::StartsWith("lstm 1x24 seed 1 "));
  EXPECT_EQ(FitRowsOf(runs, {.split = FitSplit::kTest}).value()[0].loss, runs[0].result->test_loss);
  EXPECT_LT(FitRowsOf(runs, {.convention = NConvention::kBody}).value()[0].n, rows[0].n);
}

TEST(FitRunsTest, TheFilterChoosesAndUnfinishedRunsAreLeftOut) {
  Runs runs = GridOf(Family::kLstm);
  runs.push_back(MakeRun(Family::kTransformer, 16, 600));
  runs.back().result.reset();
  EXPECT_THAT(FitRowsOf(runs, {}).value(), SizeIs(24));
  const Where where = ParseWhere("seed=1 and tokens<1M and shape!=1x16").value();
  EXPECT_THAT(FitRowsOf(runs, {.where = where}).value(), SizeIs(6));
  EXPECT_FALSE(FitRowsOf(runs, {.where = ParseWhere("colour=red").value()}).ok());
}

TEST(FitRunsTest, RunsThatWereScoredOtherwiseAreNotMixed) {
  Runs runs = {MakeRun(Family::kLstm, 24, 600), MakeRun(Family::kLstm, 48, 600)};
  runs[1].config.model.context = 128;
  EXPECT_THAT(MessageOf(FitRowsOf(runs, {}).status()), HasSubstr("--where context=64"));
  runs[1].config.model.context = 64;
  runs[1].config.corpus = CorpusId(std::string(64, 'd'));
  EXPECT_THAT(MessageOf(FitRowsOf(runs, {}).status()), HasSubstr("2 corpora"));
}

TEST(ForecastTest, AHeldOutRunIsPredictedByItsFamilysLaw) {
  const auto held_out = MakeRun(Family::kLstm, 128, 1800);
  const Forecast forecast = MakeForecast(kSweep, GridOf(Family::kLstm), {held_out});
  ASSERT_THAT(forecast.predictions, SizeIs(1));
  ASSERT_THAT(forecast.fits, SizeIs(1));
  EXPECT_TRUE(forecast.unpredicted.empty());
  const FrozenPrediction& frozen = forecast.predictions[0];
  EXPECT_EQ(frozen.run, held_out.key);
  EXPECT_EQ(frozen.fit_sha256, forecast.fits[0].sha256);
  EXPECT_EQ(forecast.fits[0].sha256, Sha256Hex(forecast.fits[0].json));
  EXPECT_TRUE(JudgeHeldOut(frozen.prediction, held_out.result->val_loss).passed());
  EXPECT_TRUE(frozen.prediction.extrapolates);
}

TEST(ForecastTest, WhatIsNotIdentifiedIsNotPredicted) {
  Runs runs = GridOf(Family::kTransformer);
  std::erase_if(runs, [](const auto& run) { return run.config.steps != 600; });
  for (const auto& run : GridOf(Family::kLstm)) runs.push_back(run);
  const auto refused = MakeRun(Family::kTransformer, 128, 600);
  const auto fine = MakeRun(Family::kLstm, 128, 600);
  const Forecast forecast = MakeForecast(kSweep, runs, {refused, fine});
  ASSERT_THAT(forecast.unpredicted, SizeIs(1));
  EXPECT_EQ(forecast.unpredicted[0].run, refused.key);
  EXPECT_THAT(forecast.unpredicted[0].reason, HasSubstr("D never varies"));
  ASSERT_THAT(forecast.predictions, SizeIs(1));
  EXPECT_EQ(forecast.predictions[0].run, fine.key);
}

TEST(ForecastTest, AHeldOutRunObeysWhatTheFitAsksOfItsRows) {
  auto repeats = MakeRun(Family::kLstm, 128, 1800);
  repeats.config.unique_tokens = 100'000;
  auto wider = MakeRun(Family::kLstm, 128, 1800);
  wider.config.model.context = 128;
  const Forecast forecast = MakeForecast(kSweep, GridOf(Family::kLstm), {repeats, wider});
  ASSERT_THAT(forecast.unpredicted, SizeIs(2));
  EXPECT_THAT(forecast.unpredicted[0].reason, HasSubstr("D/U is 9.22"));
  EXPECT_THAT(forecast.unpredicted[1].reason, HasSubstr("context 128 and the fitted runs 64"));
}

TEST(FitRunsTest, ATrunkIsAllButDAndWhatMayDependOnIt) {
  const RunConfig config = MakeRun(Family::kLstm, 24, 600).config;
  RunConfig longer = config;
  longer.steps *= 3;
  longer.lr /= 2;
  EXPECT_EQ(TrunkName(config), TrunkName(longer));
  RunConfig other = config;
  other.batch *= 2;
  EXPECT_NE(TrunkName(config), TrunkName(other));
}

TEST(ForecastTest, WithoutRunsNothingIsPredicted) {
  const Forecast forecast = MakeForecast(kSweep, {}, {MakeRun(Family::kLstm, 128, 600)});
  EXPECT_THAT(forecast.unpredicted, SizeIs(1));
  EXPECT_TRUE(forecast.predictions.empty() && forecast.fits.empty());
}

TEST(ForecastTest, EqualRunsGiveEqualBytesInAnyOrder) {
  Runs runs = GridOf(Family::kLstm);
  const Runs held_out = {MakeRun(Family::kLstm, 128, 1800)};
  const Forecast first = MakeForecast(kSweep, runs, held_out);
  std::reverse(runs.begin(), runs.end());
  const Forecast second = MakeForecast(kSweep, runs, held_out);
  EXPECT_EQ(first.fits[0].json, second.fits[0].json);
  EXPECT_EQ(FrozenPredictionHash(first.predictions[0]),
            FrozenPredictionHash(second.predictions[0]));
}

TEST(ForecastTest, AStoredPredictionReadsBackAndItsHashCoversEveryNumber) {
  const Runs held_out = {MakeRun(Family::kLstm, 128, 1800)};
  const FrozenPrediction frozen =
      MakeForecast(kSweep, GridOf(Family::kLstm), held_out).predictions[0];
  EXPECT_EQ(FrozenPredictionFromJson(FrozenPredictionJson(frozen)).value(), frozen);
  FrozenPrediction changed = frozen;
  changed.prediction.loss = std::nextafter(changed.prediction.loss, 9);
  EXPECT_NE(FrozenPredictionHash(changed), FrozenPredictionHash(frozen));
  EXPECT_FALSE(FrozenPredictionFromJson("{}").ok());
}

}  // namespace
}  // namespace etude
