// The two linear solvers against searches that cannot miss.
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "lib/scaling/lad.h"
#include "lib/scaling/nnls.h"

namespace etude {
namespace {

double Uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1.0p-52 - 1;
}

struct LeastSquares {
  Eigen::MatrixXd matrix;
  Eigen::VectorXd target;
};

LeastSquares RandomProblem(std::mt19937_64& random, int rows, int unknowns) {
  LeastSquares problem = {Eigen::MatrixXd(rows, unknowns), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    problem.target[i] = Uniform(random);
    for (int j = 0; j < unknowns; ++j) problem.matrix(i, j) = Uniform(random);
  }
  return problem;
}

NormalEquations NormalOf(const LeastSquares& problem) {
  NormalEquations equations;
  equations.unknowns = static_cast<int>(problem.matrix.cols());
  const Eigen::MatrixXd gram = problem.matrix.transpose() * problem.matrix;
  const Eigen::VectorXd moment = problem.matrix.transpose() * problem.target;
  for (int i = 0; i < equations.unknowns; ++i) {
    equations.moment[i] = moment[i];
    for (int j = 0; j < equations.unknowns; ++j) equations.gram[i][j] = gram(i, j);
  }
  equations.square = problem.target.squaredNorm();
  return equations;
}

// Coordinate descent with clipping, which converges to the minimum over x >= 0.
double BruteForceNnls(const LeastSquares& problem) {
  Eigen::VectorXd x = Eigen::VectorXd::Zero(problem.matrix.cols());
  for (int sweep = 0; sweep < 20000; ++sweep) {
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const Eigen::VectorXd column = problem.matrix.col(j);
      const double slope = column.dot(problem.matrix * x - problem.target);
      x[j] = std::max(0.0, x[j] - slope / column.squaredNorm());
    }
  }
  return (problem.matrix * x - problem.target).squaredNorm();
}

TEST(NnlsTest, ReachesTheMinimumThatDescentReaches) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 60; ++trial) {
    const LeastSquares problem = RandomProblem(random, 6, 1 + trial % 3);
    const NnlsSolution solution = SolveNnls(NormalOf(problem));
    EXPECT_NEAR(solution.objective, BruteForceNnls(problem), 1e-9) << trial;
    for (const double value : solution.x) EXPECT_GE(value, 0);
  }
}

TEST(NnlsTest, EqualColumnsShareNothing) {
  LeastSquares problem = {Eigen::MatrixXd::Ones(3, 2), Eigen::Vector3d(1, 2, 3)};
  const NnlsSolution solution = SolveNnls(NormalOf(problem));
  EXPECT_NEAR(solution.x[0] + solution.x[1], 2, 1e-12);
  EXPECT_NEAR(solution.objective, 2, 1e-12);
}

double AbsoluteSum(const LeastSquares& problem, const Eigen::VectorXd& x) {
  return (problem.matrix * x - problem.target).lpNorm<1>();
}

// The minimum lies on a vertex: some `unknowns` rows fitted exactly. Tries every such set.
double BruteForceLad(const LeastSquares& problem) {
  const int rows = static_cast<int>(problem.matrix.rows());
  const int unknowns = static_cast<int>(problem.matrix.cols());
  std::vector<bool> chosen(static_cast<std::size_t>(rows));
  std::fill_n(chosen.begin(), unknowns, true);
  double best = std::numeric_limits<double>::infinity();
  do {
    Eigen::MatrixXd square(unknowns, unknowns);
    Eigen::VectorXd right(unknowns);
    int k = 0;
    for (int i = 0; i < rows; ++i) {
      if (!chosen[static_cast<std::size_t>(i)]) continue;
      square.row(k) = problem.matrix.row(i);
      right[k++] = problem.target[i];
    }
    const Eigen::FullPivLU<Eigen::MatrixXd> factor(square);
    if (factor.isInvertible()) best = std::min(best, AbsoluteSum(problem, factor.solve(right)));
  } while (std::prev_permutation(chosen.begin(), chosen.end()));
  return best;
}

LadSolution SolveLadOf(const LeastSquares& problem) {
  std::vector<double> rows;
  std::vector<double> targets;
  for (Eigen::Index i = 0; i < problem.matrix.rows(); ++i) {
    for (Eigen::Index j = 0; j < problem.matrix.cols(); ++j) rows.push_back(problem.matrix(i, j));
    targets.push_back(problem.target[i]);
  }
  return SolveLad(rows, targets, static_cast<int>(problem.matrix.cols()));
}

TEST(LadTest, ReachesTheBestOfAllVertices) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 100; ++trial) {
    const LeastSquares problem = RandomProblem(random, 9, 1 + trial % 5);
    const LadSolution solution = SolveLadOf(problem);
    EXPECT_NEAR(solution.objective, BruteForceLad(problem), 1e-10) << trial;
    const Eigen::Map<const Eigen::VectorXd> x(solution.x.data(), problem.matrix.cols());
    EXPECT_NEAR(AbsoluteSum(problem, x), solution.objective, 1e-12);
  }
}

TEST(LadTest, TheMedianIsTheConstantFit) {
  const LeastSquares problem = {Eigen::MatrixXd::Ones(5, 1),
                                (Eigen::VectorXd(5) << 1, 100, 2, 3, -50).finished()};
  EXPECT_DOUBLE_EQ(SolveLadOf(problem).x[0], 2);
}

TEST(LadTest, DependentColumnsShowAsRank) {
  LeastSquares problem = {Eigen::MatrixXd::Ones(4, 2), Eigen::Vector4d(1, 2, 3, 4)};
  EXPECT_EQ(SolveLadOf(problem).rank, 1);
}

}  // namespace
}  // namespace etude
