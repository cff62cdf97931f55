#include "client/plan_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace etude {
namespace {

using testing::Contains;
using testing::HasSubstr;

Plan MakePlan(const std::string& shapes, const std::string& tokens) {
  const auto spec = ParseSweepSpec("name = \"x\"\ncorpus = \"folk\"\n[[grid]]\ntransformer = [" +
                                       shapes + "]\ntokens = [" + tokens + "]\n",
                                   "x.toml");
  EXPECT_TRUE(spec.ok()) << spec.status();
  const auto plan = PlanSweep(*spec, AssumedCorpus(37, 10'000'000), PlanOptions());
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.value_or(Plan());
}

std::string CellAt(const Report& report, std::size_t row, const std::string& key) {
  for (std::size_t i = 0; i < report.list->columns.size(); ++i) {
    if (report.list->columns[i].key == key) return CsvCell(report.list->rows[row][i]);
  }
  return "no column " + key;
}

TEST(PlanReportTest, ShowsCountsAndBothDs) {
  const Report report = PlanReport(MakePlan("\"tiny\"", "\"1M\""));
  ASSERT_EQ(report.list->rows.size(), 1U);
  EXPECT_EQ(CellAt(report, 0, "n_all"), "801664");
  EXPECT_EQ(CellAt(report, 0, "asked"), "1M tokens");
  EXPECT_EQ(CellAt(report, 0, "tokens"), "999936");  // 1953 steps of 8 x 64
  EXPECT_EQ(CellAt(report, 0, "steps"), "1953");
}

TEST(PlanReportTest, EqualWarningsAreSaidOnce) {
  const Plan plan = MakePlan("\"tiny\", \"small\"", "\"100k\"");
  const std::vector<std::string> notes = PlanNotes(plan);
  EXPECT_THAT(notes, Contains(HasSubstr("few_steps (2 of 2 runs)")));
}

TEST(PlanReportTest, AGridWithOneDIsNotIdentifiable) {
  EXPECT_THAT(UnidentifiableText(MakePlan("\"2x16x2\", \"2x32x2\", \"2x64x4\"", "\"1M\"")),
              HasSubstr("the transformer grid cannot identify"));
}

TEST(PlanReportTest, ACrossedGridIsIdentifiable) {
  EXPECT_EQ(UnidentifiableText(
                MakePlan("\"2x16x2\", \"2x32x2\", \"2x64x4\"", "\"300k\", \"900k\", \"2.7M\"")),
            "");
}

}  // namespace
}  // namespace etude
