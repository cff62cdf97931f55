#include "lib/scaling/fit_verdict.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "lib/scaling/fit_design.h"
#include "lib/scaling/fit_interval.h"
#include "lib/scaling/fit_rows.h"

namespace etude {
namespace {

constexpr std::size_t kAlpha = IndexOf(Parameter::kAlpha);
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double MeanLoss(const FitProblem& problem) {
  double sum = 0;
  for (const FitPoint& point : problem.points) sum += point.loss;
  return sum / static_cast<double>(problem.points.size());
}

bool IsExponent(Parameter parameter) { return IndexOf(parameter) >= kAlpha; }

Identification StatusOf(const Estimate& estimate, const Certificate& certificate) {
  const double relative = estimate.se / std::abs(estimate.value);
  if (certificate.rank < certificate.parameters || !(relative <= kWeakRelativeSe)) {
    return Identification::kNotIdentified;
  }
  const bool identified = certificate.condition < kMaxFitCondition && estimate.ci95.low > 0 &&
                          relative <= kIdentifiedRelativeSe;
  return identified ? Identification::kIdentified : Identification::kWeak;
}

// The worse of two, where fixed counts as the best.
Identification Worse(Identification a, Identification b) {
  if (a == Identification::kFixed) return b;
  if (b == Identification::kFixed) return a;
  return std::max(a, b);
}

void RefuseRepeats(const Repetition& repetition, const FitOptions& options, Fit& fit) {
  fit.reasons.push_back(fmt::format(
      "{} of {} rows repeat their data (D/U up to {:.3g}, above {:g}), and {} has no term for that",
      repetition.rows, fit.n_points, repetition.most_epochs, kMaxEpochs, LawName(options.law)));
  fit.repairs.push_back(fmt::format(
      "{}train on at least D/{:g} unique tokens, or fit them anyway with --allow-repeats",
      static_cast<int>(repetition.rows) < fit.n_points ? "leave those rows out with --where, " : "",
      kMaxEpochs));
}

std::string ExponentReason(const ParameterEstimate& parameter) {
  const Estimate& estimate = parameter.estimate;
  const std::string_view name = ParameterName(parameter.parameter);
  if (!std::isfinite(estimate.se)) return "";
  const double relative = estimate.se / estimate.value;
  if (relative > kIdentifiedRelativeSe) {
    return fmt::format(
        "{} is {:.3g} with standard error {:.2g}: {:.0f} % of it, above {:.0f} %", name,
        estimate.value, estimate.se, 100 * relative,
        100 * (relative > kWeakRelativeSe ? kWeakRelativeSe : kIdentifiedRelativeSe));
  }
  if (!(estimate.ci95.low > 0)) {
    return fmt::format("the 95 % interval of {} includes 0", name);
  }
  return "";
}

// Terms that the fit shrank to nothing.
void AddVanishingTerms(const FitProblem& problem, const LawParameters& theta, Fit& fit) {
  constexpr double kVanishing = 1e-6;  // of the mean loss
  const std::pair<Parameter, const char*> terms[] = {{Parameter::kA, "N"}, {Parameter::kB, "D"}};
  for (const auto& [parameter, input] : terms) {
    const std::size_t j = IndexOf(parameter);
    if (problem.free[j] && theta[j] < kVanishing * MeanLoss(problem)) {
      fit.reasons.push_back(fmt::format("{} is 0, its bound: loss does not fall with {}",
                                        ParameterName(parameter), input));
    }
  }
}

void AddReasons(const std::vector<DesignFault>& faults, const FitProblem& problem,
                const LawParameters& theta, Fit& fit) {
  for (const DesignFault& fault : faults) fit.reasons.push_back(fault.reason);
  const Certificate& certificate = fit.certificate;
  if (certificate.rank < certificate.parameters) {
    fit.reasons.push_back(fmt::format(
        "rank {} of {}: the rows leave {} of the {} parameters open", certificate.rank,
        certificate.parameters, certificate.parameters - certificate.rank, certificate.parameters));
  } else if (certificate.condition >= kMaxFitCondition) {
    fit.reasons.push_back(fmt::format("the scaled condition is {:.3g}, above {:g}",
                                      certificate.condition, kMaxFitCondition));
  }
  if (fit.freedom == 0) {
    fit.reasons.push_back(fmt::format("{} rows for {} parameters leave nothing to judge the fit by",
                                      fit.n_points, certificate.parameters));
  }
  AddVanishingTerms(problem, theta, fit);
  for (const ParameterEstimate& parameter : fit.params) {
    if (!IsExponent(parameter.parameter) ||
        parameter.estimate.status == Identification::kIdentified ||
        parameter.estimate.status == Identification::kFixed) {
      continue;
    }
    const std::string reason = ExponentReason(parameter);
    if (!reason.empty()) fit.reasons.push_back(reason);
  }
  if (fit.reasons.empty()) {
    fit.reasons.push_back(
        fmt::format("the rows do not bound every exponent of {}", LawName(fit.law)));
  }
}

// Where repairs are judged: at the fit if it makes sense, else at nominal exponents with equal
// shares of the loss, as lib/scaling/design.h does.
RepairGoal MakeGoal(const FitProblem& problem, const LawParameters& theta, const Fit& fit) {
  constexpr double kNominalExponent = 0.5;
  constexpr double kLeastSpread = 1e-6;  // sigma(ln L) of 0.1 %
  constexpr double kExpectedSpread =
      0.013 * 0.013;  // sigma(ln L) between seeds, DESIGN.md section 8
  RepairGoal goal = {fit.law, theta, kExpectedSpread};
  const bool sound = fit.certificate.rank == fit.certificate.parameters &&
                     std::ranges::all_of(ParametersOf(fit.law), [&](Parameter parameter) {
                       const std::size_t j = IndexOf(parameter);
                       const double low = IsExponent(parameter) ? 0.05 : 0;
                       const double high = IsExponent(parameter) ? 1.5 : kInfinity;
                       return theta[j] > low && theta[j] < high;
                     });
  if (sound) {
    goal.spread = std::max(
        EstimateDispersion(problem.penalty, fit.objective_value, fit.n_points, problem.free_count())
            .spread,
        kLeastSpread);
    return goal;
  }
  for (const Parameter parameter : ParametersOf(fit.law)) {
    const std::size_t j = IndexOf(parameter);
    if (!problem.free[j]) continue;
    goal.theta[j] = IsExponent(parameter) ? kNominalExponent : MeanLoss(problem) / 3;
  }
  return goal;
}

// The rows whose removal would move `exponent` most, by one step of least squares (Belsley, Kuh and
// Welsch 1980, DFBETAS).
std::string InfluentialRows(std::span<const FitRow> rows, const FitProblem& problem,
                            const LawParameters& theta, Parameter exponent) {
  constexpr std::size_t kMostNamed = 3;
  const ParameterMatrix inverse = CovarianceAt(problem, theta, 1);
  const std::vector<LawParameters> jacobian = JacobianAt(problem, theta);
  const std::vector<double> residuals = ResidualsAt(problem, theta);
  std::vector<std::pair<double, std::size_t>> moves;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double along = 0;
    double leverage = 0;
    for (std::size_t a = 0; a < kParameterCount; ++a) {
      along += inverse[IndexOf(exponent)][a] * jacobian[i][a];
      for (std::size_t b = 0; b < kParameterCount; ++b) {
        leverage += jacobian[i][a] * inverse[a][b] * jacobian[i][b];
      }
    }
    moves.emplace_back(-std::abs(along * residuals[i]) / std::max(1 - leverage, 1e-3), i);
  }
  std::ranges::sort(moves);
  std::string names;
  for (std::size_t k = 0; k < std::min(kMostNamed, moves.size()); ++k) {
    names += (names.empty() ? "" : "; ") + RowName(rows[moves[k].second]);
  }
  return names;
}

void WarnOfOutliers(std::span<const FitRow> rows, const FitProblem& problem,
                    const LawParameters& theta, Fit& fit) {
  for (const Parameter exponent : ExponentsOf(fit.law)) {
    const Estimate& estimate = *fit.Find(exponent);
    if (estimate.status == Identification::kFixed || !std::isfinite(estimate.se)) continue;
    for (const BesideFit& beside : fit.beside) {
      const double other = beside.parameters[IndexOf(exponent)];
      constexpr double kRounding = 1e-6;  // of rows without noise
      if (std::abs(other - estimate.value) <= std::max(estimate.se, kRounding)) continue;
      fit.warnings.push_back(fmt::format(
          "outlier-sensitive: {} is {:.3g} by {} but {:.3g} by {}, more than a standard error "
          "apart; it hangs most on {}",
          ParameterName(exponent), estimate.value, ObjectiveName(fit.objective), other,
          ObjectiveName(beside.objective), InfluentialRows(rows, problem, theta, exponent)));
      break;
    }
  }
}

void AddWarnings(std::span<const FitRow> rows, const FitProblem& problem,
                 const LawParameters& theta, Fit& fit) {
  constexpr double kSignificant = 0.05;
  const bool full_rank = fit.certificate.rank == fit.certificate.parameters;
  if (full_rank && !fit.certificate.converged) {
    fit.warnings.push_back(
        fmt::format("the optimiser stopped at scaled gradient {:.2g}: the optimum is not certified",
                    fit.certificate.scaled_gradient));
  }
  if (full_rank && !fit.certificate.rivals.empty()) {
    const RivalMinimum& rival = fit.certificate.rivals.front();
    fit.warnings.push_back(fmt::format("another minimum is within 1 %: alpha {:.3g}, beta {:.3g}",
                                       rival.parameters[kAlpha],
                                       rival.parameters[IndexOf(Parameter::kBeta)]));
  }
  if (fit.lack_of_fit && fit.lack_of_fit->p < kSignificant) {
    fit.warnings.push_back(
        fmt::format("lack of fit: residuals exceed what seeds explain (F({}, {}) = {:.3g}, "
                    "p = {:.2g}); {} may be the wrong law here",
                    fit.lack_of_fit->freedom, fit.lack_of_fit->noise_freedom, fit.lack_of_fit->f,
                    fit.lack_of_fit->p, LawName(fit.law)));
  }
  if (!fit.refused()) WarnOfOutliers(rows, problem, theta, fit);
}

}  // namespace

bool HessianPositiveDefinite(const FitProblem& problem, const LawParameters& theta) {
  const Expansion expansion = ExpandAt(problem, theta);
  std::vector<std::size_t> free;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (problem.free[j]) free.push_back(j);
  }
  const auto count = static_cast<Eigen::Index>(free.size());
  Eigen::MatrixXd scaled(count, count);
  for (Eigen::Index a = 0; a < count; ++a) {
    for (Eigen::Index b = 0; b < count; ++b) {
      const std::size_t i = free[static_cast<std::size_t>(a)];
      const std::size_t j = free[static_cast<std::size_t>(b)];
      const double lengths = std::sqrt(expansion.majorizer[i][i] * expansion.majorizer[j][j]);
      scaled(a, b) = lengths > 0 ? expansion.hessian[i][j] / lengths : 0;
    }
  }
  constexpr double kLeast = 1e-12;
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(scaled, Eigen::EigenvaluesOnly)
             .eigenvalues()[0] > kLeast;
}

double BoundDistance(const FitProblem& problem, const LawParameters& theta) {
  double nearest = kInfinity;
  for (std::size_t j = 0; j < kParameterCount; ++j) {
    if (!problem.free[j]) continue;
    const double distance = j >= kAlpha ? std::min(theta[j] - kMinExponent, kMaxExponent - theta[j])
                                        : theta[j] / MeanLoss(problem);
    nearest = std::min(nearest, distance);
  }
  return nearest;
}

void Judge(std::span<const FitRow> rows, const FitProblem& problem, const LawParameters& theta,
           const FitOptions& options, Fit& fit) {
  const std::vector<DesignFault> faults = FindDesignFaults(options.law, rows, problem);
  const Repetition repetition = RepetitionIn(rows);
  const bool repeats = repetition.rows > 0 && !options.allow_repeats;
  fit.verdict = Identification::kFixed;
  for (ParameterEstimate& parameter : fit.params) {
    Identification& status = parameter.estimate.status;
    if (status == Identification::kFixed) continue;
    status = StatusOf(parameter.estimate, fit.certificate);
    const bool faulty = std::ranges::any_of(faults, [&](const DesignFault& fault) {
      return std::ranges::count(fault.exponents, parameter.parameter) > 0;
    });
    if (faulty || repeats) status = Identification::kNotIdentified;
    if (IsExponent(parameter.parameter)) fit.verdict = Worse(fit.verdict, status);
  }
  if (fit.verdict == Identification::kFixed) fit.verdict = Identification::kIdentified;
  if (fit.a_opt) fit.a_opt->status = Worse(StatusOf(*fit.a_opt, fit.certificate), fit.verdict);

  if (fit.verdict != Identification::kIdentified) {
    AddReasons(faults, problem, theta, fit);
    if (repeats) RefuseRepeats(repetition, options, fit);
    const bool all_repeat = repeats && static_cast<int>(repetition.rows) == fit.n_points;
    fit.repairs.push_back(all_repeat
                              ? GridRepair(options.law, rows)
                              : CheapestRepair(MakeGoal(problem, theta, fit), rows, problem));
  }
  AddWarnings(rows, problem, theta, fit);
}

void JudgeTooFew(std::span<const FitRow> rows, const FitProblem& problem, const FitOptions& options,
                 Fit& fit) {
  fit.certificate.parameters = problem.free_count();
  fit.certificate.condition = kInfinity;
  fit.reasons.push_back(fmt::format("{} row{} for the {} parameters of {}", fit.n_points,
                                    fit.n_points == 1 ? "" : "s", problem.free_count(),
                                    LawName(options.law)));
  for (const DesignFault& fault : FindDesignFaults(options.law, rows, problem)) {
    fit.reasons.push_back(fault.reason);
  }
  const Repetition repetition = RepetitionIn(rows);
  if (repetition.rows > 0 && !options.allow_repeats) RefuseRepeats(repetition, options, fit);
  fit.repairs.push_back(GridRepair(options.law, rows));
}

}  // namespace etude
