#include "lib/scaling/fit_noise.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <tuple>

#include "lib/scaling/distributions.h"

namespace etude {
namespace {

struct Cell {
  double x = 0;
  double y = 0;
  int freedom = 0;
  double squares = 0;  // about the cell's mean
};

// Cells with two values or more.
std::vector<Cell> Replicates(std::span<const int> cell_of, std::span<const double> values,
                             std::span<const FitRow> rows) {
  const int count = cell_of.empty() ? 0 : *std::ranges::max_element(cell_of) + 1;
  std::vector<Cell> cells(static_cast<std::size_t>(count));
  std::vector<double> sums(cells.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Cell& cell = cells[static_cast<std::size_t>(cell_of[i])];
    cell.x = std::log(rows[i].n);
    cell.y = std::log(rows[i].d);
    ++cell.freedom;
    sums[static_cast<std::size_t>(cell_of[i])] += values[i];
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto at = static_cast<std::size_t>(cell_of[i]);
    const double off = values[i] - sums[at] / cells[at].freedom;
    cells[at].squares += off * off;
  }
  for (Cell& cell : cells) --cell.freedom;
  std::erase_if(cells, [](const Cell& cell) { return cell.freedom == 0; });
  return cells;
}

// Sets the slopes of `noise` if the cells show any. E ln s^2 = ln sigma^2 + digamma(f/2) - ln(f/2),
// variance trigamma(f/2).
void FindSlopes(std::span<const Cell> cells, SeedNoise& noise) {
  constexpr double kChiSquare2At95 = 5.991464547107979;
  using Matrix3 = Eigen::Matrix3d;
  Matrix3 gram = Matrix3::Zero();
  Eigen::Vector3d moment = Eigen::Vector3d::Zero();
  for (const Cell& cell : cells) {
    if (!(cell.squares > 0)) return;
    const double half = cell.freedom / 2.0;
    const double log_variance =
        std::log(cell.squares / cell.freedom) - Digamma(half) + std::log(half);
    const Eigen::Vector3d row(1, cell.x - noise.centre_ln_n, cell.y - noise.centre_ln_d);
    gram += row * row.transpose() / Trigamma(half);
    moment += row * log_variance / Trigamma(half);
  }
  const Eigen::FullPivLU<Matrix3> factor(gram);
  if (factor.rank() < 3) return;
  const Eigen::Vector3d solution = factor.solve(moment);
  const Eigen::Vector2d slopes = solution.tail<2>();
  const Matrix3 inverse = factor.inverse();
  const Eigen::Matrix2d covariance = inverse.bottomRightCorner<2, 2>();
  if (slopes.dot(covariance.inverse() * slopes) < kChiSquare2At95) return;
  noise.slope_n = slopes[0] / 2;
  noise.slope_d = slopes[1] / 2;
}

double MeanLog(std::span<const FitRow> rows, double FitRow::*member) {
  double sum = 0;
  for (const FitRow& row : rows) sum += std::log(row.*member);
  return sum / static_cast<double>(rows.size());
}

}  // namespace

std::vector<int> CellsOf(std::span<const FitRow> rows) {
  std::map<std::tuple<double, double, double>, int> known;
  std::vector<int> cells;
  for (const FitRow& row : rows) {
    const auto [at, added] =
        known.try_emplace({row.n, row.d, row.u}, static_cast<int>(known.size()));
    cells.push_back(at->second);
  }
  return cells;
}

SeedNoise EstimateSeedNoise(std::span<const FitRow> rows) {
  std::vector<double> losses;
  for (const FitRow& row : rows) losses.push_back(std::log(row.loss));
  const std::vector<Cell> cells = Replicates(CellsOf(rows), losses, rows);
  SeedNoise noise;
  noise.cells = static_cast<int>(cells.size());
  double squares = 0;
  for (const Cell& cell : cells) {
    noise.freedom += cell.freedom;
    squares += cell.squares;
  }
  noise.centre_ln_n = MeanLog(rows, &FitRow::n);
  noise.centre_ln_d = MeanLog(rows, &FitRow::d);
  if (noise.freedom > 0) noise.sigma = std::sqrt(squares / noise.freedom);
  if (noise.freedom >= kMinNoiseFreedom) {
    FindSlopes(cells, noise);
  }
  return noise;
}

double SigmaRatio(const SeedNoise& noise, double n, double d) {
  constexpr double kMostRatio = 3;
  const double x = std::log(n) - noise.centre_ln_n;
  const double y = std::log(d) - noise.centre_ln_d;
  return std::clamp(std::exp(noise.slope_n * x + noise.slope_d * y), 1 / kMostRatio, kMostRatio);
}

std::optional<LackOfFit> TestLackOfFit(std::span<const FitRow> rows,
                                       std::span<const double> residuals, int free) {
  const std::vector<int> cell_of = CellsOf(rows);
  double noise_squares = 0;
  LackOfFit test;
  for (const Cell& cell : Replicates(cell_of, residuals, rows)) {
    noise_squares += cell.squares;
    test.noise_freedom += cell.freedom;
  }
  test.freedom = *std::ranges::max_element(cell_of) + 1 - free;
  if (test.noise_freedom == 0 || test.freedom <= 0 || !(noise_squares > 0)) return std::nullopt;
  const double all = std::inner_product(residuals.begin(), residuals.end(), residuals.begin(), 0.0);
  test.f = std::max(all - noise_squares, 0.0) / test.freedom / (noise_squares / test.noise_freedom);
  test.p = FTail(test.f, test.freedom, test.noise_freedom);
  return test;
}

}  // namespace etude
