#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "lib/scaling/fit.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;

std::vector<std::string> Keys(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

Json FittedJson(Law law) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].run_key = "t.csv:" + std::to_string(i + 2);
  FitOptions options = QuickOptions(law);
  options.bootstrap = 10;
  return Json::parse(FitToJson(FitLaw(rows, options).value()));
}

TEST(FitJsonTest, KeysAreTheContract) {
  const Json json = FittedJson(Law::kChinchilla);
  EXPECT_THAT(
      Keys(json),
      ElementsAre("format_version", "law", "objective", "params", "a_opt", "n_points", "clusters",
                  "degrees_of_freedom", "intervals", "verdict", "reasons", "repairs", "warnings",
                  "noise", "beside", "certificate", "range", "covariance", "provenance"));
  EXPECT_THAT(Keys(json["objective"]), ElementsAre("name", "delta", "value"));
  EXPECT_THAT(Keys(json["params"]), ElementsAre("E", "A", "B", "alpha", "beta"));
  EXPECT_THAT(Keys(json["params"]["alpha"]),
              ElementsAre("value", "se", "ci95", "status", "profile95", "bootstrap95"));
  EXPECT_THAT(Keys(json["provenance"]),
              ElementsAre("run_keys", "convention", "software", "seed", "bootstrap"));
  EXPECT_EQ(json["format_version"], "1.0");
  EXPECT_EQ(json["reasons"], Json::array());
  EXPECT_EQ(json["provenance"]["run_keys"].size(), 25u);
  EXPECT_NEAR(json["params"]["alpha"]["value"].get<double>(), 0.34, 1e-6);
}

TEST(FitJsonTest, ALawShowsOnlyItsOwnParameters) {
  EXPECT_THAT(Keys(FittedJson(Law::kPowerN)["params"]), ElementsAre("E", "A", "alpha"));
  EXPECT_THAT(Keys(FittedJson(Law::kPowerD)["params"]), ElementsAre("E", "B", "beta"));
  EXPECT_TRUE(FittedJson(Law::kPowerN)["a_opt"].is_null());
}

TEST(FitJsonTest, NumbersThatAreNotFiniteAreNull) {
  const Fit fit = FitLaw(PlantedGrid(kHoffmann, {1e4}, {1e6, 1e7}), QuickOptions()).value();
  const Json json = Json::parse(FitToJson(fit));
  EXPECT_EQ(json["verdict"], "not identified");
  EXPECT_TRUE(json["params"]["alpha"]["value"].is_null());
  EXPECT_EQ(json["params"]["alpha"]["ci95"], Json::parse("[0.0, null]"));
  EXPECT_TRUE(json["certificate"]["condition"].is_null());
}

// Fits of every kind, refused ones too: what a stored fit says is what was computed.
TEST(FitJsonTest, AFitReadBackWritesTheSameBytes) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5));
  rows = Repeated(rows, 2);
  AddNoise(rows, 0.013, 5);
  for (const std::size_t count : {rows.size(), std::size_t{9}, std::size_t{3}}) {
    for (const Law law : {Law::kChinchilla, Law::kPowerN, Law::kPowerD}) {
      FitOptions options = QuickOptions(law);
      options.bootstrap = count == rows.size() ? 20 : 0;
      const std::string json = FitToJson(FitLaw(std::span(rows).first(count), options).value());
      const absl::StatusOr<Fit> fit = FitFromJson(json);
      ASSERT_TRUE(fit.ok()) << fit.status().ToString();
      EXPECT_EQ(FitToJson(*fit), json);
    }
  }
}

TEST(FitJsonTest, WhatIsNoFitIsRefused) {
  EXPECT_FALSE(FitFromJson("").ok());
  EXPECT_FALSE(FitFromJson("{}").ok());
  EXPECT_FALSE(FitFromJson(R"({"format_version":"2.0"})").ok());
}

}  // namespace
}  // namespace etude
