// Laws that are known, found again; optima against searches that cannot miss.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_csv.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

constexpr double kRecovered = 1e-6;  // relative, on rows without noise

void ExpectRecovered(const Fit& fit, const LawParameters& truth) {
  for (const ParameterEstimate& parameter : fit.params) {
    const double expected = truth[IndexOf(parameter.parameter)];
    EXPECT_NEAR(parameter.estimate.value, expected, kRecovered * expected)
        << ParameterName(parameter.parameter);
  }
  EXPECT_EQ(fit.verdict, Identification::kIdentified) << Joined(fit.reasons);
  EXPECT_TRUE(fit.certificate.converged) << fit.certificate.scaled_gradient;
}

struct Planted {
  double alpha;
  double beta;
  Objective objective;
};

class RecoveryTest : public testing::TestWithParam<Planted> {
 protected:
  LawParameters Truth() const {
    return {1.69, 0.8 * std::pow(1e5, GetParam().alpha), 0.9 * std::pow(1e7, GetParam().beta),
            GetParam().alpha, GetParam().beta};
  }
  Fit FitRows(Law law, const std::vector<FitRow>& rows) const {
    FitOptions options = QuickOptions(law);
    options.objective = GetParam().objective;
    return FitLaw(rows, options).value();
  }
};

TEST_P(RecoveryTest, ChinchillaIsFoundAgain) {
  const LawParameters truth = Truth();
  const Fit fit =
      FitRows(Law::kChinchilla, PlantedGrid(truth, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5)));
  ExpectRecovered(fit, truth);
  EXPECT_NEAR(fit.a_opt->value, truth[4] / (truth[3] + truth[4]), 1e-6);
}

TEST_P(RecoveryTest, PowerNIsFoundAgain) {
  LawParameters truth = Truth();
  const std::vector<FitRow> rows = PlantedGrid(truth, Ladder(1e4, 3, 6), {1e7});
  truth[0] += truth[2] * std::pow(1e7, -truth[4]);  // D adds a constant
  ExpectRecovered(FitRows(Law::kPowerN, rows), truth);
}

TEST_P(RecoveryTest, PowerDIsFoundAgain) {
  LawParameters truth = Truth();
  const std::vector<FitRow> rows = PlantedGrid(truth, {1e5}, Ladder(1e6, 3, 6));
  truth[0] += truth[1] * std::pow(1e5, -truth[3]);
  ExpectRecovered(FitRows(Law::kPowerD, rows), truth);
}

INSTANTIATE_TEST_SUITE_P(Exponents, RecoveryTest,
                         testing::Values(Planted{0.34, 0.28, Objective::kHuber},
                                         Planted{0.28, 0.34, Objective::kLad},
                                         Planted{0.5, 0.5, Objective::kL2},
                                         Planted{0.15, 0.7, Objective::kL2Raw},
                                         Planted{0.9, 0.2, Objective::kHuber}));

// DESIGN.md's own example: Hoffmann's law at Hoffmann's sizes.
TEST(FitTest, HoffmannsLawIsFoundAgainAtItsOwnScale) {
  const Fit fit =
      FitLaw(PlantedGrid(kHoffmann, Ladder(4.4e7, 4, 5), Ladder(1e9, 5, 5)), QuickOptions())
          .value();
  ExpectRecovered(fit, kHoffmann);
}

// Objectives of Nelder-Mead and Powell restarts in scipy 1.17.1 on the 35 RedPajama rows of
// mlfoundations/scaling (MIT): huber 0.00042651082715389, l2 0.0119606219856755.
TEST(FitTest, RealRowsReachScipysOptimum) {
  const auto rows =
      ParseFitCsv(FixtureText("gadre_rpj.csv"), {"n", "d", "loss", "", "", ""}, "gadre_rpj.csv");
  ASSERT_TRUE(rows.ok());
  FitOptions options = QuickOptions();
  const Fit huber = FitLaw(*rows, options).value();
  EXPECT_NEAR(huber.objective_value, 0.00042651082715389, 1e-13);
  EXPECT_NEAR(huber.parameters[0], 1.7202448, 1e-6);
  EXPECT_NEAR(huber.parameters[3], 0.24308448, 1e-7);
  EXPECT_NEAR(huber.parameters[4], 0.27300544, 1e-7);
  options.objective = Objective::kL2;
  const Fit squares = FitLaw(*rows, options).value();
  EXPECT_NEAR(squares.objective_value, 0.0119606219856755, 1e-12);
  EXPECT_NEAR(squares.parameters[3], 0.20921025, 1e-7);
}

// The least sum of |ln residual| of E + A/N^alpha over all (E, A) that pass through two rows
// exactly in L, which is where it lies at a given alpha, by golden section in alpha.
double BruteForceLad(const std::vector<FitRow>& rows, double alpha) {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double shape_i = std::pow(rows[i].n, -alpha);
      const double shape_j = std::pow(rows[j].n, -alpha);
      const double a = (rows[i].loss - rows[j].loss) / (shape_i - shape_j);
      const double e = rows[i].loss - a * shape_i;
      if (a < 0 || e < 0) continue;
      double sum = 0;
      for (const FitRow& row : rows) {
        sum += std::abs(std::log((e + a * std::pow(row.n, -alpha)) / row.loss));
      }
      best = std::min(best, sum);
    }
  }
  return best;
}

TEST(FitTest, LadIsExactlyTheBestVertex) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 2.5, 7), {1e7});
    AddNoise(rows, 0.005, seed);
    FitOptions options = QuickOptions(Law::kPowerN);
    options.objective = Objective::kLad;
    const Fit fit = FitLaw(rows, options).value();
    double searched = std::numeric_limits<double>::infinity();
    for (int k = 0; k < 6000; ++k) {
      searched = std::min(searched, BruteForceLad(rows, 0.02 + k * 2e-4));
    }
    EXPECT_LE(fit.objective_value, searched * (1 + 1e-12)) << seed;
    EXPECT_NEAR(fit.objective_value, searched, 2e-3 * searched) << seed;
    EXPECT_TRUE(fit.certificate.converged) << fit.certificate.scaled_gradient;
  }
}

TEST(FitTest, AutoDeltaGrowsWithTheNoise) {
  FitOptions options = QuickOptions();
  options.delta = std::nullopt;
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 6), Ladder(1e6, 3, 6));
  AddNoise(rows, 0.02, 3);
  const Fit fit = FitLaw(rows, options).value();
  EXPECT_GT(*fit.delta, 0.5 * 1.345 * 0.02);
  EXPECT_LT(*fit.delta, 2 * 1.345 * 0.02);
}

TEST(FitTest, FixedParametersStayAndAreNotJudged) {
  FitOptions options = QuickOptions();
  options.fixed = {*ParseFixedParameter("E=1.69"), *ParseFixedParameter("A=406.4")};
  const Fit fit = FitLaw(PlantedGrid(kHoffmann, {1e4, 1e5}, Ladder(1e6, 3, 4)), options).value();
  EXPECT_EQ(fit.Find(Parameter::kE)->status, Identification::kFixed);
  EXPECT_EQ(fit.Find(Parameter::kA)->value, 406.4);
  EXPECT_NEAR(fit.Find(Parameter::kAlpha)->value, 0.34, 1e-6);
  EXPECT_NEAR(fit.Find(Parameter::kBeta)->value, 0.28, 1e-6);
}

TEST(FitTest, AWildRowIsNamedAndMovesLeastSquaresOnly) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5));
  AddNoise(rows, 0.002, 5);
  rows[4].loss *= 1.3;
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].run_key = "t.csv:" + std::to_string(i);
  const Fit fit = FitLaw(rows, QuickOptions()).value();
  EXPECT_NEAR(fit.parameters[3], 0.34, 0.02);
  EXPECT_NE(Joined(fit.warnings).find("outlier-sensitive: alpha"), std::string::npos);
  EXPECT_NE(Joined(fit.warnings).find("hangs most on t.csv:4"), std::string::npos)
      << Joined(fit.warnings);
}

}  // namespace
}  // namespace etude
