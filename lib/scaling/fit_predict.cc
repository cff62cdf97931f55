#include "lib/scaling/fit_predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/status.h"
#include "lib/scaling/distributions.h"
#include "lib/scaling/fit_noise.h"
#include "lib/scaling/fit_rows.h"

namespace etude {
namespace {

absl::Status CheckPoint(const Fit& fit, double n, double d) {
  if (!(n > 0 && std::isfinite(n) && d > 0 && std::isfinite(d))) {
    return InvalidArgument(
        fmt::format("predict at N = {}, D = {}: both must be finite and above 0", n, d));
  }
  if (fit.refused()) {
    std::string reasons;
    for (const std::string& reason : fit.reasons) reasons += (reasons.empty() ? "" : "; ") + reason;
    return FailedPrecondition(fmt::format("predict: {} is not identified by these rows ({}); {}",
                                          LawName(fit.law), reasons,
                                          fit.repairs.empty() ? "" : fit.repairs.front()));
  }
  const auto off = [](double value, double fitted) {
    return std::abs(std::log(value / fitted)) > kSameLevel;
  };
  if (fit.law == Law::kPowerN && off(d, fit.range.d_min)) {
    return InvalidArgument(
        fmt::format("predict: this power-n law holds at D = {} alone; ask there, or fit chinchilla",
                    CountText(fit.range.d_min)));
  }
  if (fit.law == Law::kPowerD && off(n, fit.range.n_min)) {
    return InvalidArgument(
        fmt::format("predict: this power-d law holds at N = {} alone; ask there, or fit chinchilla",
                    CountText(fit.range.n_min)));
  }
  return absl::OkStatus();
}

// Variance of the fitted loss itself, g' covariance g.
double FittedVariance(const Fit& fit, const LawPoint& point) {
  double variance = 0;
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    for (std::size_t b = 0; b < kParameterCount; ++b) {
      variance += point.gradient[a] * fit.covariance.matrix[a][b] * point.gradient[b];
    }
  }
  return std::max(variance, 0.0);
}

bool SameMethod(const Fit& first, const Fit& second) {
  return first.law == second.law && first.objective == second.objective &&
         first.delta == second.delta && first.provenance.convention == second.provenance.convention;
}

}  // namespace

absl::StatusOr<Prediction> PredictLoss(const Fit& fit, double n, double d) {
  RETURN_IF_ERROR(CheckPoint(fit, n, d));
  const FitCovariance& covariance = fit.covariance;
  const LawParameters theta =
      Centred(fit.parameters, covariance.centre_ln_n, covariance.centre_ln_d);
  const LawPoint point = EvaluateLaw(theta, std::log(n) - covariance.centre_ln_n,
                                     std::log(d) - covariance.centre_ln_d);
  const double ratio = SigmaRatio(fit.noise, n, d);
  const double loss_sigma =
      fit.residual_sigma * ratio * (fit.objective == Objective::kL2Raw ? 1 : point.loss);
  const double relative =
      std::sqrt(FittedVariance(fit, point) + loss_sigma * loss_sigma) / point.loss;
  const double reach = StudentTQuantile(0.975, fit.freedom) * relative;

  Prediction prediction;
  prediction.loss = point.loss;
  prediction.ci95 = {point.loss * std::exp(-reach), point.loss * std::exp(reach)};
  prediction.half_width = (prediction.ci95.high - prediction.ci95.low) / 2 / point.loss;
  const auto beyond = [](double value, double low, double high) {
    return value < low * (1 - kSameLevel) || value > high * (1 + kSameLevel);
  };
  prediction.extrapolates =
      beyond(n, fit.range.n_min, fit.range.n_max) || beyond(d, fit.range.d_min, fit.range.d_max);
  prediction.lowest_loss = fit.lowest_loss;
  prediction.seed_sigma = fit.noise.sigma;
  return prediction;
}

HeldOutVerdict JudgeHeldOut(const Prediction& prediction, double measured,
                            const HeldOutRule& rule) {
  HeldOutVerdict verdict;
  verdict.inside = prediction.ci95.Contains(measured);
  verdict.relative_error = (prediction.loss - measured) / measured;
  verdict.tolerance = std::max(rule.min_tolerance, rule.seed_sigmas * prediction.seed_sigma);
  verdict.accurate = std::abs(verdict.relative_error) <= verdict.tolerance;
  verdict.too_wide = prediction.half_width > rule.max_half_width;
  verdict.beats_best_run =
      std::abs(prediction.loss - measured) < std::abs(prediction.lowest_loss - measured);
  if (!verdict.inside) {
    verdict.reasons.push_back(
        fmt::format("measured {:.4f} lies outside the 95 % interval {:.4f} to "
                    "{:.4f}",
                    measured, prediction.ci95.low, prediction.ci95.high));
  }
  if (!verdict.accurate) {
    verdict.reasons.push_back(fmt::format("predicted {:.4f}, {:+.2f} % off; {:.2f} % is allowed",
                                          prediction.loss, 100 * verdict.relative_error,
                                          100 * verdict.tolerance));
  }
  if (verdict.too_wide) {
    verdict.reasons.push_back(fmt::format("too wide: the interval is +-{:.2f} %, above {:.2f} %",
                                          100 * prediction.half_width, 100 * rule.max_half_width));
  }
  if (!verdict.beats_best_run) {
    verdict.reasons.push_back(fmt::format(
        "\"the same loss as the best fit run\", {:.4f}, is as near", prediction.lowest_loss));
  }
  return verdict;
}

absl::StatusOr<ExponentDifference> CompareExponents(const Fit& first, const Fit& second,
                                                    Parameter exponent) {
  const Estimate* one = first.Find(exponent);
  const Estimate* other = second.Find(exponent);
  const bool is_exponent = exponent == Parameter::kAlpha || exponent == Parameter::kBeta;
  if (!is_exponent || one == nullptr || other == nullptr) {
    return InvalidArgument(fmt::format("compare: {} is not an exponent of {}",
                                       ParameterName(exponent), LawName(first.law)));
  }
  if (!SameMethod(first, second)) {
    return InvalidArgument(
        "compare: the fits differ in law, objective, delta or convention of N; fit both the same "
        "way first");
  }
  for (const Estimate* estimate : {one, other}) {
    if (estimate->status == Identification::kNotIdentified ||
        estimate->status == Identification::kFixed) {
      return FailedPrecondition(
          fmt::format("compare: {} is {} in one of the fits, so there is no "
                      "difference to judge; `etude fit` names the repair",
                      ParameterName(exponent), IdentificationName(estimate->status)));
    }
  }
  const double one_variance = one->se * one->se;
  const double other_variance = other->se * other->se;
  const double variance = one_variance + other_variance;
  ExponentDifference result;
  result.difference = one->value - other->value;
  result.se = std::sqrt(variance);
  const double least = std::min(first.freedom, second.freedom);
  result.freedom = variance > 0 ? variance * variance /
                                      (one_variance * one_variance / first.freedom +
                                       other_variance * other_variance / second.freedom)
                                : least;
  const double reach = StudentTQuantile(0.975, result.freedom) * result.se;
  result.ci95 = {result.difference - reach, result.difference + reach};
  const double t = std::abs(result.difference) / result.se;
  result.p = result.se > 0 ? 2 * StudentTCdf(-t, result.freedom) : (result.difference == 0);
  result.distinct = !result.ci95.Contains(0);
  return result;
}

}  // namespace etude
