#include "lib/scaling/fit_search.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "lib/scaling/lad.h"
#include "lib/scaling/nnls.h"

namespace etude {
namespace {

constexpr std::size_t kAlpha = IndexOf(Parameter::kAlpha);
constexpr std::size_t kBeta = IndexOf(Parameter::kBeta);
constexpr std::size_t kLinear = 3;     // E, A', B' come first
constexpr double kSameMinimum = 1e-3;  // in both exponents

// Exponents to try, and for each the columns of its term, one entry a point, over L.
struct GridAxis {
  std::vector<double> exponents;
  std::vector<std::vector<double>> columns;
};

GridAxis MakeAxis(const FitProblem& problem, bool free, double fixed, double FitPoint::*input) {
  GridAxis axis;
  const int cells = free ? kGridCells : 1;
  for (int i = 0; i < cells; ++i) {
    const double exponent =
        free ? kGridLow + (i + 0.5) * (kGridHigh - kGridLow) / kGridCells : fixed;
    std::vector<double> column;
    for (const FitPoint& point : problem.points) {
      column.push_back(std::sqrt(point.mass) * point.precision *
                       std::exp(-exponent * point.*input) / point.loss);
    }
    axis.exponents.push_back(exponent);
    axis.columns.push_back(std::move(column));
  }
  return axis;
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The linear part at given exponents: what is not free moves to the right-hand side.
class LinearPart {
 public:
  LinearPart(const FitProblem& problem, const LawParameters& first)
      : problem_(problem), first_(first) {
    for (const FitPoint& point : problem.points) {
      constant_.push_back(std::sqrt(point.mass) * point.precision / point.loss);
      target_.push_back(std::sqrt(point.mass) * point.precision);
    }
  }

  double Solve(const std::vector<double>& term_n, const std::vector<double>& term_d,
               LawParameters& theta) const {
    const std::array<const std::vector<double>*, kLinear> columns = {&constant_, &term_n, &term_d};
    std::vector<double> target = target_;
    NormalEquations equations;
    std::array<std::size_t, kLinear> index = {};
    for (std::size_t j = 0; j < kLinear; ++j) {
      if (problem_.free[j]) {
        index[static_cast<std::size_t>(equations.unknowns++)] = j;
      } else if (first_[j] != 0) {
        for (std::size_t i = 0; i < target.size(); ++i) target[i] -= first_[j] * (*columns[j])[i];
      }
    }
    const auto unknowns = static_cast<std::size_t>(equations.unknowns);
    for (std::size_t a = 0; a < unknowns; ++a) {
      equations.moment[a] = Dot(*columns[index[a]], target);
      for (std::size_t b = 0; b <= a; ++b) {
        equations.gram[a][b] = equations.gram[b][a] = Dot(*columns[index[a]], *columns[index[b]]);
      }
    }
    equations.square = Dot(target, target);
    const NnlsSolution solution = SolveNnls(equations);
    for (std::size_t j = 0; j < kLinear; ++j) theta[j] = first_[j];
    for (std::size_t a = 0; a < unknowns; ++a) theta[index[a]] = solution.x[a];
    return solution.objective;
  }

 private:
  const FitProblem& problem_;
  const LawParameters& first_;
  std::vector<double> constant_;
  std::vector<double> target_;
};

struct Cell {
  double objective = 0;
  LawParameters theta = {};
};

// True when no neighbour of cell (i, j) is lower.
bool IsLocalMinimum(const std::vector<Cell>& cells, int rows, int columns, int i, int j) {
  const auto index = [columns](int row, int column) {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
           static_cast<std::size_t>(column);
  };
  const double here = cells[index(i, j)].objective;
  for (int a = std::max(i - 1, 0); a <= std::min(i + 1, rows - 1); ++a) {
    for (int b = std::max(j - 1, 0); b <= std::min(j + 1, columns - 1); ++b) {
      if (cells[index(a, b)].objective < here) return false;
    }
  }
  return true;
}

double MedianSize(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// How far the condition 0 in sum sign(r_i) J_i + sum over vanishing r of [-1, 1] J_i is from
// holding, per column and in units of the column's own absolute sum.
double LadViolation(const FitProblem& problem, const LawParameters& theta) {
  constexpr double kVanishing = 1e-10;
  const std::vector<double> residuals = ResidualsAt(problem, theta);
  const std::vector<LawParameters> jacobian = JacobianAt(problem, theta);
  const auto count = static_cast<Eigen::Index>(kParameterCount);
  Eigen::VectorXd pull = Eigen::VectorXd::Zero(count);
  Eigen::VectorXd size = Eigen::VectorXd::Zero(count);
  Eigen::MatrixXd vanishing(count, 0);
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const Eigen::VectorXd row =
        problem.points[i].mass * Eigen::Map<const Eigen::VectorXd>(jacobian[i].data(), count);
    size += row.cwiseAbs();
    if (std::abs(residuals[i]) > kVanishing) {
      pull += residuals[i] > 0 ? row : -row;
    } else {
      vanishing.conservativeResize(Eigen::NoChange, vanishing.cols() + 1);
      vanishing.rightCols(1) = row;
    }
  }
  for (Eigen::Index j = 0; j < count; ++j) {
    const auto at = static_cast<std::size_t>(j);
    // A parameter on its lower bound may be pushed further down.
    const bool held = theta[at] <= (at >= kAlpha ? kMinExponent : 0) && pull[j] > 0;
    if (size[j] > 0 && !held) continue;
    pull[j] = 0;
    vanishing.row(j).setZero();
  }
  if (vanishing.cols() > 0) {
    Eigen::VectorXd duals =
        vanishing.completeOrthogonalDecomposition().solve(-pull).cwiseMin(1).cwiseMax(-1);
    pull += vanishing * duals;
  }
  double worst = 0;
  for (Eigen::Index j = 0; j < count; ++j) {
    if (size[j] > 0) worst = std::max(worst, std::abs(pull[j]) / size[j]);
  }
  return worst;
}

double AbsoluteSum(const FitProblem& problem, const LawParameters& theta) {
  double sum = 0;
  const std::vector<double> residuals = ResidualsAt(problem, theta);
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    sum += problem.points[i].mass * std::abs(residuals[i]);
  }
  return sum;
}

// The step that the linearised problem asks for; empty if it has none.
std::vector<double> LinearLadStep(const FitProblem& problem, const LawParameters& theta,
                                  const std::vector<std::size_t>& moving) {
  const std::vector<double> residuals = ResidualsAt(problem, theta);
  const std::vector<LawParameters> jacobian = JacobianAt(problem, theta);
  std::vector<double> rows;
  std::vector<double> targets;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    const double mass = problem.points[i].mass;
    for (const std::size_t j : moving) rows.push_back(mass * jacobian[i][j]);
    targets.push_back(-mass * residuals[i]);
  }
  return SolveLad(rows, targets, static_cast<int>(moving.size())).x;
}

}  // namespace

Penalty PenaltyOf(Objective objective, double delta) {
  if (objective == Objective::kHuber) return {delta, 1};
  if (objective == Objective::kLad) return {kLadSmoothing, 1 / kLadSmoothing};
  return {std::numeric_limits<double>::infinity(), 1};
}

std::vector<LawParameters> GridStarts(const FitProblem& problem, const LawParameters& first) {
  const GridAxis axis_n = MakeAxis(problem, problem.free[kAlpha], first[kAlpha], &FitPoint::x);
  const GridAxis axis_d = MakeAxis(problem, problem.free[kBeta], first[kBeta], &FitPoint::y);
  const LinearPart linear(problem, first);
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < axis_n.exponents.size(); ++i) {
    for (std::size_t j = 0; j < axis_d.exponents.size(); ++j) {
      Cell cell;
      cell.theta[kAlpha] = axis_n.exponents[i];
      cell.theta[kBeta] = axis_d.exponents[j];
      cell.objective = linear.Solve(axis_n.columns[i], axis_d.columns[j], cell.theta);
      cells.push_back(cell);
    }
  }
  const int rows = static_cast<int>(axis_n.exponents.size());
  const int columns = static_cast<int>(axis_d.exponents.size());
  std::vector<Cell> lowest;
  auto cell = cells.begin();
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j, ++cell) {
      if (IsLocalMinimum(cells, rows, columns, i, j)) lowest.push_back(*cell);
    }
  }
  std::ranges::stable_sort(lowest, {}, &Cell::objective);
  lowest.resize(std::min<std::size_t>(lowest.size(), kPolishedCells));
  std::vector<LawParameters> starts;
  for (const Cell& cell : lowest) starts.push_back(cell.theta);
  return starts;
}

Minimum Polish(const FitProblem& problem, const LawParameters& start) {
  constexpr double kNarrowing = 5;
  constexpr int kMaxStages = 12;
  constexpr MinimiseOptions kRough = {.max_steps = 60, .tolerance = 1e-4};
  LawParameters theta = start;
  FitProblem wide = problem;
  double delta = MedianSize(ResidualsAt(problem, theta));
  for (int stage = 0; stage < kMaxStages && delta > kNarrowing * problem.penalty.delta; ++stage) {
    wide.penalty = {delta, 1};
    theta = Minimise(wide, theta, kRough).theta;
    delta /= kNarrowing;
  }
  return Minimise(problem, theta, {.max_steps = 400, .tolerance = 1e-11});
}

std::vector<Minimum> SearchMinima(const FitProblem& problem, const LawParameters& first) {
  std::vector<Minimum> polished;
  for (const LawParameters& start : GridStarts(problem, first)) {
    polished.push_back(Polish(problem, start));
  }
  std::ranges::stable_sort(polished, {}, &Minimum::value);
  std::vector<Minimum> distinct;
  for (const Minimum& candidate : polished) {
    const bool known = std::ranges::any_of(distinct, [&](const Minimum& other) {
      return std::abs(other.theta[kAlpha] - candidate.theta[kAlpha]) < kSameMinimum &&
             std::abs(other.theta[kBeta] - candidate.theta[kBeta]) < kSameMinimum;
    });
    if (!known) distinct.push_back(candidate);
  }
  return distinct;
}

Minimum FinishLad(const FitProblem& problem, const Minimum& smoothed) {
  constexpr int kMaxSteps = 100;
  constexpr int kMaxHalvings = 40;
  constexpr double kRounding = 1e-14;  // absolute deviation of a point that is rounding
  LawParameters theta = smoothed.theta;
  double value = AbsoluteSum(problem, theta);
  const double exact = kRounding * static_cast<double>(problem.points.size());
  std::vector<std::size_t> moving;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (problem.free[j] && theta[j] > (j >= kAlpha ? kMinExponent : 0)) moving.push_back(j);
  }
  for (int step = 0; step < kMaxSteps && value > exact; ++step) {
    const std::vector<double> move = LinearLadStep(problem, theta, moving);
    bool lower = false;
    double part = 1;
    for (int halving = 0; !move.empty() && halving < kMaxHalvings && !lower; ++halving) {
      LawParameters next = theta;
      for (std::size_t k = 0; k < moving.size(); ++k) {
        const std::size_t j = moving[k];
        const bool exponent = j >= kAlpha;
        next[j] = std::clamp(theta[j] + part * move[k], exponent ? kMinExponent : 0.0,
                             exponent ? kMaxExponent : std::numeric_limits<double>::max());
      }
      const double there = AbsoluteSum(problem, next);
      if (there < value) {
        theta = next;
        value = there;
        lower = true;
      }
      part /= 2;
    }
    if (!lower) break;
  }
  return {theta, value, value > exact ? LadViolation(problem, theta) : 0};
}

}  // namespace etude
