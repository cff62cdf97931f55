// The objective that a fit minimises, its derivatives and its minimiser. Only for the sources and
// tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_PROBLEM_H_
#define ETUDE_LIB_SCALING_FIT_PROBLEM_H_

#include <array>
#include <cstddef>
#include <vector>

#include "lib/scaling/law.h"

namespace etude {

inline constexpr double kMinExponent = 1e-3;
inline constexpr double kMaxExponent = 4;

struct FitPoint {
  double x = 0;  // ln N - centre
  double y = 0;  // ln D - centre
  double loss = 0;
  double log_loss = 0;
  double precision = 1;  // factor on the residual: mean sigma / sigma of this point
  double mass = 1;       // factor on its term of the objective
};

// rho(z) = factor * huber_delta(z). delta infinite: half the square. Least absolute deviations are
// approached with factor = 1/delta and a small delta.
struct Penalty {
  double delta = 1e-3;
  double factor = 1;
};
struct PenaltyAt {
  double value = 0;
  double slope = 0;
  double curvature = 0;
  double weight = 0;  // slope / z, its limit at 0
};
PenaltyAt EvaluatePenalty(const Penalty& penalty, double z);

// sum over points of mass * rho(precision * r), r = ln L(theta) - ln L, or L(theta) - L if `raw`.
// theta: E, A', B', alpha, beta at the centres; E, A', B' >= 0, exponents within their limits.
struct FitProblem {
  std::vector<FitPoint> points;
  double centre_n = 0;
  double centre_d = 0;
  bool raw = false;
  Penalty penalty;
  std::array<bool, kParameterCount> free = {};
  double beta_over_alpha = 0;  // above 0: beta follows alpha; beta is then not free

  int free_count() const;
};

using ParameterMatrix = std::array<std::array<double, kParameterCount>, kParameterCount>;

// The objective around theta. `majorizer`: Gauss-Newton with the weights of reweighted least
// squares, positive semidefinite.
struct Expansion {
  double value = 0;
  LawParameters gradient = {};
  ParameterMatrix hessian = {};
  ParameterMatrix majorizer = {};
  double pull = 0;  // sum of mass * slope * z: what gradients are measured against
};
double ObjectiveAt(const FitProblem& problem, const LawParameters& theta);
Expansion ExpandAt(const FitProblem& problem, const LawParameters& theta);

// precision * residual of each point.
std::vector<double> ResidualsAt(const FitProblem& problem, const LawParameters& theta);
// Row i: precision * d r_i / d theta, columns of parameters that are not free 0.
std::vector<LawParameters> JacobianAt(const FitProblem& problem, const LawParameters& theta);

// Largest |g_j| / sqrt(majorizer_jj * pull) over free parameters that may move downhill: 0 at an
// optimum, at most 1.
double ScaledGradient(const FitProblem& problem, const LawParameters& theta,
                      const Expansion& expansion);

struct MinimiseOptions {
  int max_steps = 200;
  double tolerance = 1e-10;  // of the scaled gradient
};
struct Minimum {
  LawParameters theta = {};
  double value = 0;
  double scaled_gradient = 0;
};
// Descends from `start` (taken into the bounds first); never above where it started.
Minimum Minimise(const FitProblem& problem, LawParameters start, const MinimiseOptions& options);

// The same problem about other centres, where A' and B' mean something else.
FitProblem Recentred(const FitProblem& problem, double centre_n, double centre_d);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_PROBLEM_H_
