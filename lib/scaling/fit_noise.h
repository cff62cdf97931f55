// What equal runs with other seeds say about noise. Only for the sources and tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_NOISE_H_
#define ETUDE_LIB_SCALING_FIT_NOISE_H_

#include <optional>
#include <span>
#include <vector>

#include "lib/scaling/fit.h"

namespace etude {

// The cell of each row, counted from 0 in the order of first appearance: rows of one cell share N,
// D and U.
std::vector<int> CellsOf(std::span<const FitRow> rows);

// sigma is pooled. The slopes are those of ln sigma in ln N and ln D by weighted least squares on
// ln s^2 of the cells (Harvey 1976), kept only if at least kMinNoiseFreedom degrees of freedom show
// them at the 5 % level; otherwise sigma counts as constant.
inline constexpr int kMinNoiseFreedom = 15;
SeedNoise EstimateSeedNoise(std::span<const FitRow> rows);

// sigma(N, D) over its value at the noise's centres, kept within a factor of 3.
double SigmaRatio(const SeedNoise& noise, double n, double d);

// `residuals`: of the least-squares fit on ln L, each times its precision. nullopt without
// replicates, or without cells to spare, or if all replicates agree exactly.
std::optional<LackOfFit> TestLackOfFit(std::span<const FitRow> rows,
                                       std::span<const double> residuals, int free);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_NOISE_H_
