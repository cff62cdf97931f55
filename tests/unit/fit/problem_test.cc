// Derivatives against differences, and the minimiser's certificate.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lib/scaling/fit_problem.h"
#include "lib/scaling/fit_search.h"

namespace etude {
namespace {

constexpr LawParameters kTheta = {1.5, 0.7, 0.9, 0.4, 0.3};

FitProblem SmallProblem(Objective objective, double delta) {
  FitProblem problem;
  int k = 0;
  for (const double x : {-1.5, -0.2, 0.6, 1.1}) {
    for (const double y : {-1.0, 0.1, 0.9}) {
      FitPoint point = {x, y, 0, 0, 1 + 0.1 * (k % 3), 1 + 0.2 * (k % 2)};
      point.loss = EvaluateLaw(kTheta, x, y).loss * (1 + 0.03 * std::sin(7.0 * ++k));
      point.log_loss = std::log(point.loss);
      problem.points.push_back(point);
    }
  }
  problem.free.fill(true);
  problem.raw = objective == Objective::kL2Raw;
  problem.penalty = PenaltyOf(objective, delta);
  return problem;
}

// A place off the optimum, so that no derivative vanishes.
constexpr LawParameters kOff = {1.42, 0.75, 0.93, 0.45, 0.26};

LawParameters Moved(LawParameters theta, std::size_t j, double by) {
  theta[j] += by;
  return theta;
}

class DerivativesTest : public testing::TestWithParam<Objective> {};

TEST_P(DerivativesTest, GradientIsTheDifferenceQuotient) {
  const FitProblem problem = SmallProblem(GetParam(), 0.02);
  const Expansion at = ExpandAt(problem, kOff);
  EXPECT_DOUBLE_EQ(at.value, ObjectiveAt(problem, kOff));
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    const double h = 1e-6;
    const double slope =
        (ObjectiveAt(problem, Moved(kOff, j, h)) - ObjectiveAt(problem, Moved(kOff, j, -h))) /
        (2 * h);
    EXPECT_NEAR(at.gradient[j], slope, 1e-6 * (1 + std::abs(slope))) << j;
  }
}

TEST_P(DerivativesTest, HessianIsTheDifferenceQuotientOfTheGradient) {
  const FitProblem problem = SmallProblem(GetParam(), 0.02);
  const Expansion at = ExpandAt(problem, kOff);
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    const double h = 1e-6;
    const Expansion up = ExpandAt(problem, Moved(kOff, j, h));
    const Expansion down = ExpandAt(problem, Moved(kOff, j, -h));
    for (std::size_t i = 0; i < kParameterCount; ++i) {
      const double slope = (up.gradient[i] - down.gradient[i]) / (2 * h);
      EXPECT_NEAR(at.hessian[i][j], slope, 1e-5 * (1 + std::abs(slope))) << i << " " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Objectives, DerivativesTest,
                         testing::Values(Objective::kHuber, Objective::kL2, Objective::kL2Raw));

TEST(FitProblemTest, JacobianIsTheDifferenceQuotientOfTheResiduals) {
  const FitProblem problem = SmallProblem(Objective::kHuber, 1e-3);
  const std::vector<LawParameters> jacobian = JacobianAt(problem, kOff);
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    const double h = 1e-6;
    const std::vector<double> up = ResidualsAt(problem, Moved(kOff, j, h));
    const std::vector<double> down = ResidualsAt(problem, Moved(kOff, j, -h));
    for (std::size_t i = 0; i < up.size(); ++i) {
      EXPECT_NEAR(jacobian[i][j], (up[i] - down[i]) / (2 * h), 1e-8);
    }
  }
}

TEST(FitProblemTest, BetaThatFollowsAlphaIsPartOfAlphasGradient) {
  FitProblem problem = SmallProblem(Objective::kL2, 0);
  problem.beta_over_alpha = 0.5;
  problem.free[IndexOf(Parameter::kBeta)] = false;
  const auto value = [&](double alpha) {
    return ObjectiveAt(problem, {1.4, 0.7, 0.9, alpha, alpha / 2});
  };
  const Expansion at = ExpandAt(problem, {1.4, 0.7, 0.9, 0.4, 0.2});
  EXPECT_NEAR(at.gradient[IndexOf(Parameter::kAlpha)],
              (value(0.4 + 1e-6) - value(0.4 - 1e-6)) / 2e-6, 1e-7);
  EXPECT_EQ(at.gradient[IndexOf(Parameter::kBeta)], 0);
}

TEST(FitProblemTest, PenaltyIsHubersOnBothSidesOfDelta) {
  const Penalty penalty = {0.5, 2};
  EXPECT_DOUBLE_EQ(EvaluatePenalty(penalty, -0.25).value, 2 * 0.03125);
  EXPECT_DOUBLE_EQ(EvaluatePenalty(penalty, -2).value, 2 * 0.5 * (2 - 0.25));
  EXPECT_DOUBLE_EQ(EvaluatePenalty(penalty, -2).slope, -1);
}

TEST(FitProblemTest, MinimiserStopsWhereTheGradientVanishes) {
  for (const double delta : {1e-3, 1e-2, std::numeric_limits<double>::infinity()}) {
    const FitProblem problem = SmallProblem(Objective::kHuber, delta);
    const Minimum minimum = Polish(problem, {1, 1, 1, 1, 1});
    EXPECT_LT(minimum.scaled_gradient, 1e-9) << delta;
    EXPECT_LT(minimum.value, ObjectiveAt(problem, kTheta));
  }
}

TEST(FitProblemTest, MinimiserStaysWithinTheBounds) {
  FitProblem problem = SmallProblem(Objective::kL2, 0);
  for (FitPoint& point : problem.points) {
    point.loss = 2 + 0.2 * point.x;  // rises with N, which the law cannot
    point.log_loss = std::log(point.loss);
  }
  const Minimum minimum = Polish(problem, kTheta);
  EXPECT_EQ(minimum.theta[IndexOf(Parameter::kA)], 0);
  for (const double value : minimum.theta) EXPECT_GE(value, 0);
}

}  // namespace
}  // namespace etude
