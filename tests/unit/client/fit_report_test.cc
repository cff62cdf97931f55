// What fit, predict and compare print.
#include "client/fit_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "client/command.h"
#include "lib/scaling/fit_runs.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<FitRow> PlantedRows(double alpha, double noise = 0.004) {
  std::vector<FitRow> rows;
  int k = 0;
  for (const double n : {7e3, 28e3, 1e5, 23e4}) {
    for (const double d : {3e5, 9e5, 27e5}) {
      for (const std::uint64_t seed : {1, 2}) {
        FitRow row;
        row.n = n;
        row.d = d;
        row.loss = (0.8 + std::pow(n / 3e3, -alpha) + std::pow(d / 5e4, -0.5)) *
                   (1 + noise * std::sin(7.0 * ++k));
        row.seed = seed;
        rows.push_back(row);
      }
    }
  }
  return rows;
}

FamilyFit MakeFit(std::optional<Family> family, double alpha = 0.5) {
  FitOptions options;
  options.bootstrap = 0;
  const Fit fit = FitLaw(PlantedRows(alpha), options).value();
  return {family, fit, FitToJson(fit)};
}

FamilyFit RefusedFit() {
  std::vector<FitRow> rows = PlantedRows(0.5);
  std::erase_if(rows, [](const FitRow& row) { return row.d != 9e5; });
  const Fit fit = FitLaw(rows, FitOptions()).value();
  return {Family::kLstm, fit, FitToJson(fit)};
}

TEST(FitReportTest, AFitOfACsvFileIsPrintedByteForByte) {
  const FamilyFit fit = MakeFit(std::nullopt);
  EXPECT_EQ(FitsJson({fit}, ""), fit.json + "\n");
}

TEST(FitReportTest, SeveralFamiliesAreAListAndOneIsItself) {
  const Json one = Json::parse(FitsJson({MakeFit(Family::kLstm)}, "demo"));
  EXPECT_EQ(one["family"], "lstm");
  EXPECT_EQ(one["sweep"], "demo");
  EXPECT_TRUE(one["params"]["alpha"]["value"].is_number());
  const Json two =
      Json::parse(FitsJson({MakeFit(Family::kTransformer), MakeFit(Family::kLstm)}, "demo"));
  EXPECT_EQ(two["format_version"], "1.0");
  ASSERT_EQ(two["fits"].size(), 2u);
  EXPECT_EQ(two["fits"][1]["family"], "lstm");
  EXPECT_EQ(two["fits"][1]["params"], one["params"]);
}

TEST(FitReportTest, ARefusedFitSaysWhyAndWhatWouldHelp) {
  const std::vector<std::string> notes = FitNotes(RefusedFit());
  const std::string all = testing::PrintToString(notes);
  EXPECT_THAT(all, HasSubstr("not identified"));
  EXPECT_THAT(all, HasSubstr("because: D never varies"));
  EXPECT_THAT(all, HasSubstr("repair: "));
  EXPECT_THAT(Render(FitReport({RefusedFit()}), OutputFormat::kTable), HasSubstr("beta"));
}

TEST(FitReportTest, FitOptionsNameThisVersion) {
  EXPECT_EQ(FitOptions().software, std::string("etude ") + kClientVersion);
}

RunProgress HeldOutRun(std::optional<double> measured) {
  RunProgress progress;
  progress.run.key = RunKey(std::string(64, '1'));
  progress.run.config.model = {.family = Family::kLstm, .layers = 1, .width = 224, .vocab = 50};
  progress.held_out = true;
  if (measured) {
    progress.run.state = RunState::kSucceeded;
    progress.run.result.emplace().val_loss = *measured;
  }
  return progress;
}

std::string VerdictOf(const RunProgress& progress, bool blind = true) {
  FrozenPrediction frozen;
  frozen.run = progress.run.key;
  frozen.prediction = {1.5, {1.45, 1.55}, 0.033, true, 1.8, 0.013};
  frozen.blind = blind;
  SweepView view;
  view.runs = {progress};
  const std::string json = Render(HeldOutReport(view, {frozen}), OutputFormat::kJson);
  return Json::parse(json)["held_out"][0]["verdict"];
}

TEST(HeldOutReportTest, TheVerdictFollowsFromPredictionAndMeasurement) {
  EXPECT_EQ(VerdictOf(HeldOutRun(std::nullopt)), "waiting");
  EXPECT_EQ(VerdictOf(HeldOutRun(1.51)), "passed");
  EXPECT_EQ(VerdictOf(HeldOutRun(1.60)), "failed");
  EXPECT_EQ(VerdictOf(HeldOutRun(1.51), /*blind=*/false), "failed");
}

TEST(HeldOutReportTest, AnUnpredictedRunSaysWhy) {
  RunProgress progress = HeldOutRun(std::nullopt);
  progress.run.state = RunState::kCancelled;
  progress.run.reason = "held out, and nothing predicts it: D never varies";
  SweepView view;
  view.runs = {progress};
  const std::string text = Render(HeldOutReport(view, {}), OutputFormat::kTable);
  EXPECT_THAT(text, HasSubstr("not predicted"));
  EXPECT_THAT(text, HasSubstr("D never varies"));
}

FamilyComparison Comparison(Family family, double alpha) {
  return {family, MakeFit(family, alpha).fit, CheckLossFalls(PlantedRows(alpha))};
}

TEST(CompareReportTest, ADifferenceIsClaimedOnlyWhenItsIntervalExcludesZero) {
  const std::string same = testing::PrintToString(
      CompareNotes({Comparison(Family::kTransformer, 0.5), Comparison(Family::kLstm, 0.5)}));
  EXPECT_THAT(same, HasSubstr("alpha: no difference can be claimed"));
  const std::string other = testing::PrintToString(
      CompareNotes({Comparison(Family::kTransformer, 0.9), Comparison(Family::kLstm, 0.35)}));
  EXPECT_THAT(other, HasSubstr("alpha differs: transformer"));
  EXPECT_THAT(other, HasSubstr("beta: no difference can be claimed"));
}

TEST(CompareReportTest, LossesThatRiseAndExponentsThatMayBeZeroAreDoubts) {
  EXPECT_THAT(ScalingDoubts({Comparison(Family::kLstm, 0.5)}), IsEmpty());
  std::vector<FitRow> rows = PlantedRows(0.5);
  rows.back().loss = rows[rows.size() - 2].loss = 3;
  const FamilyComparison rising = {Family::kLstm, RefusedFit().fit, CheckLossFalls(rows)};
  const std::string doubts = testing::PrintToString(ScalingDoubts({rising}));
  EXPECT_THAT(doubts, HasSubstr("loss does not fall at N = 230k from D = 900k to 2.7M"));
  EXPECT_THAT(doubts, HasSubstr("interval of beta is not above 0 (not identified)"));
}

TEST(LossFallsTest, NeighboursAreComparedBySeedMeans) {
  const LossFalls falls = CheckLossFalls(PlantedRows(0.5));
  EXPECT_EQ(falls.pairs, 3 * 3 + 4 * 2);
  EXPECT_TRUE(falls.hold());
  EXPECT_FALSE(CheckLossFalls({}).hold());
  // One seed rises; the mean of both does not.
  std::vector<FitRow> rows = PlantedRows(0.5, 0);
  rows[2].loss = rows[0].loss + 0.01;
  rows[3].loss -= 0.3;
  EXPECT_TRUE(CheckLossFalls(rows).hold());
}

}  // namespace
}  // namespace etude
