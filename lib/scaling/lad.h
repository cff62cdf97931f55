// Least absolute deviations, exactly: no smoothing.
#ifndef ETUDE_LIB_SCALING_LAD_H_
#define ETUDE_LIB_SCALING_LAD_H_

#include <span>
#include <vector>

namespace etude {

// The unknowns x of min sum_i |rows_i x - targets_i|, rows row-major with `unknowns` columns. A
// weight is a factor on a row and its target. The minimum lies where as many residuals as there are
// unknowns vanish; it is reached along edges from such a vertex to a better one (Barrodale and
// Roberts 1973). `rank` below `unknowns`: the columns depend on each other, x is then of no use.
struct LadSolution {
  std::vector<double> x;
  double objective = 0;
  int rank = 0;
};
LadSolution SolveLad(std::span<const double> rows, std::span<const double> targets, int unknowns);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_LAD_H_
