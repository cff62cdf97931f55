#include "lib/scaling/nnls.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace etude {
namespace {

constexpr double kPivotTolerance = 1e-14;  // of the column's own square

using Vector = std::array<double, kMaxNnlsUnknowns>;

// The unconstrained solution on the unknowns of the bit set `chosen`, by Cholesky's factorisation;
// nullopt if their columns depend on each other.
std::optional<Vector> SolveOn(const NormalEquations& equations, unsigned chosen) {
  std::array<int, kMaxNnlsUnknowns> index = {};
  int count = 0;
  for (int j = 0; j < equations.unknowns; ++j) {
    if (chosen >> j & 1U) index[count++] = j;
  }
  double factor[kMaxNnlsUnknowns][kMaxNnlsUnknowns] = {};
  Vector half = {};
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = equations.gram[index[i]][index[j]];
      for (int k = 0; k < j; ++k) sum -= factor[i][k] * factor[j][k];
      if (i != j) {
        factor[i][j] = sum / factor[j][j];
      } else if (sum > kPivotTolerance * equations.gram[index[i]][index[i]]) {
        factor[i][i] = std::sqrt(sum);
      } else {
        return std::nullopt;
      }
    }
    double sum = equations.moment[index[i]];
    for (int k = 0; k < i; ++k) sum -= factor[i][k] * half[k];
    half[i] = sum / factor[i][i];
  }
  Vector x = {};
  for (int i = count - 1; i >= 0; --i) {
    double sum = half[i];
    for (int k = i + 1; k < count; ++k) sum -= factor[k][i] * x[index[k]];
    x[index[i]] = sum / factor[i][i];
  }
  return x;
}

double ObjectiveAt(const NormalEquations& equations, const Vector& x) {
  double objective = equations.square;
  for (int i = 0; i < equations.unknowns; ++i) {
    objective -= 2 * x[i] * equations.moment[i];
    for (int j = 0; j < equations.unknowns; ++j) objective += x[i] * x[j] * equations.gram[i][j];
  }
  return std::max(objective, 0.0);
}

}  // namespace

NnlsSolution SolveNnls(const NormalEquations& equations) {
  NnlsSolution best = {{}, equations.square};
  for (unsigned chosen = 1; chosen < 1U << equations.unknowns; ++chosen) {
    const std::optional<Vector> x = SolveOn(equations, chosen);
    if (!x || std::ranges::any_of(*x, [](double value) { return value < 0; })) continue;
    const double objective = ObjectiveAt(equations, *x);
    if (objective < best.objective) best = {*x, objective};
  }
  return best;
}

}  // namespace etude
