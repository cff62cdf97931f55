// From numbers to words: what is identified, why not, and what would help. Only for the sources and
// tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_VERDICT_H_
#define ETUDE_LIB_SCALING_FIT_VERDICT_H_

#include <span>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_problem.h"

namespace etude {

// True when the exact Hessian of the objective over the free parameters is positive definite.
bool HessianPositiveDefinite(const FitProblem& problem, const LawParameters& theta);
// As Certificate::bound_distance.
double BoundDistance(const FitProblem& problem, const LawParameters& theta);

// Sets statuses, verdict, reasons, repairs and warnings of a fit whose numbers stand.
void Judge(std::span<const FitRow> rows, const FitProblem& problem, const LawParameters& theta,
           const FitOptions& options, Fit& fit);
// The same for rows too few to fit at all.
void JudgeTooFew(std::span<const FitRow> rows, const FitProblem& problem, const FitOptions& options,
                 Fit& fit);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_VERDICT_H_
