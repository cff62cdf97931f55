// Intervals cover, noise is told from misfit, and nothing depends on the order of the rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_interval.h"
#include "lib/scaling/fit_noise.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

std::vector<FitRow> NoisyGrid(int sizes, int tokens, double sigma, std::uint64_t seed) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, sizes), Ladder(1e6, 3, tokens));
  AddNoise(rows, sigma, seed);
  return rows;
}

// How often the reported intervals of E, A, B, alpha, beta and a_opt hold the truth.
std::array<double, kQuantityCount> Coverage(int trials, int sizes, const FitOptions& options) {
  std::array<double, kQuantityCount> covered = {};
  for (int trial = 0; trial < trials; ++trial) {
    const std::vector<FitRow> rows =
        NoisyGrid(sizes, sizes, 0.013, 1000 + static_cast<std::uint64_t>(trial));
    const Fit fit = FitLaw(rows, options).value();
    for (const ParameterEstimate& parameter : fit.params) {
      const std::size_t j = IndexOf(parameter.parameter);
      covered[j] += parameter.estimate.ci95.Contains(kHoffmann[j]) ? 1.0 / trials : 0;
    }
    covered[kAOpt] += fit.a_opt->ci95.Contains(0.28 / 0.62) ? 1.0 / trials : 0;
  }
  return covered;
}

TEST(IntervalTest, ProfilesCoverTheTruth) {
  for (const double rate : Coverage(200, 4, QuickOptions())) {
    EXPECT_GE(rate, 0.90);
    EXPECT_LE(rate, 0.99);
  }
}

TEST(IntervalTest, BootstrapsCoverTheTruth) {
  FitOptions options;
  options.bootstrap = 200;
  for (const double rate : Coverage(100, 6, options)) EXPECT_GE(rate, 0.90);
}

TEST(IntervalTest, LeastSquaresProfileOfALinearParameterIsStudents) {
  std::vector<FitRow> rows = NoisyGrid(5, 5, 0.004, 7);
  FitOptions options = QuickOptions();
  options.objective = Objective::kL2;
  // Only E is free: nearly linear, so the profile is value +- t(24) SE.
  options.fixed = {{Parameter::kA, 406.4},
                   {Parameter::kB, 410.7},
                   {Parameter::kAlpha, 0.34},
                   {Parameter::kBeta, 0.28}};
  const Fit fit = FitLaw(rows, options).value();
  const Estimate& e = *fit.Find(Parameter::kE);
  constexpr double kT24 = 2.0638985616280205;  // scipy 1.17.1, stats.t.ppf(0.975, 24)
  EXPECT_NEAR((e.ci95.high - e.ci95.low) / 2, kT24 * e.se, 0.02 * kT24 * e.se);
}

TEST(IntervalTest, FewClustersReportTheProfileWithTheBootstrapBeside) {
  FitOptions options;
  options.bootstrap = 50;
  std::vector<FitRow> rows = NoisyGrid(6, 6, 0.005, 3);
  EXPECT_TRUE(FitLaw(rows, options)->bootstrap_reported);
  for (FitRow& row : rows) row.group = "trunk " + std::to_string(row.n);
  const Fit fit = FitLaw(rows, options).value();
  EXPECT_EQ(fit.clusters, 6);
  EXPECT_FALSE(fit.bootstrap_reported);
  const Estimate& alpha = *fit.Find(Parameter::kAlpha);
  EXPECT_EQ(alpha.ci95, alpha.profile95);
  EXPECT_TRUE(alpha.bootstrap95.has_value());
}

TEST(IntervalTest, NoResampleLosesALevel) {
  FitOptions options;
  options.bootstrap = 100;
  std::vector<FitRow> rows = NoisyGrid(5, 5, 0.002, 4);
  for (FitRow& row : rows) row.group = std::to_string(row.n);  // a size is one cluster
  const Fit fit = FitLaw(rows, options).value();
  // Without one of the sizes alpha would wander; with all of them it stays near.
  EXPECT_GT(fit.Find(Parameter::kAlpha)->bootstrap95->low, 0.25);
  EXPECT_LT(fit.Find(Parameter::kAlpha)->bootstrap95->high, 0.43);
}

TEST(IntervalTest, DispersionOfLeastSquaresIsTheResidualVariance) {
  const Penalty square = {INFINITY, 1};
  EXPECT_NEAR(EstimateDispersion(square, 0.5 * 12.0, 17, 5).sigma, 1, 1e-9);
  EXPECT_NEAR(EstimateDispersion(square, 0.5 * 12.0, 17, 5).spread, 1, 1e-9);
  EXPECT_TRUE(std::isinf(EstimateDispersion(square, 1, 5, 5).sigma));
}

TEST(IntervalTest, DispersionOfAbsoluteDeviationsIsTheNormals) {
  // E |r| = sigma sqrt(2/pi) less half the drop per parameter; variance factor pi/2.
  const Penalty absolute = {1e-7, 1e7};
  const double sigma = 0.02;
  const double value = 1000 * sigma * std::sqrt(2 / M_PI) - 2.5 * sigma * std::sqrt(M_PI / 2);
  const Dispersion dispersion = EstimateDispersion(absolute, value, 1000, 5);
  EXPECT_NEAR(dispersion.sigma, sigma, 1e-5 * sigma + 1e-6);
  EXPECT_NEAR(dispersion.spread, M_PI / 2 * sigma * sigma, 1e-3 * sigma * sigma);
}

TEST(IntervalTest, TheOrderOfTheRowsChangesNoBit) {
  FitOptions options;
  options.bootstrap = 40;
  std::vector<FitRow> rows = Repeated(NoisyGrid(4, 4, 0.01, 9), 2);
  AddNoise(rows, 0.01, 10);
  for (FitRow& row : rows) row.group = std::to_string(row.n) + "/" + std::to_string(row.seed);
  const std::string first = FitToJson(FitLaw(rows, options).value());
  std::mt19937_64 random(5);
  for (int trial = 0; trial < 3; ++trial) {
    std::shuffle(rows.begin(), rows.end(), random);
    EXPECT_EQ(FitToJson(FitLaw(rows, options).value()), first);
  }
  options.seed = 2;
  EXPECT_NE(FitToJson(FitLaw(rows, options).value()), first) << "the seed draws the bootstrap";
}

TEST(NoiseTest, SeedsGiveThePooledSigma) {
  std::vector<FitRow> rows = Repeated(PlantedGrid(kHoffmann, {1e4, 1e5}, {1e6}), 2);
  rows[0].loss *= std::exp(0.03);  // cell 1: +0.03 and 0; cell 2: 0 and -0.01
  rows[3].loss *= std::exp(-0.01);
  const SeedNoise noise = EstimateSeedNoise(rows);
  EXPECT_EQ(noise.cells, 2);
  EXPECT_EQ(noise.freedom, 2);
  EXPECT_NEAR(noise.sigma, std::sqrt((0.03 * 0.03 / 2 + 0.01 * 0.01 / 2) / 2), 1e-12);
  EXPECT_EQ(SigmaRatio(noise, 1e4, 1e6), 1);
}

TEST(NoiseTest, NoiseThatGrowsWithNBecomesWeights) {
  std::vector<FitRow> rows =
      Repeated(PlantedGrid(kHoffmann, Ladder(1e4, 3, 6), Ladder(1e6, 3, 4)), 4);
  AddNoise(rows, 1, 21);
  for (FitRow& row : rows) {
    const double clean = LawLoss(kHoffmann, row.n, row.d);
    row.loss = clean * std::pow(row.loss / clean, 0.002 * std::sqrt(row.n / 1e4));
  }
  const SeedNoise noise = EstimateSeedNoise(rows);
  EXPECT_NEAR(noise.slope_n, 0.5, 0.15);
  EXPECT_NEAR(noise.slope_d, 0, 0.15);
  EXPECT_GT(SigmaRatio(noise, 1e6, 1e6), 1.5);
}

TEST(NoiseTest, RowsOfAnotherUniqueSubsetAreNoReplicates) {
  std::vector<FitRow> rows = Repeated(PlantedGrid(kHoffmann, {1e4}, {1e6}), 2);
  rows[1].u = 5e5;
  EXPECT_EQ(EstimateSeedNoise(rows).freedom, 0);
}

TEST(NoiseTest, TheRightLawShowsNoLackOfFitAndAWrongOneDoes) {
  std::vector<FitRow> rows =
      Repeated(PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5)), 3);
  AddNoise(rows, 0.005, 13);
  EXPECT_GT(FitLaw(rows, QuickOptions())->lack_of_fit->p, 0.01);
  for (FitRow& row : rows) row.loss *= 1 + 0.03 * std::cos(std::log(row.n) + std::log(row.d));
  const Fit wrong = FitLaw(rows, QuickOptions()).value();
  EXPECT_LT(wrong.lack_of_fit->p, 1e-6);
  EXPECT_EQ(wrong.lack_of_fit->freedom, 20);
  EXPECT_EQ(wrong.lack_of_fit->noise_freedom, 50);
  EXPECT_NE(Joined(wrong.warnings).find("lack of fit"), std::string::npos);
}

}  // namespace
}  // namespace etude
