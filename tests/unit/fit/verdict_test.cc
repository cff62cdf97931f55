// What the rows cannot carry is refused, with the reason and the repair.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lib/base/status.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/fit_csv.h"
#include "lib/scaling/fit_design.h"
#include "lib/scaling/fit_rows.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

bool Says(const std::vector<std::string>& lines, const std::string& part) {
  return Joined(lines).find(part) != std::string::npos;
}

Fit FitNoisy(std::vector<FitRow> rows, Law law = Law::kChinchilla, double sigma = 0.006) {
  AddNoise(rows, sigma, 11);
  return FitLaw(rows, QuickOptions(law)).value();
}

TEST(VerdictTest, ConstantDIsRefused) {
  for (const double sigma : {0.0, 0.006}) {
    const Fit fit =
        FitNoisy(PlantedGrid(kHoffmann, Ladder(1e4, 3, 9), {1e6}), Law::kChinchilla, sigma);
    EXPECT_TRUE(fit.refused());
    EXPECT_EQ(fit.certificate.rank, 3);
    EXPECT_TRUE(Says(fit.reasons, "D never varies: it is 1M in every row"));
    EXPECT_TRUE(Says(fit.reasons, "rank 3 of 5"));
    EXPECT_TRUE(Says(fit.repairs, "FLOP")) << Joined(fit.repairs);
  }
}

TEST(VerdictTest, DThatVariesByStepRoundingAloneIsConstant) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 9), {1e6});
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].d += 512.0 * static_cast<double>(i % 3);
  const Fit fit = FitNoisy(rows);
  EXPECT_TRUE(fit.refused());
  EXPECT_EQ(fit.certificate.rank, 3);
}

TEST(VerdictTest, ConstantNIsRefused) {
  const Fit fit = FitNoisy(PlantedGrid(kHoffmann, {1e5}, Ladder(1e6, 3, 9)));
  EXPECT_TRUE(fit.refused());
  EXPECT_TRUE(Says(fit.reasons, "N never varies"));
}

TEST(VerdictTest, ConstantTokensPerParameterIsRefused) {
  for (const double sigma : {0.0, 0.006}) {
    std::vector<FitRow> rows;
    for (const double n : Ladder(1e4, 3, 9)) rows.push_back(PlantedRow(kHoffmann, n, 20 * n));
    const Fit fit = FitNoisy(rows, Law::kChinchilla, sigma);
    EXPECT_TRUE(fit.refused());
    // Noise may lead the fit to where one term is nothing but noise, and the condition is low.
    if (sigma == 0) {
      EXPECT_GT(fit.certificate.condition, kMaxFitCondition);
    }
    EXPECT_TRUE(Says(fit.reasons, "D/N is about 20 in every row")) << Joined(fit.reasons);
  }
}

TEST(VerdictTest, TwoSizesAreRefused) {
  const Fit fit = FitNoisy(PlantedGrid(kHoffmann, {1e4, 1e5}, Ladder(1e6, 3, 5)));
  EXPECT_TRUE(fit.refused());
  EXPECT_EQ(fit.certificate.rank, 4);
  EXPECT_TRUE(Says(fit.reasons, "N takes 2 values (10k and 100k): E, A, alpha need 3 or more"));
}

TEST(VerdictTest, FewerRowsThanParametersAreRefused) {
  const Fit fit = FitNoisy(PlantedGrid(kHoffmann, {1e4, 1e5}, {1e6, 1e7}));
  EXPECT_TRUE(fit.refused());
  EXPECT_TRUE(Says(fit.reasons, "4 rows for the 5 parameters of chinchilla"));
  EXPECT_TRUE(std::isnan(fit.Find(Parameter::kAlpha)->value));
}

TEST(VerdictTest, AsManyRowsAsParametersAreRefused) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 10, 3), {1e6});
  rows.push_back(PlantedRow(kHoffmann, 1e4, 1e7));
  rows.push_back(PlantedRow(kHoffmann, 1e4, 1e8));
  EXPECT_TRUE(Says(FitNoisy(rows).reasons, "5 rows for 5 parameters leave nothing"));
}

// The nine rows that DESIGN.md section 1 tells of: one D, each token seen 64 times.
TEST(VerdictTest, TheCourseStudyIsRefusedUnderEveryLaw) {
  const auto rows = ParseFitCsv(FixtureText("course_study.csv"), {"n", "d", "loss", "u", "", ""},
                                "course_study.csv");
  ASSERT_TRUE(rows.ok()) << MessageOf(rows.status());
  for (const Law law : {Law::kPowerN, Law::kPowerD, Law::kChinchilla}) {
    const Fit fit = FitLaw(*rows, QuickOptions(law)).value();
    EXPECT_TRUE(fit.refused()) << LawName(law);
    if (law == Law::kPowerD) continue;  // a single row on its one N
    EXPECT_TRUE(Says(fit.reasons, "9 of 9 rows repeat their data (D/U up to 64, above 4)"));
  }
  const Fit joint = FitLaw(*rows, QuickOptions()).value();
  EXPECT_TRUE(Says(joint.reasons, "D never varies: it is 64M in every row"));
  EXPECT_TRUE(Says(joint.reasons, "rank 3 of 5"));
  EXPECT_TRUE(Says(joint.repairs, "--allow-repeats"));
}

TEST(VerdictTest, AllowRepeatsFitsRowsSeenOften) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5));
  for (FitRow& row : rows) row.u = 1e6;
  FitOptions options = QuickOptions();
  EXPECT_TRUE(Says(FitLaw(rows, options)->reasons, "15 of 25 rows repeat"));
  EXPECT_TRUE(FitLaw(rows, options)->refused());
  options.allow_repeats = true;
  EXPECT_FALSE(FitLaw(rows, options)->refused());
}

TEST(VerdictTest, LossThatRisesWithNHasNoAlpha) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 5), Ladder(1e6, 3, 5));
  for (FitRow& row : rows) row.loss = 2 + 0.05 * std::log(row.n) + 40 * std::pow(row.d, -0.3);
  const Fit fit = FitNoisy(rows);
  EXPECT_TRUE(fit.refused());
  EXPECT_TRUE(Says(fit.reasons, "A is 0, its bound: loss does not fall with N"));
}

TEST(VerdictTest, NoiseAloneMakesAnExponentWeakThenLost) {
  const std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e5, 2, 4), Ladder(1e6, 2, 4));
  EXPECT_EQ(FitNoisy(rows, Law::kChinchilla, 0.0003).verdict, Identification::kIdentified);
  EXPECT_EQ(FitNoisy(rows, Law::kChinchilla, 0.016).verdict, Identification::kWeak);
  const Fit lost = FitNoisy(rows, Law::kChinchilla, 0.05);
  EXPECT_TRUE(lost.refused());
  EXPECT_FALSE(lost.reasons.empty());
  EXPECT_FALSE(lost.repairs.empty());
}

// The verdict is DESIGN.md's table, read off the numbers of each parameter.
TEST(VerdictTest, StatusFollowsFromRelativeErrorIntervalAndCondition) {
  for (const double sigma : {0.001, 0.003, 0.01, 0.03}) {
    const Fit fit = FitNoisy(PlantedGrid(kHoffmann, Ladder(1e4, 3, 4), Ladder(1e6, 3, 4)),
                             Law::kChinchilla, sigma);
    for (const ParameterEstimate& parameter : fit.params) {
      const Estimate& estimate = parameter.estimate;
      const double relative = estimate.se / estimate.value;
      const bool identified = fit.certificate.condition < 300 && estimate.ci95.low > 0 &&
                              relative <= 0.35 && fit.certificate.rank == 5;
      const Identification expected = identified        ? Identification::kIdentified
                                      : relative <= 1.0 ? Identification::kWeak
                                                        : Identification::kNotIdentified;
      EXPECT_EQ(estimate.status, expected) << ParameterName(parameter.parameter) << " " << sigma;
    }
  }
}

TEST(VerdictTest, PowerNUsesTheDWithMostSizesAndSaysSo) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 6), {1e7});
  for (const FitRow& row : PlantedGrid(kHoffmann, {1e4, 1e5}, {1e8})) rows.push_back(row);
  const Fit fit = FitLaw(rows, QuickOptions(Law::kPowerN)).value();
  EXPECT_EQ(fit.n_points, 6);
  EXPECT_TRUE(Says(fit.warnings, "fitted on the 6 of 8 rows at D = 10M"));
}

// Adds the runs that a repair names: pairs "N = 10k at D = 1.5M".
std::vector<FitRow> RunsNamedIn(const std::string& repair) {
  const auto amount = [&](std::size_t at) {
    std::size_t used = 0;
    const double value = std::stod(repair.substr(at), &used);
    const char letter = repair[at + used];
    return value * (letter == 'k' ? 1e3 : letter == 'M' ? 1e6 : letter == 'B' ? 1e9 : 1);
  };
  std::vector<FitRow> runs;
  for (std::size_t at = repair.find("N = "); at != std::string::npos;
       at = repair.find("N = ", at + 1)) {
    runs.push_back(PlantedRow(kHoffmann, amount(at + 4), amount(repair.find("D = ", at) + 4)));
  }
  return runs;
}

TEST(VerdictTest, TheRepairIsEnough) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 9), {1e6});
  for (FitRow& row : rows) row.u = 1e6;
  const Fit fit = FitNoisy(rows);
  ASSERT_TRUE(fit.repairs.front().starts_with("add ")) << fit.repairs.front();
  for (FitRow run : RunsNamedIn(fit.repairs.front())) {
    EXPECT_LE(run.d, 4e6 * 1.001) << "a repair never repeats its data";
    run.u = 1e6;
    rows.push_back(run);
  }
  const Fit repaired = FitNoisy(rows, Law::kChinchilla, 0.0005);
  EXPECT_EQ(repaired.certificate.rank, 5);
  EXPECT_LT(repaired.certificate.condition, kMaxFitCondition);
  EXPECT_FALSE(repaired.refused()) << Joined(repaired.reasons);
}

TEST(VerdictTest, BadRowsAreNamed) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 3), Ladder(1e6, 3, 3));
  rows[4].run_key = "runs.csv:6";
  rows[4].loss = std::numeric_limits<double>::quiet_NaN();
  const absl::Status status = FitLaw(rows, QuickOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(MessageOf(status).find("runs.csv:6: loss is nan"), std::string::npos);
  EXPECT_FALSE(FitLaw({}, QuickOptions()).ok());
}

TEST(VerdictTest, TheSameRunTwiceIsRefused) {
  std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 3), Ladder(1e6, 3, 3));
  rows[0].run_key = rows[5].run_key = std::string(64, 'a');
  EXPECT_NE(
      MessageOf(FitLaw(rows, QuickOptions()).status()).find("run aaaaaaaaaaaa is there twice"),
      std::string::npos);
}

TEST(VerdictTest, OptionsThatMakeNoSenseAreRefused) {
  const std::vector<FitRow> rows = PlantedGrid(kHoffmann, Ladder(1e4, 3, 3), Ladder(1e6, 3, 3));
  FitOptions options = QuickOptions(Law::kPowerN);
  options.fixed = {{Parameter::kBeta, 0.3}};
  EXPECT_FALSE(FitLaw(rows, options).ok());
  options = QuickOptions();
  options.delta = 0;
  EXPECT_FALSE(FitLaw(rows, options).ok());
  options = QuickOptions();
  options.bootstrap = -1;
  EXPECT_FALSE(FitLaw(rows, options).ok());
  for (const char* text : {"alpha", "gamma=1", "alpha=", "alpha=0.3x", "alpha=-1", "E=nan"}) {
    EXPECT_FALSE(ParseFixedParameter(text).ok()) << text;
  }
}

}  // namespace
}  // namespace etude
