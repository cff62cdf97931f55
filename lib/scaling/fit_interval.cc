#include "lib/scaling/fit_interval.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "lib/base/random.h"
#include "lib/base/status.h"
#include "lib/scaling/distributions.h"

namespace etude {
namespace {

constexpr std::size_t kA = IndexOf(Parameter::kA);
constexpr std::size_t kB = IndexOf(Parameter::kB);
constexpr std::size_t kAlpha = IndexOf(Parameter::kAlpha);
constexpr std::size_t kBeta = IndexOf(Parameter::kBeta);
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Losses carry some seven digits, so directions weaker than this are not measured.
constexpr double kRankTolerance = 1e-7;

struct NormalMoments {
  double rho = 0;         // E rho
  double psi_square = 0;  // E psi^2
  double psi_slope = 0;   // E psi'
};

// Huber 1964, with E over N(0, sigma^2).
NormalMoments MomentsOf(const Penalty& penalty, double sigma) {
  const double f = penalty.factor;
  if (std::isinf(penalty.delta)) return {f * sigma * sigma / 2, f * f * sigma * sigma, f};
  const double k = penalty.delta / sigma;
  const double inside = std::erf(k / std::numbers::sqrt2);
  const double outside = std::erfc(k / std::numbers::sqrt2);
  const double square = sigma * sigma * (inside - 2 * k * NormalDensity(k));
  const double beyond = 2 * sigma * NormalDensity(k);  // E |r| where |r| > delta
  return {f * (square / 2 + penalty.delta * beyond - penalty.delta * penalty.delta / 2 * outside),
          f * f * (square + penalty.delta * penalty.delta * outside), f * inside};
}

using Matrix = Eigen::MatrixXd;

// The Jacobian's columns of free parameters.
Matrix FreeColumns(const FitProblem& problem, const LawParameters& theta) {
  const std::vector<LawParameters> rows = JacobianAt(problem, theta);
  Matrix jacobian(static_cast<Eigen::Index>(rows.size()), problem.free_count());
  Eigen::Index column = 0;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (!problem.free[j]) continue;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      jacobian(static_cast<Eigen::Index>(i), column) =
          std::sqrt(problem.points[i].mass) * rows[i][j];
    }
    ++column;
  }
  return jacobian;
}

// Scales the columns to unit length and returns their lengths; zero columns stay.
Eigen::VectorXd NormaliseColumns(Matrix& jacobian) {
  Eigen::VectorXd lengths = jacobian.colwise().norm();
  for (Eigen::Index j = 0; j < jacobian.cols(); ++j) {
    if (lengths[j] > 0) jacobian.col(j) /= lengths[j];
  }
  return lengths;
}

// One quantity held at a value, everything else minimised over. Coordinates: ln A, ln B,
// ln(beta/alpha) for a_opt, the others as they are.
class Profile {
 public:
  Profile(const FitProblem& problem, std::size_t quantity)
      : problem_(problem), quantity_(quantity) {}

  double ToCoordinate(double value) const {
    if (quantity_ == kA || quantity_ == kB) return std::log(value);
    if (quantity_ == kAOpt) return std::log(value / (1 - value));
    return value;
  }
  double ToValue(double coordinate) const {
    if (quantity_ == kA || quantity_ == kB) return std::exp(coordinate);
    if (quantity_ == kAOpt) return 1 / (1 + std::exp(-coordinate));
    return coordinate;
  }
  double StepFor(double se, double value) const {
    if (quantity_ == kA || quantity_ == kB) return se / value;
    if (quantity_ == kAOpt) return se / (value * (1 - value));
    return se;
  }
  // The range of coordinates; at its ends the interval counts as open.
  Interval Limits() const {
    if (quantity_ == kA || quantity_ == kB) return {-200, 200};
    if (quantity_ == kAOpt) return {-8, 8};
    if (quantity_ == kAlpha || quantity_ == kBeta) return {kMinExponent, kMaxExponent};
    double most = 0;
    for (const FitPoint& point : problem_.points) most = std::max(most, point.loss);
    return {0, 2 * most};
  }
  // What the ends of the range stand for.
  Interval Widest() const { return {0, quantity_ == kAOpt ? 1 : kInfinity}; }

  // The minimum with the quantity held, begun from the theta of the call before.
  double At(double coordinate, LawParameters& theta) const {
    FitProblem held = problem_;
    LawParameters start = theta;
    if (quantity_ == kA || quantity_ == kB) return AtCoefficient(coordinate, theta);
    if (quantity_ == kAOpt) {
      HoldRatio(std::exp(coordinate), held, start);
    } else {
      held.free[quantity_] = false;
      start[quantity_] = coordinate;
    }
    const Minimum minimum = Descend(held, start);
    theta = minimum.theta;
    return minimum.value;
  }

 private:
  static Minimum Descend(const FitProblem& problem, const LawParameters& start) {
    return Minimise(problem, start, {.max_steps = 80, .tolerance = 1e-6});
  }

  // beta follows alpha, or a fixed one of the two sets the other.
  static void HoldRatio(double ratio, FitProblem& held, LawParameters& start) {
    if (held.free[kAlpha] && held.free[kBeta]) {
      held.beta_over_alpha = ratio;
      start[kAlpha] = std::sqrt(start[kAlpha] * start[kBeta] / ratio);
    } else if (held.free[kAlpha]) {
      start[kAlpha] = start[kBeta] / ratio;
      held.free[kAlpha] = false;
    } else {
      start[kBeta] = start[kAlpha] * ratio;
    }
    held.free[kBeta] = false;
  }

  // A is held where its term has no centre: A' = A there, and alpha alone moves the term.
  double AtCoefficient(double coordinate, LawParameters& theta) const {
    const bool is_a = quantity_ == kA;
    const double centre = is_a ? problem_.centre_n : problem_.centre_d;
    const std::size_t exponent = is_a ? kAlpha : kBeta;
    FitProblem held =
        Recentred(problem_, is_a ? 0 : problem_.centre_n, is_a ? problem_.centre_d : 0);
    LawParameters start = theta;
    start[quantity_] = std::exp(coordinate);
    held.free[quantity_] = false;
    if (held.free[exponent] && theta[quantity_] > 0 && centre > 0) {
      start[exponent] = (coordinate - std::log(theta[quantity_])) / centre;
    }
    const Minimum minimum = Descend(held, start);
    theta = minimum.theta;
    theta[quantity_] *= std::exp(-theta[exponent] * centre);
    return minimum.value;
  }

  const FitProblem& problem_;
  std::size_t quantity_;
};

// The coordinate, on one side of the estimate, where the objective has risen by `allowed`; the
// limit if it does not. The root of the objective's excess is nearly linear, so regula falsi on it
// (Illinois variant) needs few refits.
double ProfileEnd(const Profile& profile, const Minimum& minimum, double from, double step,
                  double limit, double allowed) {
  constexpr double kGrowth = 1.6;
  constexpr int kMaxSteps = 40;
  constexpr double kClose = 1e-3;  // of the root of `allowed`
  LawParameters theta = minimum.theta;
  const double goal = std::sqrt(allowed);
  const auto excess = [&](double at) {
    return std::sqrt(std::max(profile.At(at, theta) - minimum.value, 0.0)) - goal;
  };
  const auto clip = [&](double at) { return step > 0 ? std::min(at, limit) : std::max(at, limit); };
  double inside = from;
  double inside_excess = -goal;
  double outside = clip(from + step);
  double outside_excess = excess(outside);
  for (int i = 0; i < kMaxSteps && outside_excess < 0; ++i) {
    if (outside == limit) return limit;
    inside = outside;
    inside_excess = outside_excess;
    step *= kGrowth;
    outside = clip(outside + step);
    outside_excess = excess(outside);
  }
  if (outside_excess < 0) return limit;
  for (int i = 0; i < kMaxSteps; ++i) {
    const double at =
        inside + (outside - inside) * (-inside_excess) / (outside_excess - inside_excess);
    const double here = excess(at);
    if (std::abs(here) < kClose * goal) return at;
    if (here > 0) {
      outside = at;
      outside_excess = here;
      inside_excess /= 2;
    } else {
      inside = at;
      inside_excess = here;
      outside_excess /= 2;
    }
  }
  return outside;
}

double SmallSampleFactor(int points, int free) {
  return std::sqrt(static_cast<double>(points) / std::max(points - free, 1));
}

}  // namespace

Quantities QuantitiesOf(const FitProblem& problem, const LawParameters& theta) {
  const LawParameters plain = Uncentred(theta, problem.centre_n, problem.centre_d);
  Quantities quantities = {};
  std::ranges::copy(plain, quantities.begin());
  quantities[kAOpt] = plain[kBeta] / (plain[kAlpha] + plain[kBeta]);
  return quantities;
}

Dispersion EstimateDispersion(const Penalty& penalty, double value, int points, int free) {
  if (points <= free) return {kInfinity, kInfinity, kInfinity};
  const auto expected = [&](double sigma) {
    const NormalMoments moments = MomentsOf(penalty, sigma);
    return points * moments.rho - free * moments.psi_square / moments.psi_slope / 2;
  };
  double low = std::log(1e-30);
  double high = std::log(1e6);
  constexpr int kBisections = 100;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    (expected(std::exp(middle)) < value ? low : high) = middle;
  }
  const double sigma = std::exp((low + high) / 2);
  const NormalMoments moments = MomentsOf(penalty, sigma);
  return {sigma, moments.psi_square / moments.psi_slope,
          moments.psi_square / (moments.psi_slope * moments.psi_slope)};
}

Conditioning ConditionAt(const FitProblem& problem, const LawParameters& theta) {
  constexpr double kShapeOnly = 1e-9;
  LawParameters shaped = theta;
  for (const std::size_t j : {kA, kB}) shaped[j] = std::max(shaped[j], kShapeOnly);
  Matrix jacobian = FreeColumns(problem, shaped);
  if (jacobian.cols() == 0) return {0, 1};
  NormaliseColumns(jacobian);
  const Eigen::VectorXd values = Eigen::JacobiSVD<Matrix>(jacobian).singularValues();
  Conditioning conditioning;
  for (const double value : values) conditioning.rank += value > kRankTolerance * values[0];
  const bool full = conditioning.rank == jacobian.cols();
  conditioning.condition = full ? values[0] / values[values.size() - 1] : kInfinity;
  return conditioning;
}

ParameterMatrix CovarianceAt(const FitProblem& problem, const LawParameters& theta, double spread) {
  ParameterMatrix covariance = {};
  Matrix jacobian = FreeColumns(problem, theta);
  const Eigen::VectorXd lengths = NormaliseColumns(jacobian);
  const Eigen::JacobiSVD<Matrix> svd(jacobian, Eigen::ComputeThinV);
  const Eigen::VectorXd& values = svd.singularValues();
  const bool full = values.size() == jacobian.cols() && values.size() > 0 &&
                    values[values.size() - 1] > kRankTolerance * values[0];
  std::vector<std::size_t> free;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (problem.free[j]) free.push_back(j);
  }
  if (!full || !std::isfinite(spread)) {
    for (const std::size_t j : free) covariance[j][j] = kInfinity;
    return covariance;
  }
  const Matrix half = svd.matrixV() * values.cwiseInverse().asDiagonal();
  const Matrix inverse = half * half.transpose();
  for (std::size_t a = 0; a < free.size(); ++a) {
    for (std::size_t b = 0; b < free.size(); ++b) {
      const auto i = static_cast<Eigen::Index>(a);
      const auto j = static_cast<Eigen::Index>(b);
      covariance[free[a]][free[b]] = spread * inverse(i, j) / (lengths[i] * lengths[j]);
    }
  }
  return covariance;
}

Quantities StandardErrors(const FitProblem& problem, const LawParameters& theta,
                          const ParameterMatrix& covariance) {
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (std::isinf(covariance[j][j])) {
      Quantities infinite;
      infinite.fill(kInfinity);
      return infinite;
    }
  }
  const Quantities at = QuantitiesOf(problem, theta);
  // d quantity / d theta, A = A' exp(alpha centre).
  std::array<LawParameters, kQuantityCount> slopes = {};
  for (std::size_t j = 0; j < kParameterCount; ++j) slopes[j][j] = 1;
  slopes[kA][kA] = std::exp(theta[kAlpha] * problem.centre_n);
  slopes[kA][kAlpha] = at[kA] * problem.centre_n;
  slopes[kB][kB] = std::exp(theta[kBeta] * problem.centre_d);
  slopes[kB][kBeta] = at[kB] * problem.centre_d;
  const double sum = theta[kAlpha] + theta[kBeta];
  slopes[kAOpt][kAlpha] = -theta[kBeta] / (sum * sum);
  slopes[kAOpt][kBeta] = theta[kAlpha] / (sum * sum);
  Quantities errors = {};
  for (std::size_t q = 0; q < kQuantityCount; ++q) {
    double variance = 0;
    for (std::size_t a = 0; a < kParameterCount; ++a) {
      for (std::size_t b = 0; b < kParameterCount; ++b) {
        variance += slopes[q][a] * covariance[a][b] * slopes[q][b];
      }
    }
    errors[q] = std::sqrt(std::max(variance, 0.0));
  }
  return errors;
}

Interval ProfileInterval(const FitProblem& problem, const Minimum& minimum, std::size_t quantity,
                         double se, double allowed) {
  const Profile profile(problem, quantity);
  const double value = QuantitiesOf(problem, minimum.theta)[quantity];
  if (!std::isfinite(se) || !std::isfinite(allowed)) return profile.Widest();
  if (se == 0) return {value, value};
  const double from = profile.ToCoordinate(value);
  constexpr double kFirstStep = 2;     // standard errors
  constexpr double kLeastStep = 1e-9;  // of rows without noise
  const double step =
      std::max(kFirstStep * profile.StepFor(se, value), kLeastStep * std::max(std::abs(from), 1.0));
  const Interval limits = profile.Limits();
  const auto end = [&](double signed_step, double limit, double open) {
    if (!std::isfinite(from) || (from - limit) * signed_step >= 0) return open;
    const double at = ProfileEnd(profile, minimum, from, signed_step, limit, allowed);
    return at == limit ? open : profile.ToValue(at);
  };
  return {end(-step, limits.low, profile.Widest().low),
          end(step, limits.high, profile.Widest().high)};
}

std::vector<Quantities> BootstrapDraws(const FitProblem& problem,
                                       std::span<const LawParameters> starts,
                                       std::span<const int> cluster_of, int clusters, int resamples,
                                       std::uint64_t seed) {
  ENSURE(!starts.empty() && cluster_of.size() == problem.points.size());
  std::vector<Quantities> draws;
  draws.reserve(static_cast<std::size_t>(resamples));
  FitProblem weighted = problem;
  std::vector<double> mass(static_cast<std::size_t>(clusters));
  for (int resample = 0; resample < resamples; ++resample) {
    const CounterRandom random(seed, RandomStream::kBootstrap,
                               static_cast<std::uint32_t>(resample));
    for (std::size_t c = 0; c < mass.size(); ++c) mass[c] = -std::log1p(-random.Uniform(c));
    const double mean = std::accumulate(mass.begin(), mass.end(), 0.0) / clusters;
    for (std::size_t i = 0; i < weighted.points.size(); ++i) {
      weighted.points[i].mass = mass[static_cast<std::size_t>(cluster_of[i])] / mean;
    }
    Minimum best = {{}, kInfinity, 0};
    for (const LawParameters& start : starts) {
      const Minimum end = Minimise(weighted, start, {.max_steps = 80, .tolerance = 1e-5});
      if (end.value < best.value) best = end;
    }
    draws.push_back(QuantitiesOf(problem, best.theta));
  }
  return draws;
}

Interval PercentileInterval(std::vector<double> draws, int points, int free) {
  std::ranges::sort(draws);
  const double freedom = std::max(points - free, 1);
  const double tail =
      NormalCdf(-SmallSampleFactor(points, free) * StudentTQuantile(0.975, freedom));
  const auto quantile = [&](double p) {
    const double at = p * static_cast<double>(draws.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, draws.size() - 1);
    return draws[below] + (at - static_cast<double>(below)) * (draws[above] - draws[below]);
  };
  return {quantile(tail), quantile(1 - tail)};
}

double BootstrapSe(std::span<const double> draws, double value, bool relative, int points,
                   int free) {
  double sum = 0;
  double squares = 0;
  const auto at = [&](double draw) { return relative ? std::log(draw) : draw; };
  for (const double draw : draws) sum += at(draw);
  const double mean = sum / static_cast<double>(draws.size());
  for (const double draw : draws) squares += (at(draw) - mean) * (at(draw) - mean);
  const double deviation =
      std::sqrt(squares / std::max<double>(1, static_cast<double>(draws.size()) - 1));
  const double se = deviation * SmallSampleFactor(points, free) * (relative ? value : 1);
  return std::isfinite(se) ? se : kInfinity;
}

}  // namespace etude
