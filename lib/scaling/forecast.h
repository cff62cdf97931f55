// What a sweep's fit says about its held-out runs before their first step: hashed, stored once and
// never changed. DESIGN.md section 8, "Held-out rule".
#ifndef ETUDE_LIB_SCALING_FORECAST_H_
#define ETUDE_LIB_SCALING_FORECAST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/fit_predict.h"
#include "lib/scaling/ids.h"
#include "lib/scaling/model.h"
#include "lib/scaling/run.h"

namespace etude {

// A fit of one family of a sweep, as it is stored and sent: `json` is FitToJson, `sha256` its hash.
struct SweepFit {
  SweepId sweep;
  Family family = Family::kTransformer;
  std::string json;
  std::string sha256;
  std::int64_t fitted_at_us = 0;
  friend bool operator==(const SweepFit&, const SweepFit&) = default;
};
SweepFit MakeSweepFit(const SweepId& sweep, Family family, const Fit& fit);

// The frozen prediction of one held-out run.
struct FrozenPrediction {
  SweepId sweep;
  RunKey run;
  Family family = Family::kTransformer;
  std::string fit_sha256;  // of the SweepFit it was made by
  double n = 0;            // as the fit's convention counts
  double d = 0;
  Prediction prediction;
  bool blind = true;              // nothing of the run had been trained when it was frozen
  std::int64_t frozen_at_us = 0;  // set, like blind, by who freezes it; neither is hashed
  friend bool operator==(const FrozenPrediction&, const FrozenPrediction&) = default;
};

// Canonical JSON of all but `blind` and `frozen_at_us`; its SHA-256 is the prediction's hash.
std::string FrozenPredictionJson(const FrozenPrediction& prediction);
std::string FrozenPredictionHash(const FrozenPrediction& prediction);
// kInvalidArgument: not such a JSON.
absl::StatusOr<FrozenPrediction> FrozenPredictionFromJson(std::string_view json);

// A held-out run whose law is not identified: it is not trained, since nothing could be learnt.
struct Unpredicted {
  RunKey run;
  std::string reason;  // and the next command
};

// Everything that freezes at once: the fits and, for each held-out run, a prediction or why there
// is none.
struct Forecast {
  SweepId sweep;
  std::vector<SweepFit> fits;
  std::vector<FrozenPrediction> predictions;
  std::vector<Unpredicted> unpredicted;
};

// Fits chinchilla to the finished ones of `fit_runs`, a family at a time, with FitOptions'
// defaults, and predicts `held_out`. Pure: equal runs give an equal forecast.
Forecast MakeForecast(const SweepId& sweep, const std::vector<Run>& fit_runs,
                      const std::vector<Run>& held_out);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FORECAST_H_
