// How sure an estimate is: dispersion, covariance, profiles, bootstrap. Only for the sources and
// tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_INTERVAL_H_
#define ETUDE_LIB_SCALING_FIT_INTERVAL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/scaling/fit.h"
#include "lib/scaling/fit_problem.h"

namespace etude {

// What an interval can be about: the parameters (A and B uncentred), then a_opt.
inline constexpr std::size_t kAOpt = kParameterCount;
inline constexpr std::size_t kQuantityCount = kParameterCount + 1;
using Quantities = std::array<double, kQuantityCount>;
Quantities QuantitiesOf(const FitProblem& problem, const LawParameters& theta);

// Of an M-estimator on normal residuals of standard deviation sigma, estimated from the objective's
// own minimum: n E rho - (p/2) drop = value (for least squares: sigma^2 = SSE / (n - p)).
struct Dispersion {
  double sigma = 0;
  double drop = 0;    // E psi^2 / E psi': 2 (profile - minimum) / drop is F(1, n - p)
  double spread = 0;  // E psi^2 / (E psi')^2: covariance = spread (J'J)^-1
};
// All infinite when points <= free.
Dispersion EstimateDispersion(const Penalty& penalty, double value, int points, int free);

// Rank and condition of the Jacobian with columns of unit length. A term of size 0 counts by its
// shape.
struct Conditioning {
  int rank = 0;
  double condition = 0;  // infinity below full rank
};
Conditioning ConditionAt(const FitProblem& problem, const LawParameters& theta);

// Infinite on the diagonal where the rows do not bound a parameter; 0 for those that are not free.
ParameterMatrix CovarianceAt(const FitProblem& problem, const LawParameters& theta, double spread);
// Standard errors of the quantities by linear propagation.
Quantities StandardErrors(const FitProblem& problem, const LawParameters& theta,
                          const ParameterMatrix& covariance);

// All values at which the objective, minimised over everything else, stays within `allowed` of its
// minimum. `se` sets the first step; an infinite one gives the widest interval.
Interval ProfileInterval(const FitProblem& problem, const Minimum& minimum, std::size_t quantity,
                         double se, double allowed);

// Refits under random weights: each cluster's mass is Exp(1), drawn from (seed, resample, cluster).
// `cluster_of`: of each point, from 0. `starts`: where each refit begins; the best end counts.
std::vector<Quantities> BootstrapDraws(const FitProblem& problem,
                                       std::span<const LawParameters> starts,
                                       std::span<const int> cluster_of, int clusters, int resamples,
                                       std::uint64_t seed);

// Percentile interval at 95 %, expanded for few points: quantiles at Phi(-sqrt(n/(n-p)) t_{n-p})
// (Hesterberg 2015, section 4).
Interval PercentileInterval(std::vector<double> draws, int points, int free);
// Standard deviation of the draws, with the same small-sample factor; of ln draws times `value` if
// `relative`.
double BootstrapSe(std::span<const double> draws, double value, bool relative, int points,
                   int free);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_INTERVAL_H_
