#include "lib/scaling/fit_problem.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace etude {
namespace {

constexpr std::size_t kA = IndexOf(Parameter::kA);
constexpr std::size_t kB = IndexOf(Parameter::kB);
constexpr std::size_t kAlpha = IndexOf(Parameter::kAlpha);
constexpr std::size_t kBeta = IndexOf(Parameter::kBeta);

// No loss is known more finely: below it, residuals have no pull that a direction could be measured
// against.
constexpr double kFinestResidual = 1e-6;
constexpr int kMaxDampings = 40;

double LowerBound(std::size_t j) { return j >= kAlpha ? kMinExponent : 0; }
double UpperBound(std::size_t j) {
  return j >= kAlpha ? kMaxExponent : std::numeric_limits<double>::max();
}

LawParameters IntoBounds(const FitProblem& problem, LawParameters theta) {
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (problem.free[j]) theta[j] = std::clamp(theta[j], LowerBound(j), UpperBound(j));
  }
  if (problem.beta_over_alpha > 0) theta[kBeta] = problem.beta_over_alpha * theta[kAlpha];
  return theta;
}

double Residual(const FitProblem& problem, const FitPoint& point, double loss) {
  return problem.raw ? loss - point.loss : std::log(loss) - point.log_loss;
}

// Derivatives by beta become derivatives by alpha where beta follows alpha.
void FollowAlpha(double ratio, LawParameters& gradient) {
  gradient[kAlpha] += ratio * gradient[kBeta];
  gradient[kBeta] = 0;
}

void FollowAlpha(double ratio, ParameterMatrix& matrix) {
  for (auto& row : matrix) FollowAlpha(ratio, row);
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    matrix[kAlpha][j] += ratio * matrix[kBeta][j];
    matrix[kBeta][j] = 0;
  }
}

// Adds one point: its residual's gradient J and Hessian, chained through the penalty.
void AddPoint(const FitProblem& problem, const FitPoint& point, const LawParameters& theta,
              Expansion& sum) {
  const LawPoint law = EvaluateLaw(theta, point.x, point.y);
  const double z = point.precision * Residual(problem, point, law.loss);
  const PenaltyAt penalty = EvaluatePenalty(problem.penalty, z);
  const double per_loss = problem.raw ? 1 : 1 / law.loss;
  LawParameters j = law.gradient;
  for (double& value : j) value *= per_loss;

  const double slope = point.mass * penalty.slope * point.precision;
  const double square = point.mass * point.precision * point.precision;
  const double outer = square * penalty.curvature - (problem.raw ? 0 : slope);
  sum.value += point.mass * penalty.value;
  sum.pull += point.mass * penalty.slope * z;
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    sum.gradient[a] += slope * j[a];
    for (std::size_t b = 0; b <= a; ++b) {
      sum.hessian[a][b] += outer * j[a] * j[b];
      sum.majorizer[a][b] += square * penalty.weight * j[a] * j[b];
    }
  }
  sum.hessian[kAlpha][kA] += slope * per_loss * law.second_a_alpha;
  sum.hessian[kAlpha][kAlpha] += slope * per_loss * law.second_alpha_alpha;
  sum.hessian[kBeta][kB] += slope * per_loss * law.second_b_beta;
  sum.hessian[kBeta][kBeta] += slope * per_loss * law.second_beta_beta;
}

void Mirror(ParameterMatrix& matrix) {
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    for (std::size_t b = 0; b < a; ++b) matrix[b][a] = matrix[a][b];
  }
}

// Free parameters that are not held at a bound by the gradient.
std::array<bool, kParameterCount> Movable(const FitProblem& problem, const LawParameters& theta,
                                          const LawParameters& gradient) {
  std::array<bool, kParameterCount> movable = problem.free;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (theta[j] <= LowerBound(j) && gradient[j] > 0) movable[j] = false;
    if (theta[j] >= UpperBound(j) && gradient[j] < 0) movable[j] = false;
  }
  return movable;
}

using Matrix5 = Eigen::Matrix<double, kParameterCount, kParameterCount>;
using Vector5 = Eigen::Matrix<double, kParameterCount, 1>;

// Solves model * step = -gradient on the movable parameters; false unless the model is positive
// definite there.
bool Solve(const Expansion& at, const std::array<bool, kParameterCount>& movable,
           const ParameterMatrix& model, LawParameters& step) {
  Matrix5 matrix = Matrix5::Identity();
  Vector5 right = Vector5::Zero();
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    const auto row = static_cast<Eigen::Index>(a);
    if (!movable[a]) continue;
    right[row] = -at.gradient[a];
    for (std::size_t b = 0; b < kParameterCount; ++b) {
      if (movable[b]) matrix(row, static_cast<Eigen::Index>(b)) = model[a][b];
    }
  }
  const Eigen::LLT<Matrix5> factor(matrix);
  if (factor.info() != Eigen::Success) return false;
  const Vector5 solution = factor.solve(right);
  if (!solution.allFinite()) return false;
  std::copy_n(solution.data(), kParameterCount, step.begin());
  return true;
}

// Newton's step on hessian + damping * majorizer; where that is not positive definite, as far from
// an optimum, the step of Levenberg and Marquardt on the majorizer.
bool DampedStep(const Expansion& at, const std::array<bool, kParameterCount>& movable,
                double damping, LawParameters& step) {
  constexpr double kRidge = 1e-14;
  ParameterMatrix newton = at.hessian;
  ParameterMatrix majorizer = at.majorizer;
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    for (std::size_t b = 0; b < kParameterCount; ++b) newton[a][b] += damping * at.majorizer[a][b];
    newton[a][a] += damping * kRidge * (at.majorizer[a][a] + kRidge);
    majorizer[a][a] += std::max(damping, kRidge) * (at.majorizer[a][a] + kRidge);
  }
  return Solve(at, movable, newton, step) || Solve(at, movable, majorizer, step);
}

}  // namespace

PenaltyAt EvaluatePenalty(const Penalty& penalty, double z) {
  const double size = std::abs(z);
  const double f = penalty.factor;
  if (size <= penalty.delta) return {f * z * z / 2, f * z, f, f};
  const double slope = f * penalty.delta;
  return {slope * (size - penalty.delta / 2), z > 0 ? slope : -slope, 0, slope / size};
}

int FitProblem::free_count() const { return static_cast<int>(std::ranges::count(free, true)); }

double ObjectiveAt(const FitProblem& problem, const LawParameters& theta) {
  double sum = 0;
  for (const FitPoint& point : problem.points) {
    const double loss = EvaluateLaw(theta, point.x, point.y).loss;
    if (!(loss > 0) || !std::isfinite(loss)) return std::numeric_limits<double>::infinity();
    const double z = point.precision * Residual(problem, point, loss);
    sum += point.mass * EvaluatePenalty(problem.penalty, z).value;
  }
  return sum;
}

Expansion ExpandAt(const FitProblem& problem, const LawParameters& theta) {
  Expansion sum;
  for (const FitPoint& point : problem.points) AddPoint(problem, point, theta, sum);
  Mirror(sum.hessian);
  Mirror(sum.majorizer);
  if (problem.beta_over_alpha > 0) {
    FollowAlpha(problem.beta_over_alpha, sum.gradient);
    FollowAlpha(problem.beta_over_alpha, sum.hessian);
    FollowAlpha(problem.beta_over_alpha, sum.majorizer);
  }
  return sum;
}

std::vector<double> ResidualsAt(const FitProblem& problem, const LawParameters& theta) {
  std::vector<double> residuals;
  residuals.reserve(problem.points.size());
  for (const FitPoint& point : problem.points) {
    const double loss = EvaluateLaw(theta, point.x, point.y).loss;
    residuals.push_back(point.precision * Residual(problem, point, loss));
  }
  return residuals;
}

std::vector<LawParameters> JacobianAt(const FitProblem& problem, const LawParameters& theta) {
  std::vector<LawParameters> rows;
  rows.reserve(problem.points.size());
  for (const FitPoint& point : problem.points) {
    const LawPoint law = EvaluateLaw(theta, point.x, point.y);
    LawParameters row = law.gradient;
    if (problem.beta_over_alpha > 0) FollowAlpha(problem.beta_over_alpha, row);
    for (std::size_t j = 0; j < kParameterCount; ++j) {
      row[j] = problem.free[j] ? row[j] * point.precision / (problem.raw ? 1 : law.loss) : 0;
    }
    rows.push_back(row);
  }
  return rows;
}

double ScaledGradient(const FitProblem& problem, const LawParameters& theta,
                      const Expansion& expansion) {
  const auto movable = Movable(problem, theta, expansion.gradient);
  const double least_pull = static_cast<double>(problem.points.size()) * problem.penalty.factor *
                            kFinestResidual * kFinestResidual;
  double largest = 0;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    const double length =
        std::sqrt(expansion.majorizer[j][j] * std::max(expansion.pull, least_pull));
    if (movable[j] && length > 0) {
      largest = std::max(largest, std::abs(expansion.gradient[j]) / length);
    }
  }
  return largest;
}

Minimum Minimise(const FitProblem& problem, LawParameters start, const MinimiseOptions& options) {
  constexpr double kFlat = 4e-15;  // relative change of the objective that is rounding
  LawParameters theta = IntoBounds(problem, start);
  Expansion at = ExpandAt(problem, theta);
  double scaled = ScaledGradient(problem, theta, at);
  double damping = 1;
  for (int taken = 0; taken < options.max_steps && scaled > options.tolerance; ++taken) {
    const auto movable = Movable(problem, theta, at.gradient);
    bool moved = false;
    for (int attempt = 0; attempt < kMaxDampings && !moved; ++attempt) {
      LawParameters step = {};
      LawParameters next = theta;
      double value = std::numeric_limits<double>::infinity();
      if (DampedStep(at, movable, damping, step)) {
        for (std::size_t j = 0; j < kParameterCount; ++j) next[j] += step[j];
        next = IntoBounds(problem, next);
        value = ObjectiveAt(problem, next);
      }
      if (value <= at.value * (1 + kFlat)) {
        const Expansion there = ExpandAt(problem, next);
        const double there_scaled = ScaledGradient(problem, next, there);
        if (value < at.value * (1 - kFlat) || there_scaled < scaled / 2) {
          theta = next;
          at = there;
          scaled = there_scaled;
          damping = damping < 1e-9 ? 0 : damping * 0.15;
          moved = true;
          continue;
        }
      }
      damping = std::max(damping * 5, 1e-6);
    }
    if (!moved) break;
  }
  return {theta, at.value, scaled};
}

FitProblem Recentred(const FitProblem& problem, double centre_n, double centre_d) {
  FitProblem moved = problem;
  for (FitPoint& point : moved.points) {
    point.x += problem.centre_n - centre_n;
    point.y += problem.centre_d - centre_d;
  }
  moved.centre_n = centre_n;
  moved.centre_d = centre_d;
  return moved;
}

}  // namespace etude
