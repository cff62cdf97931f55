#include "lib/scaling/lad.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace etude {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Rows =
    Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr double kDependent = 1e-10;  // of a row's length: what is left of it beside other rows
constexpr double kZero = 1e-13;       // of the largest residual or slope: counts as 0
constexpr int kMaxPivotsPerRow = 20;

// The rows with the smallest residuals at x = 0 that do not depend on each other.
std::vector<Eigen::Index> FirstBasis(const Rows& rows, const Vector& targets) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(rows.rows()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](auto i, auto j) { return std::abs(targets[i]) < std::abs(targets[j]); });
  std::vector<Eigen::Index> basis;
  Matrix directions(rows.cols(), 0);  // orthonormal
  for (const Eigen::Index i : order) {
    if (directions.cols() == rows.cols()) break;
    Vector rest = rows.row(i).transpose();
    const double length = rest.norm();
    for (int pass = 0; pass < 2; ++pass) rest -= directions * (directions.transpose() * rest);
    if (!(rest.norm() > kDependent * length)) continue;
    directions.conservativeResize(Eigen::NoChange, directions.cols() + 1);
    directions.rightCols(1) = rest.normalized();
    basis.push_back(i);
  }
  return basis;
}

struct Edge {
  double slope = 0;  // of the objective along it; negative when it leads down
  Eigen::Index leaving = -1;
  Vector direction;
};

// The steepest way down that lets one residual of the basis go and keeps the others at 0.
Edge SteepestEdge(const Rows& rows, const Vector& residuals, const Matrix& inverse,
                  const std::vector<bool>& in_basis, double zero) {
  Edge best;
  for (Eigen::Index j = 0; j < inverse.cols(); ++j) {
    const Vector change = rows * inverse.col(j);
    double drift = 0;  // of the residuals that are not 0
    double kinks = 1;  // of those that are; the leaving one changes by 1
    for (Eigen::Index i = 0; i < rows.rows(); ++i) {
      if (in_basis[static_cast<std::size_t>(i)]) continue;
      if (std::abs(residuals[i]) <= zero) {
        kinks += std::abs(change[i]);
      } else {
        drift += residuals[i] > 0 ? change[i] : -change[i];
      }
    }
    const double slope = kinks - std::abs(drift);
    if (slope < best.slope) {
      const double sign = drift > 0 ? -1 : 1;
      best = {slope, j, sign * inverse.col(j)};
    }
  }
  return best;
}

// The row whose residual vanishes where the objective is lowest along `edge`; -1 if none does.
Eigen::Index EnteringRow(const Rows& rows, const Vector& residuals, const Edge& edge,
                         const std::vector<bool>& in_basis, double zero) {
  const Vector change = rows * edge.direction;
  std::vector<std::pair<double, Eigen::Index>> crossings;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    if (in_basis[static_cast<std::size_t>(i)] || std::abs(residuals[i]) <= zero) continue;
    const double at = -residuals[i] / change[i];
    if (change[i] != 0 && at > 0) crossings.emplace_back(at, i);
  }
  std::ranges::sort(crossings);
  double slope = edge.slope;
  for (const auto& [at, row] : crossings) {
    slope += 2 * std::abs(change[row]);
    if (slope >= 0) return row;
  }
  return -1;
}

}  // namespace

LadSolution SolveLad(std::span<const double> row_values, std::span<const double> target_values,
                     int unknowns) {
  const auto count = static_cast<Eigen::Index>(target_values.size());
  const Rows rows(row_values.data(), count, unknowns);
  const Vector targets = Eigen::Map<const Vector>(target_values.data(), count);
  std::vector<Eigen::Index> basis = FirstBasis(rows, targets);
  LadSolution solution;
  solution.rank = static_cast<int>(basis.size());
  if (solution.rank < unknowns) return solution;

  std::vector<bool> in_basis(target_values.size());
  for (const Eigen::Index i : basis) in_basis[static_cast<std::size_t>(i)] = true;
  Vector x;
  double objective = 0;
  for (int pivot = 0; pivot <= kMaxPivotsPerRow * count; ++pivot) {
    Matrix active(unknowns, unknowns);
    Vector active_targets(unknowns);
    for (int j = 0; j < unknowns; ++j) {
      active.row(j) = rows.row(basis[static_cast<std::size_t>(j)]);
      active_targets[j] = targets[basis[static_cast<std::size_t>(j)]];
    }
    const Matrix inverse = active.inverse();
    const Vector at = inverse * active_targets;
    const Vector residuals = rows * at - targets;
    const double value = residuals.lpNorm<1>();
    if (pivot > 0 && value >= objective) break;
    x = at;
    objective = value;
    const double zero = kZero * targets.lpNorm<Eigen::Infinity>();
    const Edge edge = SteepestEdge(rows, residuals, inverse, in_basis, zero);
    if (edge.slope >= -kZero * static_cast<double>(count)) break;
    const Eigen::Index entering = EnteringRow(rows, residuals, edge, in_basis, zero);
    if (entering < 0) break;
    in_basis[static_cast<std::size_t>(basis[static_cast<std::size_t>(edge.leaving)])] = false;
    in_basis[static_cast<std::size_t>(entering)] = true;
    basis[static_cast<std::size_t>(edge.leaving)] = entering;
  }
  solution.x.assign(x.data(), x.data() + x.size());
  solution.objective = objective;
  return solution;
}

}  // namespace etude
