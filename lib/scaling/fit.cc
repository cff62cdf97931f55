#include "lib/scaling/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/distributions.h"
#include "lib/scaling/fit_interval.h"
#include "lib/scaling/fit_noise.h"
#include "lib/scaling/fit_problem.h"
#include "lib/scaling/fit_rows.h"
#include "lib/scaling/fit_search.h"
#include "lib/scaling/fit_verdict.h"
#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr std::size_t kA = IndexOf(Parameter::kA);
constexpr std::size_t kB = IndexOf(Parameter::kB);
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr NameTable<Objective, 4> kObjectiveNames = {{Objective::kHuber, "huber"},
                                                     {Objective::kLad, "lad"},
                                                     {Objective::kL2, "l2"},
                                                     {Objective::kL2Raw, "l2-raw"}};

constexpr NameTable<Identification, 4> kIdentificationNames = {
    {Identification::kIdentified, "identified"},
    {Identification::kWeak, "weak"},
    {Identification::kNotIdentified, "not identified"},
    {Identification::kFixed, "fixed"}};

absl::Status CheckFixed(const FixedParameter& fixed) {
  const bool exponent = fixed.parameter == Parameter::kAlpha || fixed.parameter == Parameter::kBeta;
  const bool fine = exponent ? fixed.value >= kMinExponent && fixed.value <= kMaxExponent
                             : fixed.value >= 0 && std::isfinite(fixed.value);
  if (fine) return absl::OkStatus();
  return InvalidArgument(
      fmt::format("--fix {}={}: {}; give it such a value and fit again",
                  ParameterName(fixed.parameter), fixed.value,
                  exponent ? fmt::format("an exponent is from {} to {}", kMinExponent, kMaxExponent)
                           : "it must be finite and not negative"));
}

absl::Status CheckOptions(const FitOptions& options) {
  if (options.delta && !(*options.delta > 0 && std::isfinite(*options.delta))) {
    return InvalidArgument(fmt::format(
        "--delta {}: must be finite and above 0, or auto; 1e-3 is the default", *options.delta));
  }
  if (options.bootstrap < 0 || options.bootstrap > kMaxBootstrap) {
    return InvalidArgument(fmt::format("--bootstrap {}: give 0 (none) to {} resamples",
                                       options.bootstrap, kMaxBootstrap));
  }
  std::array<int, kParameterCount> times = {};
  for (const FixedParameter& fixed : options.fixed) {
    RETURN_IF_ERROR(CheckFixed(fixed));
    if (!HasParameter(options.law, fixed.parameter)) {
      return InvalidArgument(fmt::format(
          "--fix {}: {} ({}) has no such parameter; leave it out or choose another --law",
          ParameterName(fixed.parameter), LawName(options.law), LawFormula(options.law)));
    }
    if (++times[IndexOf(fixed.parameter)] > 1) {
      return InvalidArgument(
          fmt::format("--fix {}: given twice; give it once", ParameterName(fixed.parameter)));
    }
  }
  if (options.fixed.size() == ParametersOf(options.law).size()) {
    return InvalidArgument(fmt::format(
        "--fix: every parameter of {} is fixed, so nothing is left to fit; free at least one",
        LawName(options.law)));
  }
  return absl::OkStatus();
}

// The problem without a penalty, and what its fixed parameters are.
struct Setup {
  FitProblem problem;
  LawParameters first = {};
};

double MeanOf(std::span<const FitPoint> points, double FitPoint::*member) {
  double sum = 0;
  for (const FitPoint& point : points) sum += point.*member;
  return sum / static_cast<double>(points.size());
}

// Centres an input; one that is the same everywhere becomes exactly 0, so that it shows as rank.
void Centre(std::vector<FitPoint>& points, double FitPoint::*member, double centre, bool constant) {
  for (FitPoint& point : points) point.*member = constant ? 0 : point.*member - centre;
}

Setup MakeSetup(std::span<const FitRow> rows, const SeedNoise& noise, const FitOptions& options) {
  Setup setup;
  FitProblem& problem = setup.problem;
  for (const FitRow& row : rows) {
    problem.points.push_back({std::log(row.n), std::log(row.d), row.loss, std::log(row.loss),
                              1 / SigmaRatio(noise, row.n, row.d), 1});
  }
  for (const Parameter parameter : ParametersOf(options.law)) {
    problem.free[IndexOf(parameter)] = true;
  }
  for (const FixedParameter& fixed : options.fixed) {
    problem.free[IndexOf(fixed.parameter)] = false;
    setup.first[IndexOf(fixed.parameter)] = fixed.value;
  }
  const auto is_fixed = [&](Parameter parameter) {
    return HasParameter(options.law, parameter) && !problem.free[IndexOf(parameter)];
  };
  // A fixed A or B means what it says only about the centre 0.
  if (!is_fixed(Parameter::kA)) {
    problem.centre_n = MeanOf(problem.points, &FitPoint::x);
    Centre(problem.points, &FitPoint::x, problem.centre_n, SizeLevels(rows).size() == 1);
  }
  if (!is_fixed(Parameter::kB)) {
    problem.centre_d = MeanOf(problem.points, &FitPoint::y);
    Centre(problem.points, &FitPoint::y, problem.centre_d, TokenLevels(rows).size() == 1);
  }
  return setup;
}

// Minima of the same rows under one objective. `problem` carries its penalty.
struct Optimum {
  FitProblem problem;
  std::vector<Minimum> minima;  // best first; of lad smoothed
  Minimum exact;                // the best, without smoothing
};

Optimum FindOptimum(const Setup& setup, Objective objective, double delta) {
  Optimum optimum;
  optimum.problem = setup.problem;
  optimum.problem.raw = objective == Objective::kL2Raw;
  optimum.problem.penalty = PenaltyOf(objective, delta);
  optimum.minima = SearchMinima(optimum.problem, setup.first);
  optimum.exact = optimum.minima.front();
  if (objective == Objective::kLad) {
    optimum.exact = FinishLad(optimum.problem, optimum.minima.front());
  }
  return optimum;
}

// Scale of normal residuals with the same median size, corrected for the parameters fitted.
double RobustScale(const FitProblem& problem, const LawParameters& theta) {
  constexpr double kNormalQuartile = 0.6744897501960817;
  std::vector<double> sizes;
  for (const double residual : ResidualsAt(problem, theta)) sizes.push_back(std::abs(residual));
  std::ranges::sort(sizes);
  const double n = static_cast<double>(sizes.size());
  const double freedom = std::max(n - problem.free_count(), 1.0);
  return sizes[sizes.size() / 2] / kNormalQuartile * std::sqrt(n / freedom);
}

// The delta that was asked for; `auto` is 95 % efficient on normal residuals (Huber 1964).
double ChooseDelta(const FitOptions& options, const Optimum& lad) {
  constexpr double kEfficient = 1.345;
  constexpr double kLeastDelta = 1e-6;
  if (options.delta) return *options.delta;
  return std::max(kEfficient * RobustScale(lad.problem, lad.exact.theta), kLeastDelta);
}

BesideFit MakeBeside(Objective objective, const Optimum& optimum) {
  return {objective, optimum.exact.value,
          Uncentred(optimum.exact.theta, optimum.problem.centre_n, optimum.problem.centre_d)};
}

// What intervals are computed with: lad smoothed on the scale of its own residuals, since its exact
// objective has a kink at every point.
Optimum ForIntervals(const Optimum& optimum, Objective objective) {
  constexpr double kFraction = 0.1;
  if (objective != Objective::kLad) return optimum;
  Optimum smooth = optimum;
  const double delta =
      std::max(kFraction * RobustScale(optimum.problem, optimum.exact.theta), kLadSmoothing);
  smooth.problem.penalty = {delta, 1 / delta};
  for (Minimum& minimum : smooth.minima) minimum = Polish(smooth.problem, minimum.theta);
  return smooth;
}

std::vector<std::vector<double>> DrawColumns(const Optimum& optimum, const std::vector<int>& groups,
                                             int clusters, const FitOptions& options) {
  constexpr std::size_t kMostStarts = 4;
  std::vector<std::vector<double>> columns(kQuantityCount);
  constexpr int kLeastClusters = 2;
  if (clusters < kLeastClusters) return columns;
  std::vector<LawParameters> starts;
  for (const Minimum& minimum : optimum.minima) {
    if (starts.size() < kMostStarts) starts.push_back(minimum.theta);
  }
  for (const Quantities& draw :
       BootstrapDraws(optimum.problem, starts, groups, clusters, options.bootstrap, options.seed)) {
    for (std::size_t q = 0; q < kQuantityCount; ++q) columns[q].push_back(draw[q]);
  }
  return columns;
}

// Fills intervals and errors of every estimate.
void Bound(const Optimum& exact, std::span<const FitRow> rows, const FitOptions& options,
           Fit& fit) {
  const Optimum optimum = ForIntervals(exact, options.objective);
  const Minimum& minimum = optimum.minima.front();
  const int free = optimum.problem.free_count();
  const Dispersion dispersion =
      EstimateDispersion(optimum.problem.penalty, minimum.value, fit.n_points, free);
  fit.residual_sigma = dispersion.sigma;
  fit.covariance = {optimum.problem.centre_n, optimum.problem.centre_d,
                    CovarianceAt(optimum.problem, minimum.theta, dispersion.spread)};
  const Quantities errors = StandardErrors(optimum.problem, minimum.theta, fit.covariance.matrix);
  const double t = fit.freedom > 0 ? StudentTQuantile(0.975, fit.freedom) : kInfinity;
  const double allowed = dispersion.drop * t * t / 2;
  const std::vector<std::vector<double>> draws =
      DrawColumns(optimum, ClustersOf(rows), fit.clusters, options);
  fit.bootstrap_reported = !draws.front().empty() && fit.clusters >= kMinBootstrapClusters &&
                           fit.freedom >= kMinBootstrapFreedom;

  const auto bound = [&](std::size_t quantity, Estimate& estimate) {
    if (estimate.status == Identification::kFixed) return;
    estimate.se = errors[quantity];
    estimate.profile95 =
        ProfileInterval(optimum.problem, minimum, quantity, errors[quantity], allowed);
    estimate.ci95 = estimate.profile95;
    if (draws[quantity].empty()) return;
    estimate.bootstrap95 = PercentileInterval(draws[quantity], fit.n_points, free);
    if (!fit.bootstrap_reported || std::isinf(errors[quantity])) return;
    estimate.ci95 = *estimate.bootstrap95;
    estimate.se = BootstrapSe(draws[quantity], estimate.value, quantity == kA || quantity == kB,
                              fit.n_points, free);
  };
  for (ParameterEstimate& parameter : fit.params) {
    bound(IndexOf(parameter.parameter), parameter.estimate);
  }
  if (fit.a_opt) bound(kAOpt, *fit.a_opt);
}

Certificate Certify(const Optimum& optimum, Objective objective) {
  constexpr double kConverged = 1e-8;
  constexpr double kConvergedLad = 1e-6;
  constexpr double kRival = 1.01;
  const FitProblem& problem = optimum.problem;
  const Minimum& best = optimum.minima.front();
  Certificate certificate;
  certificate.scaled_gradient = optimum.exact.scaled_gradient;
  certificate.converged =
      certificate.scaled_gradient < (objective == Objective::kLad ? kConvergedLad : kConverged);
  certificate.hessian_positive_definite = HessianPositiveDefinite(problem, best.theta);
  certificate.parameters = problem.free_count();
  const Conditioning conditioning = ConditionAt(problem, best.theta);
  certificate.rank = conditioning.rank;
  certificate.condition = conditioning.condition;
  certificate.bound_distance = BoundDistance(problem, best.theta);
  for (std::size_t i = 1; i < optimum.minima.size(); ++i) {
    const Minimum& rival = optimum.minima[i];
    if (rival.value > kRival * best.value || certificate.rivals.size() == kMaxRivals) break;
    certificate.rivals.push_back(
        {rival.value, Uncentred(rival.theta, problem.centre_n, problem.centre_d)});
  }
  return certificate;
}

// Names, counts and the parameters' places, before anything is fitted.
Fit StartFit(std::span<const FitRow> rows, const FitProblem& problem, const FitOptions& options) {
  Fit fit;
  fit.law = options.law;
  fit.objective = options.objective;
  fit.n_points = static_cast<int>(rows.size());
  const std::vector<int> clusters = ClustersOf(rows);
  fit.clusters = *std::ranges::max_element(clusters) + 1;
  fit.freedom = fit.n_points - problem.free_count();
  fit.parameters.fill(kNaN);
  const Estimate unknown = {kNaN,           kInfinity,    {0, kInfinity},
                            {0, kInfinity}, std::nullopt, Identification::kNotIdentified};
  for (const Parameter parameter : ParametersOf(options.law)) {
    fit.params.push_back({parameter, unknown});
    if (!problem.free[IndexOf(parameter)]) {
      fit.params.back().estimate.status = Identification::kFixed;
    }
  }
  if (options.law == Law::kChinchilla) {
    fit.a_opt = unknown;
    fit.a_opt->ci95 = fit.a_opt->profile95 = {0, 1};
  }
  const auto [least_n, most_n] = std::ranges::minmax(rows, {}, &FitRow::n);
  const auto [least_d, most_d] = std::ranges::minmax(rows, {}, &FitRow::d);
  fit.range = {least_n.n, most_n.n, least_d.d, most_d.d};
  fit.lowest_loss = std::ranges::min(rows, {}, &FitRow::loss).loss;
  for (const FitRow& row : rows) {
    fit.provenance.run_keys.push_back(row.run_key);
  }
  fit.provenance.convention = options.convention;
  fit.provenance.software = options.software;
  fit.provenance.seed = options.seed;
  fit.provenance.bootstrap = options.bootstrap;
  return fit;
}

void SetValues(const Optimum& optimum, Fit& fit) {
  const Quantities values = QuantitiesOf(optimum.problem, optimum.exact.theta);
  std::copy_n(values.begin(), kParameterCount, fit.parameters.begin());
  for (ParameterEstimate& parameter : fit.params) {
    Estimate& estimate = parameter.estimate;
    estimate.value = values[IndexOf(parameter.parameter)];
    if (estimate.status != Identification::kFixed) continue;
    estimate.se = 0;
    estimate.ci95 = estimate.profile95 = {estimate.value, estimate.value};
  }
  if (fit.a_opt) fit.a_opt->value = values[kAOpt];
}

}  // namespace

std::string_view ObjectiveName(Objective objective) { return NameIn(kObjectiveNames, objective); }

std::optional<Objective> ObjectiveFromName(std::string_view name) {
  return ValueIn(kObjectiveNames, name);
}

std::string_view IdentificationName(Identification status) {
  return NameIn(kIdentificationNames, status);
}

std::optional<Identification> IdentificationFromName(std::string_view name) {
  return ValueIn(kIdentificationNames, name);
}

absl::StatusOr<FixedParameter> ParseFixedParameter(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::optional<Parameter> parameter = ParameterFromName(name);
  if (equals == std::string_view::npos || !parameter) {
    return InvalidArgument(fmt::format(
        "--fix {}: give NAME=VALUE with NAME one of E, A, B, alpha, beta, as in --fix E=1.69",
        text));
  }
  const std::string_view number = text.substr(equals + 1);
  FixedParameter fixed = {*parameter, 0};
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), fixed.value);
  if (error != std::errc() || end != number.data() + number.size()) {
    return InvalidArgument(
        fmt::format("--fix {}: \"{}\" is not a number, as in --fix {}=0.3", text, number, name));
  }
  RETURN_IF_ERROR(CheckFixed(fixed));
  return fixed;
}

const Estimate* Fit::Find(Parameter parameter) const {
  for (const ParameterEstimate& known : params) {
    if (known.parameter == parameter) return &known.estimate;
  }
  return nullptr;
}

absl::StatusOr<Fit> FitLaw(std::span<const FitRow> given, const FitOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(std::vector<FitRow> checked, CheckedRows(given));
  const RowSelection selection = SelectRows(options.law, std::move(checked));
  const std::vector<FitRow>& rows = selection.rows;
  const SeedNoise noise = EstimateSeedNoise(rows);
  const Setup setup = MakeSetup(rows, noise, options);
  Fit fit = StartFit(rows, setup.problem, options);
  fit.noise = noise;
  fit.warnings = selection.warnings;
  if (fit.freedom < 0) {
    JudgeTooFew(rows, setup.problem, options, fit);
    return fit;
  }

  const Optimum lad = FindOptimum(setup, Objective::kLad, 0);
  const Optimum squares = FindOptimum(setup, Objective::kL2, 0);
  const double delta = ChooseDelta(options, lad);
  const Optimum optimum = options.objective == Objective::kLad ? lad
                          : options.objective == Objective::kL2
                              ? squares
                              : FindOptimum(setup, options.objective, delta);
  if (options.objective == Objective::kHuber) fit.delta = delta;
  fit.objective_value = optimum.exact.value;
  fit.beside = {MakeBeside(Objective::kLad, lad), MakeBeside(Objective::kL2, squares)};
  SetValues(optimum, fit);
  fit.certificate = Certify(optimum, options.objective);
  Bound(optimum, rows, options, fit);
  fit.lack_of_fit = TestLackOfFit(rows, ResidualsAt(squares.problem, squares.exact.theta),
                                  setup.problem.free_count());
  Judge(rows, optimum.problem, optimum.exact.theta, options, fit);
  return fit;
}

}  // namespace etude
