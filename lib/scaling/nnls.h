// Least squares in at most three unknowns that must not be negative: the linear part of a law at
// given exponents.
#ifndef ETUDE_LIB_SCALING_NNLS_H_
#define ETUDE_LIB_SCALING_NNLS_H_

#include <array>

namespace etude {

inline constexpr int kMaxNnlsUnknowns = 3;

// min ||M x - b||^2 over x >= 0, given M'M, M'b and b'b. Only the first `unknowns` rows and columns
// are read.
struct NormalEquations {
  int unknowns = 0;
  std::array<std::array<double, kMaxNnlsUnknowns>, kMaxNnlsUnknowns> gram = {};
  std::array<double, kMaxNnlsUnknowns> moment = {};
  double square = 0;
};

struct NnlsSolution {
  std::array<double, kMaxNnlsUnknowns> x = {};
  double objective = 0;  // ||M x - b||^2, never below 0
};

// Exact: tries every set of unknowns that are not zero, at most eight. Columns that depend on each
// other are never used together, so the answer is one of the minimisers then.
NnlsSolution SolveNnls(const NormalEquations& equations);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_NNLS_H_
