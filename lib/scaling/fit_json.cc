#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/scaling/fit.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json IntervalJson(const Interval& interval) {
  return Json::array({Number(interval.low), Number(interval.high)});
}

Json EstimateJson(const Estimate& estimate) {
  Json json;
  json["value"] = Number(estimate.value);
  json["se"] = Number(estimate.se);
  json["ci95"] = IntervalJson(estimate.ci95);
  json["status"] = IdentificationName(estimate.status);
  json["profile95"] = IntervalJson(estimate.profile95);
  json["bootstrap95"] = estimate.bootstrap95 ? IntervalJson(*estimate.bootstrap95) : Json(nullptr);
  return json;
}

Json ParametersJson(Law law, const LawParameters& parameters) {
  Json json;
  for (const Parameter parameter : ParametersOf(law)) {
    json[std::string(ParameterName(parameter))] = Number(parameters[IndexOf(parameter)]);
  }
  return json;
}

Json CertificateJson(const Fit& fit) {
  const Certificate& certificate = fit.certificate;
  Json json;
  json["converged"] = certificate.converged;
  json["scaled_gradient"] = Number(certificate.scaled_gradient);
  json["hessian_positive_definite"] = certificate.hessian_positive_definite;
  json["parameters"] = certificate.parameters;
  json["rank"] = certificate.rank;
  json["condition"] = Number(certificate.condition);
  json["bound_distance"] = Number(certificate.bound_distance);
  json["rival_minima"] = Json::array();
  for (const RivalMinimum& rival : certificate.rivals) {
    json["rival_minima"].push_back(
        {{"value", Number(rival.value)}, {"params", ParametersJson(fit.law, rival.parameters)}});
  }
  return json;
}

Json LackOfFitJson(const LackOfFit& test) {
  Json json;
  json["f"] = Number(test.f);
  json["freedom"] = {test.freedom, test.noise_freedom};
  json["p"] = Number(test.p);
  return json;
}

Json NoiseJson(const Fit& fit) {
  Json json;
  json["residual_sigma"] = Number(fit.residual_sigma);
  json["seed_sigma"] = fit.noise.freedom > 0 ? Number(fit.noise.sigma) : Json(nullptr);
  json["seed_cells"] = fit.noise.cells;
  json["seed_freedom"] = fit.noise.freedom;
  json["slope_ln_n"] = fit.noise.slope_n;
  json["slope_ln_d"] = fit.noise.slope_d;
  json["lack_of_fit"] = fit.lack_of_fit ? LackOfFitJson(*fit.lack_of_fit) : Json(nullptr);
  return json;
}

Json BesideJson(const Fit& fit) {
  Json json = Json::array();
  for (const BesideFit& beside : fit.beside) {
    json.push_back({{"objective", ObjectiveName(beside.objective)},
                    {"value", Number(beside.value)},
                    {"params", ParametersJson(fit.law, beside.parameters)}});
  }
  return json;
}

Json ProvenanceJson(const FitProvenance& provenance) {
  Json json;
  json["run_keys"] = provenance.run_keys;
  json["convention"] = provenance.convention;
  json["software"] = provenance.software;
  json["seed"] = provenance.seed;
  json["bootstrap"] = provenance.bootstrap;
  return json;
}

}  // namespace

std::string FitToJson(const Fit& fit) {
  Json json;
  json["format_version"] = "1.0";
  json["law"] = LawName(fit.law);
  json["objective"] = {{"name", ObjectiveName(fit.objective)},
                       {"delta", fit.delta ? Number(*fit.delta) : Json(nullptr)},
                       {"value", Number(fit.objective_value)}};
  for (const ParameterEstimate& parameter : fit.params) {
    json["params"][std::string(ParameterName(parameter.parameter))] =
        EstimateJson(parameter.estimate);
  }
  json["a_opt"] = fit.a_opt ? EstimateJson(*fit.a_opt) : Json(nullptr);
  json["n_points"] = fit.n_points;
  json["clusters"] = fit.clusters;
  json["degrees_of_freedom"] = fit.freedom;
  json["intervals"] = fit.bootstrap_reported ? "bootstrap" : "profile";
  json["verdict"] = IdentificationName(fit.verdict);
  json["reasons"] = fit.reasons;
  json["repairs"] = fit.repairs;
  json["warnings"] = fit.warnings;
  json["noise"] = NoiseJson(fit);
  json["beside"] = BesideJson(fit);
  json["certificate"] = CertificateJson(fit);
  json["range"] = {{"n", {fit.range.n_min, fit.range.n_max}},
                   {"d", {fit.range.d_min, fit.range.d_max}},
                   {"lowest_loss", Number(fit.lowest_loss)}};
  json["provenance"] = ProvenanceJson(fit.provenance);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace etude
