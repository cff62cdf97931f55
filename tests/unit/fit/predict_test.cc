#include <gtest/gtest.h>

#include <cmath>

#include "lib/scaling/fit_predict.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

Fit NoisyFit(std::uint64_t seed, double sigma = 0.005, const LawParameters& truth = kHoffmann) {
  std::vector<FitRow> rows = Repeated(PlantedGrid(truth, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5)), 2);
  AddNoise(rows, sigma, seed);
  return FitLaw(rows, QuickOptions()).value();
}

TEST(PredictTest, NewRunsFallIntoTheIntervalAsOftenAsItSays) {
  int inside = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Prediction prediction =
        PredictLoss(NoisyFit(500 + static_cast<std::uint64_t>(trial)), 2e6, 2e8).value();
    std::vector<FitRow> run = {PlantedRow(kHoffmann, 2e6, 2e8)};
    AddNoise(run, 0.005, 9000 + static_cast<std::uint64_t>(trial));
    inside += prediction.ci95.Contains(run[0].loss);
  }
  EXPECT_GE(inside, 0.90 * kTrials);
  EXPECT_LE(inside, 0.99 * kTrials);
}

TEST(PredictTest, TheIntervalWidensBeyondTheRows) {
  const Fit fit = NoisyFit(1);
  const Prediction within = PredictLoss(fit, 9e4, 9e6).value();
  const Prediction beyond = PredictLoss(fit, 1e8, 1e10).value();
  EXPECT_FALSE(within.extrapolates);
  EXPECT_TRUE(beyond.extrapolates);
  EXPECT_GT(beyond.half_width, within.half_width);
  EXPECT_GT(within.half_width, 1.96 * 0.004) << "a new run has noise of its own";
}

TEST(PredictTest, ARefusedFitPredictsNothing) {
  const Fit fit = FitLaw(PlantedGrid(kHoffmann, Ladder(1e4, 3, 9), {1e6}), QuickOptions()).value();
  EXPECT_EQ(PredictLoss(fit, 1e5, 1e6).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(PredictLoss(NoisyFit(1), -1, 1e6).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(PredictTest, PowerNHoldsOnItsOwnDAlone) {
  const Fit fit =
      FitLaw(PlantedGrid(kHoffmann, Ladder(1e4, 3, 6), {1e7}), QuickOptions(Law::kPowerN)).value();
  EXPECT_NEAR(PredictLoss(fit, 5e4, 1e7)->loss, LawLoss(kHoffmann, 5e4, 1e7), 1e-6);
  EXPECT_FALSE(PredictLoss(fit, 5e4, 2e7).ok());
}

TEST(HeldOutTest, ATruePredictionPasses) {
  const Fit fit = NoisyFit(2);
  const Prediction prediction = PredictLoss(fit, 2e6, 2e8).value();
  const HeldOutVerdict verdict = JudgeHeldOut(prediction, LawLoss(kHoffmann, 2e6, 2e8));
  EXPECT_TRUE(verdict.passed()) << Joined(verdict.reasons);
  EXPECT_TRUE(verdict.reasons.empty());
}

TEST(HeldOutTest, EachConditionAloneFailsIt) {
  const Prediction good = {3.0, {2.9, 3.1}, 0.1 / 3, false, 4, 0.005};
  EXPECT_TRUE(JudgeHeldOut(good, 3.05).passed());
  EXPECT_FALSE(JudgeHeldOut(good, 3.07).accurate) << "2.3 % off, 2 % allowed";
  Prediction noisy = good;
  noisy.seed_sigma = 0.012;
  EXPECT_TRUE(JudgeHeldOut(noisy, 3.07).accurate) << "2 sigma of the seeds are 2.4 %";
  Prediction narrow = good;
  narrow.ci95 = {2.99, 3.01};
  EXPECT_FALSE(JudgeHeldOut(narrow, 3.05).inside);
  const HeldOutVerdict wide = JudgeHeldOut({3.0, {2.8, 3.2}, 0.2 / 3, false, 4, 0.005}, 3.0);
  EXPECT_TRUE(wide.inside && wide.accurate && wide.too_wide);
  EXPECT_FALSE(wide.passed());
  Prediction no_news = good;
  no_news.lowest_loss = 3.04;
  EXPECT_FALSE(JudgeHeldOut(no_news, 3.05).beats_best_run);
  EXPECT_TRUE(JudgeHeldOut(good, 3.0, {.max_half_width = 0.025}).too_wide);
}

TEST(CompareTest, EqualLawsAreNotDistinctAndUnequalOnesAre) {
  LawParameters steeper = {1.69, 406.4 * std::pow(1e5, 0.2), 410.7, 0.54, 0.28};
  const auto same = CompareExponents(NoisyFit(3), NoisyFit(4), Parameter::kAlpha);
  ASSERT_TRUE(same.ok());
  EXPECT_FALSE(same->distinct);
  EXPECT_GT(same->p, 0.05);
  const auto other = CompareExponents(NoisyFit(3, 0.005, steeper), NoisyFit(4), Parameter::kAlpha);
  EXPECT_TRUE(other->distinct);
  EXPECT_LT(other->p, 0.01);
  EXPECT_NEAR(other->difference, 0.2, 0.1);
}

TEST(CompareTest, IsWelchsTest) {
  Fit one = NoisyFit(3);
  Fit two = one;
  one.freedom = 8;
  two.freedom = 20;
  one.params[3].estimate = {0.40, 0.03, {0.3, 0.5}, {}, std::nullopt, Identification::kIdentified};
  two.params[3].estimate = {0.30, 0.04, {0.2, 0.4}, {}, std::nullopt, Identification::kIdentified};
  const ExponentDifference result = CompareExponents(one, two, Parameter::kAlpha).value();
  EXPECT_NEAR(result.se, 0.05, 1e-12);
  // 0.05^4 / (0.03^4 / 8 + 0.04^4 / 20) = 27.292...
  EXPECT_NEAR(result.freedom, 6.25e-6 / (8.1e-7 / 8 + 2.56e-6 / 20), 1e-6);
  EXPECT_NEAR(result.p, 0.0558, 5e-4);  // scipy 1.17.1: 2 * stats.t.sf(2, 27.2629)
}

TEST(CompareTest, UnlikeFitsAreNotCompared) {
  Fit other = NoisyFit(4);
  other.provenance.convention = "all";
  EXPECT_FALSE(CompareExponents(NoisyFit(3), other, Parameter::kAlpha).ok());
  EXPECT_FALSE(CompareExponents(NoisyFit(3), NoisyFit(4), Parameter::kE).ok());
}

}  // namespace
}  // namespace etude
