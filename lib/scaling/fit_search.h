// The global search: from a grid of exponents to a polished, exact optimum. Only for the sources
// and tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_SEARCH_H_
#define ETUDE_LIB_SCALING_FIT_SEARCH_H_

#include <vector>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_problem.h"

namespace etude {

inline constexpr int kGridCells = 64;  // along each exponent
inline constexpr double kGridLow = 0.02;
inline constexpr double kGridHigh = 1.2;
inline constexpr int kPolishedCells = 20;

// The penalty of an objective; lad's is smoothed within kLadSmoothing.
inline constexpr double kLadSmoothing = 1e-6;
Penalty PenaltyOf(Objective objective, double delta);

// Values at which to start: best grid cells that are local minima, `first` being what parameters
// that are not free keep.
std::vector<LawParameters> GridStarts(const FitProblem& problem, const LawParameters& first);

// Minimises through a sequence of penalties that narrow to the problem's own, so that a start far
// away is no harder than a near one.
Minimum Polish(const FitProblem& problem, const LawParameters& start);

// Distinct minima, best first, at most kPolishedCells.
std::vector<Minimum> SearchMinima(const FitProblem& problem, const LawParameters& first);

// Finishes a minimum of the smoothed least absolute deviations on the exact vertex. The value is
// the exact sum of absolute residuals, the scaled gradient the violation of the optimality
// condition.
Minimum FinishLad(const FitProblem& problem, const Minimum& smoothed);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_SEARCH_H_
