#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/status.h"
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
  json["centre_ln_n"] = fit.noise.centre_ln_n;
  json["centre_ln_d"] = fit.noise.centre_ln_d;
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

Json CovarianceJson(const FitCovariance& covariance) {
  Json json;
  json["centre_ln_n"] = covariance.centre_ln_n;
  json["centre_ln_d"] = covariance.centre_ln_d;
  json["matrix"] = Json::array();
  for (const auto& row : covariance.matrix) {
    Json numbers = Json::array();
    for (const double value : row) numbers.push_back(Number(value));
    json["matrix"].push_back(std::move(numbers));
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

// Reading: a missing key or a wrong type throws Json::exception, which FitFromJson turns into a
// status.

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Real(const Json& json, double if_null) {
  return json.is_null() ? if_null : json.get<double>();
}

template <typename Value>
Value Named(const Json& json, std::optional<Value> (*from_name)(std::string_view)) {
  const auto name = json.get<std::string>();
  const std::optional<Value> value = from_name(name);
  if (!value) throw Json::other_error::create(501, "unknown name " + name, &json);
  return *value;
}

Interval ReadInterval(const Json& json) {
  return {Real(json.at(0), kNaN), Real(json.at(1), kInfinity)};
}

Estimate ReadEstimate(const Json& json) {
  Estimate estimate;
  estimate.value = Real(json.at("value"), kNaN);
  estimate.se = Real(json.at("se"), kInfinity);
  estimate.ci95 = ReadInterval(json.at("ci95"));
  estimate.profile95 = ReadInterval(json.at("profile95"));
  if (!json.at("bootstrap95").is_null()) {
    estimate.bootstrap95 = ReadInterval(json.at("bootstrap95"));
  }
  estimate.status = Named(json.at("status"), IdentificationFromName);
  return estimate;
}

LawParameters ReadParameters(Law law, const Json& json) {
  LawParameters parameters = {};
  for (const Parameter parameter : ParametersOf(law)) {
    parameters[IndexOf(parameter)] = Real(json.at(std::string(ParameterName(parameter))), kNaN);
  }
  return parameters;
}

void ReadParams(const Json& json, Fit& fit) {
  for (const Parameter parameter : ParametersOf(fit.law)) {
    const Estimate estimate = ReadEstimate(json.at(std::string(ParameterName(parameter))));
    fit.params.push_back({parameter, estimate});
    fit.parameters[IndexOf(parameter)] = estimate.value;
  }
}

Certificate ReadCertificate(Law law, const Json& json) {
  Certificate certificate;
  certificate.converged = json.at("converged").get<bool>();
  certificate.scaled_gradient = Real(json.at("scaled_gradient"), kInfinity);
  certificate.hessian_positive_definite = json.at("hessian_positive_definite").get<bool>();
  certificate.parameters = json.at("parameters").get<int>();
  certificate.rank = json.at("rank").get<int>();
  certificate.condition = Real(json.at("condition"), kInfinity);
  certificate.bound_distance = Real(json.at("bound_distance"), kInfinity);
  for (const Json& rival : json.at("rival_minima")) {
    certificate.rivals.push_back(
        {Real(rival.at("value"), kInfinity), ReadParameters(law, rival.at("params"))});
  }
  return certificate;
}

void ReadNoise(const Json& json, Fit& fit) {
  fit.residual_sigma = Real(json.at("residual_sigma"), kInfinity);
  fit.noise.sigma = Real(json.at("seed_sigma"), 0);
  fit.noise.cells = json.at("seed_cells").get<int>();
  fit.noise.freedom = json.at("seed_freedom").get<int>();
  fit.noise.slope_n = json.at("slope_ln_n").get<double>();
  fit.noise.slope_d = json.at("slope_ln_d").get<double>();
  fit.noise.centre_ln_n = json.at("centre_ln_n").get<double>();
  fit.noise.centre_ln_d = json.at("centre_ln_d").get<double>();
  const Json& test = json.at("lack_of_fit");
  if (test.is_null()) return;
  fit.lack_of_fit = {.f = Real(test.at("f"), kInfinity),
                     .freedom = test.at("freedom").at(0).get<int>(),
                     .noise_freedom = test.at("freedom").at(1).get<int>(),
                     .p = Real(test.at("p"), kNaN)};
}

FitCovariance ReadCovariance(const Json& json) {
  FitCovariance covariance;
  covariance.centre_ln_n = json.at("centre_ln_n").get<double>();
  covariance.centre_ln_d = json.at("centre_ln_d").get<double>();
  for (std::size_t a = 0; a < kParameterCount; ++a) {
    for (std::size_t b = 0; b < kParameterCount; ++b) {
      covariance.matrix[a][b] = Real(json.at("matrix").at(a).at(b), kInfinity);
    }
  }
  return covariance;
}

FitProvenance ReadProvenance(const Json& json) {
  return {.run_keys = json.at("run_keys").get<std::vector<std::string>>(),
          .convention = json.at("convention").get<std::string>(),
          .software = json.at("software").get<std::string>(),
          .seed = json.at("seed").get<std::uint64_t>(),
          .bootstrap = json.at("bootstrap").get<int>()};
}

Fit ReadFit(const Json& json) {
  Fit fit;
  fit.law = Named(json.at("law"), LawFromName);
  fit.objective = Named(json.at("objective").at("name"), ObjectiveFromName);
  const Json& delta = json.at("objective").at("delta");
  if (!delta.is_null()) fit.delta = delta.get<double>();
  fit.objective_value = Real(json.at("objective").at("value"), kNaN);
  ReadParams(json.at("params"), fit);
  if (!json.at("a_opt").is_null()) fit.a_opt = ReadEstimate(json.at("a_opt"));
  fit.n_points = json.at("n_points").get<int>();
  fit.clusters = json.at("clusters").get<int>();
  fit.freedom = json.at("degrees_of_freedom").get<int>();
  fit.bootstrap_reported = json.at("intervals").get<std::string>() == "bootstrap";
  fit.verdict = Named(json.at("verdict"), IdentificationFromName);
  fit.reasons = json.at("reasons").get<std::vector<std::string>>();
  fit.repairs = json.at("repairs").get<std::vector<std::string>>();
  fit.warnings = json.at("warnings").get<std::vector<std::string>>();
  ReadNoise(json.at("noise"), fit);
  for (const Json& beside : json.at("beside")) {
    fit.beside.push_back({Named(beside.at("objective"), ObjectiveFromName),
                          Real(beside.at("value"), kNaN),
                          ReadParameters(fit.law, beside.at("params"))});
  }
  fit.certificate = ReadCertificate(fit.law, json.at("certificate"));
  const Json& range = json.at("range");
  fit.range = {range.at("n").at(0).get<double>(), range.at("n").at(1).get<double>(),
               range.at("d").at(0).get<double>(), range.at("d").at(1).get<double>()};
  fit.lowest_loss = Real(range.at("lowest_loss"), kNaN);
  fit.covariance = ReadCovariance(json.at("covariance"));
  fit.provenance = ReadProvenance(json.at("provenance"));
  return fit;
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
  json["covariance"] = CovarianceJson(fit.covariance);
  json["provenance"] = ProvenanceJson(fit.provenance);
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Fit> FitFromJson(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (!json.at("format_version").get<std::string>().starts_with("1.")) {
      return InvalidArgument("fit: its format_version is not 1.x");
    }
    return ReadFit(json);
  } catch (const Json::exception& error) {
    return InvalidArgument(std::string("fit: ") + error.what());
  }
}

}  // namespace etude
