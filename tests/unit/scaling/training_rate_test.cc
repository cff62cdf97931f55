#include "lib/scaling/training_rate.h"

#include <gtest/gtest.h>

namespace etude {
namespace {

Pace MakePace(const std::string& name, Family family, double assumed) {
  return {name, family, assumed};
}

const Pace kSmall = MakePace("small", Family::kTransformer, 1000);
const Pace kLarge = MakePace("large", Family::kTransformer, 100);
const Pace kLstm = MakePace("lstm", Family::kLstm, 400);

void Measure(TrainingRates& rates, const std::string& kind, const Pace& pace, double rate) {
  if (auto changed = rates.With(kind, pace, rate, /*ended=*/true)) rates.Set(*changed);
}

TEST(TrainingRateTest, WithoutAMeasurementThePlannersAssumptionHolds) {
  const TrainingRates rates;
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kSmall), 1e-3);
}

TEST(TrainingRateTest, WhatIsNotMeasuredIsScaledByItsFamilyThenByAny) {
  TrainingRates rates;
  Measure(rates, "cpu", kSmall, 500);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kSmall), 1 / 500.0);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kLarge), 1 / 50.0);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kLstm), 1 / 200.0);
  Measure(rates, "cpu", kLstm, 800);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kLarge), 1 / 50.0) << "its own family still";
}

TEST(TrainingRateTest, AnotherKindOfWorkerHasRatesOfItsOwn) {
  TrainingRates rates;
  Measure(rates, "cpu", kSmall, 500);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cuda", kSmall), 1 / 500.0) << "better than nothing";
  Measure(rates, "cuda", kLarge, 10'000);
  EXPECT_NEAR(rates.SecondsPerToken("cuda", kSmall), 1e-5, 1e-12);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kLarge), 1 / 50.0);
}

TEST(TrainingRateTest, ARateIsTheMeanOfRunsAndTheFirstPointsCountUntilOneHasEnded) {
  TrainingRates rates;
  rates.Set(*rates.With("cpu", kSmall, 1, /*ended=*/false));
  EXPECT_FALSE(rates.With("cpu", kSmall, 7, /*ended=*/false));
  Measure(rates, "cpu", kSmall, 1000);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kSmall), 1e-3);
  Measure(rates, "cpu", kSmall, 500);
  EXPECT_DOUBLE_EQ(rates.SecondsPerToken("cpu", kSmall), 1.5e-3);
  for (int i = 0; i < 20; ++i) Measure(rates, "cpu", kSmall, 250);
  EXPECT_NEAR(rates.SecondsPerToken("cpu", kSmall), 4e-3, 4e-4);
  EXPECT_FALSE(rates.With("cpu", kSmall, 250, /*ended=*/true)) << "nothing new";
}

TEST(TrainingRateTest, NonsenseIsNotBelieved) {
  const TrainingRates rates;
  for (const double rate : {0.0, -1.0, 1e300, 1e-300}) {
    EXPECT_FALSE(rates.With("cpu", kSmall, rate, /*ended=*/true)) << rate;
  }
}

}  // namespace
}  // namespace etude
