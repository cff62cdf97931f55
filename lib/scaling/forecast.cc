#include "lib/scaling/forecast.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/fit_runs.h"

namespace etude {
namespace {

using Json = nlohmann::json;  // sorted keys: canonical

std::vector<Run> OfFamily(const std::vector<Run>& runs, Family family) {
  std::vector<Run> chosen;
  for (const Run& run : runs) {
    if (run.config.model.family == family) chosen.push_back(run);
  }
  return chosen;
}

absl::StatusOr<Fit> FitFamily(const std::vector<Run>& runs) {
  ASSIGN_OR_RETURN(const std::vector<FitRow> rows, FitRowsOf(runs, RunSelection()));
  return FitLaw(rows, FitOptions());
}

// A held-out run obeys what the fit asks of its own rows.
absl::Status CheckHeldOut(const std::vector<Run>& fit_runs, const Run& run) {
  if (run.config.epochs() > kMaxEpochs) {
    return FailedPrecondition(fmt::format(
        "it repeats its data (D/U is {:.3g}, above {:g}), which chinchilla has no term for",
        run.config.epochs(), kMaxEpochs));
  }
  const int context = run.config.model.context;
  if (!fit_runs.empty() && fit_runs.front().config.model.context != context) {
    return FailedPrecondition(
        fmt::format("it has context {} and the fitted runs {}, so it is scored on other windows",
                    context, fit_runs.front().config.model.context));
  }
  return absl::OkStatus();
}

absl::StatusOr<Prediction> Predict(const absl::StatusOr<Fit>& fit, const std::vector<Run>& fit_runs,
                                   const Run& run) {
  if (!fit.ok()) return fit.status();
  RETURN_IF_ERROR(CheckHeldOut(fit_runs, run));
  return PredictLoss(*fit, CountN(run.config, NConvention::kCompute),
                     static_cast<double>(run.config.tokens()));
}

std::string NotPredicted(Family family, const absl::Status& status) {
  return fmt::format(
      "held out, and nothing predicts it: {}; look: etude fit SWEEP --where family={}",
      MessageOf(status), FamilyName(family));
}

FrozenPrediction Freeze(const SweepFit& fit, const Run& run, const Prediction& prediction) {
  return {.sweep = fit.sweep,
          .run = run.key,
          .family = fit.family,
          .fit_sha256 = fit.sha256,
          .n = CountN(run.config, NConvention::kCompute),
          .d = static_cast<double>(run.config.tokens()),
          .prediction = prediction};
}

}  // namespace

SweepFit MakeSweepFit(const SweepId& sweep, Family family, const Fit& fit) {
  std::string json = FitToJson(fit);
  std::string hash = Sha256Hex(json);
  return {sweep, family, std::move(json), std::move(hash), 0};
}

std::string FrozenPredictionJson(const FrozenPrediction& frozen) {
  const Prediction& prediction = frozen.prediction;
  Json json;
  json["format_version"] = "1.0";
  json["sweep"] = frozen.sweep.text();
  json["run"] = frozen.run.text();
  json["family"] = FamilyName(frozen.family);
  json["fit_sha256"] = frozen.fit_sha256;
  json["n"] = frozen.n;
  json["d"] = frozen.d;
  json["loss"] = prediction.loss;
  json["ci95"] = {prediction.ci95.low, prediction.ci95.high};
  json["half_width"] = prediction.half_width;
  json["extrapolates"] = prediction.extrapolates;
  json["lowest_loss"] = prediction.lowest_loss;
  json["seed_sigma"] = prediction.seed_sigma;
  return json.dump();
}

std::string FrozenPredictionHash(const FrozenPrediction& prediction) {
  return Sha256Hex(FrozenPredictionJson(prediction));
}

absl::StatusOr<FrozenPrediction> FrozenPredictionFromJson(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    FrozenPrediction frozen;
    frozen.sweep = SweepId(json.at("sweep").get<std::string>());
    frozen.run = RunKey(json.at("run").get<std::string>());
    const std::optional<Family> family = FamilyFromName(json.at("family").get<std::string>());
    if (!family) return InvalidArgument("frozen prediction: unknown family");
    frozen.family = *family;
    frozen.fit_sha256 = json.at("fit_sha256").get<std::string>();
    frozen.n = json.at("n").get<double>();
    frozen.d = json.at("d").get<double>();
    frozen.prediction = {
        .loss = json.at("loss").get<double>(),
        .ci95 = {json.at("ci95").at(0).get<double>(), json.at("ci95").at(1).get<double>()},
        .half_width = json.at("half_width").get<double>(),
        .extrapolates = json.at("extrapolates").get<bool>(),
        .lowest_loss = json.at("lowest_loss").get<double>(),
        .seed_sigma = json.at("seed_sigma").get<double>()};
    return frozen;
  } catch (const Json::exception& error) {
    return InvalidArgument(std::string("frozen prediction: ") + error.what());
  }
}

Forecast MakeForecast(const SweepId& sweep, const std::vector<Run>& fit_runs,
                      const std::vector<Run>& held_out) {
  Forecast forecast;
  forecast.sweep = sweep;
  for (const Family family : {Family::kTransformer, Family::kLstm}) {
    const std::vector<Run> wanted = OfFamily(held_out, family);
    if (wanted.empty()) continue;
    const std::vector<Run> fitted = OfFamily(fit_runs, family);
    const absl::StatusOr<Fit> fit = FitFamily(fitted);
    if (fit.ok()) forecast.fits.push_back(MakeSweepFit(sweep, family, *fit));
    for (const Run& run : wanted) {
      const absl::StatusOr<Prediction> prediction = Predict(fit, fitted, run);
      if (prediction.ok()) {
        forecast.predictions.push_back(Freeze(forecast.fits.back(), run, *prediction));
      } else {
        forecast.unpredicted.push_back({run.key, NotPredicted(family, prediction.status())});
      }
    }
  }
  return forecast;
}

}  // namespace etude
