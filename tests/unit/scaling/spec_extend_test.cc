#include "lib/scaling/spec_extend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lib/scaling/plan.h"
#include "tests/unit/scaling/builders.h"

namespace etude {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr char kSpec[] = R"(# a study
name = "first"   # its name
corpus = "folk"
[train]
repeat = true
[[grid]]
lstm   = ["1x24", "1x48"]
tokens = ["100k", "200k"]
seeds  = [1]
[[grid]]
transformer = ["2x16x2"]
epochs = [0.5]
lr = 3e-3
)";

Plan PlanOf(const std::string& toml) {
  const auto spec = ParseSweepSpec(toml, "s.toml");
  EXPECT_TRUE(spec.ok()) << spec.status();
  const auto plan = PlanSweep(*spec, MakeCorpus(), PlanOptions());
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

std::set<RunKey> KeysOf(const Plan& plan) {
  std::set<RunKey> keys;
  for (const PlannedRun& run : plan.runs) keys.insert(run.key);
  return keys;
}

TEST(SpecExtendTest, TheOldRunsStayAndTheNewOnesAreAsAsked) {
  const Plan before = PlanOf(kSpec);
  const auto text = ExtendSpec(kSpec, {.name = "more", .tokens = {"400k"}, .seeds = {1, 2}});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, StartsWith("# a study\nname = 'more'   # its name\n"));
  const Plan after = PlanOf(*text);
  EXPECT_EQ(after.name, "more");
  const std::set<RunKey> keys = KeysOf(after);
  for (const RunKey& key : KeysOf(before)) EXPECT_TRUE(keys.contains(key));
  EXPECT_THAT(after.runs, SizeIs(5 + 6));  // three shapes, one D, two seeds
  for (std::size_t i = 5; i < after.runs.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(after.runs[i].config.tokens()), 400e3, 300);
  }
}

TEST(SpecExtendTest, NewShapesTakeTheRestFromTheirFamilysFirstGrid) {
  const auto text = ExtendSpec(kSpec, {.name = "wide", .transformer = {"2x32x2", "2x64x2"}});
  ASSERT_TRUE(text.ok()) << text.status();
  const Plan plan = PlanOf(*text);
  ASSERT_THAT(plan.runs, SizeIs(5 + 2));
  EXPECT_EQ(plan.runs[6].config.lr, 3e-3);
  EXPECT_EQ(plan.runs[6].config.steps, plan.runs[4].config.steps);
}

TEST(SpecExtendTest, WhatCannotBeExtendedSaysWhy) {
  EXPECT_THAT(ExtendSpec(kSpec, {.name = "n"}).status().ToString(), HasSubstr("--tokens"));
  EXPECT_THAT(ExtendSpec("name = 'x'\n", {.name = "n", .seeds = {2}}).status().ToString(),
              HasSubstr("no [[grid]]"));
  const std::string one = "name = 'x'\n[[grid]]\nlstm = ['1x24']\ntokens = ['1M']\n";
  EXPECT_THAT(ExtendSpec(one, {.name = "n", .transformer = {"1x8x1"}}).status().ToString(),
              HasSubstr("no [[grid]] with transformer"));
}

}  // namespace
}  // namespace etude
