#include "lib/scaling/loss_point.h"

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<Series, 8> kSeries = {{Series::kTrain, "train"},
                                          {Series::kValProbe, "val_probe"},
                                          {Series::kVal, "val"},
                                          {Series::kTrainEval, "train_eval"},
                                          {Series::kLearningRate, "lr"},
                                          {Series::kGradNorm, "grad_norm"},
                                          {Series::kTokensPerSecond, "tokens_per_s"},
                                          {Series::kTest, "test"}};

}  // namespace

std::string_view SeriesName(Series series) { return NameIn(kSeries, series); }
std::optional<Series> SeriesFromName(std::string_view name) { return ValueIn(kSeries, name); }
std::optional<Series> SeriesFromNumber(int number) {
  for (const auto& [series, name] : kSeries) {
    if (static_cast<int>(series) == number) return series;
  }
  return std::nullopt;
}

}  // namespace etude
