#include "lib/scaling/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lib/base/status.h"
#include "tests/unit/scaling/builders.h"

namespace etude {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr const char* kGrid = "lstm = [\"1x24\"]\ntokens = [\"300k\"]\n";

// Line 3 is [train], 4 the first line of `train`.
ParseResult Check(const std::string& train, const std::string& grid = kGrid,
                  const std::string& tail = "") {
  return CheckSweepSpec(SpecText(grid, train, tail), "s.toml");
}

// Expects one error at `line`:`column` whose message contains `what`.
void ExpectError(const ParseResult& result, int line, int column, const std::string& what) {
  ASSERT_THAT(result.errors, SizeIs(1))
      << (result.errors.size() < 2 ? "" : result.errors[1].Text());
  EXPECT_FALSE(result.spec);
  EXPECT_EQ(result.errors[0].at, (SourcePosition{line, column})) << result.errors[0].Text();
  EXPECT_THAT(result.errors[0].message, HasSubstr(what));
}

TEST(SpecTest, DefaultsAreThoseOfTheDesign) {
  const SweepSpec spec = Check("").spec.value();
  const TrainSettings& train = spec.grids[0].lstm;
  EXPECT_EQ(train.context, 64);
  EXPECT_EQ(train.stride, std::nullopt);
  EXPECT_EQ(train.batch, 8);
  EXPECT_EQ(train.optimizer, OptimizerConfig());
  EXPECT_EQ(train.schedule.kind, ScheduleKind::kWsd);
  EXPECT_EQ(train.warmup, (Warmup{Warmup::Unit::kSteps, 64}));
  EXPECT_FALSE(train.repeat);
  EXPECT_EQ(train.threads, 1);
  EXPECT_EQ(train.lr.c, 1.9e-2);
  EXPECT_EQ(spec.grids[0].seeds, std::vector<std::uint64_t>{1});
  EXPECT_EQ(spec.eval.curve_points, 12);
  EXPECT_EQ(spec.limits.max_runs, 500);
}

TEST(SpecTest, TheGridOverridesTheFamilyAndTheFamilyTheTrainTable) {
  const std::string tail = "[lstm]\nbatch = 4\ndropout = 0.2\n";
  const SweepSpec spec =
      Check("batch = 2\nstride = 32\ndropout = 0.1\n",
            std::string(kGrid) + "transformer = [\"2x16x2\"]\ndropout = 0.3\n", tail)
          .spec.value();
  EXPECT_EQ(spec.grids[0].lstm.batch, 4);
  EXPECT_EQ(spec.grids[0].transformer.batch, 2);
  EXPECT_EQ(spec.grids[0].lstm.dropout, 0.3);
  EXPECT_EQ(spec.grids[0].lstm.stride, 32);
}

TEST(SpecTest, AnOverrideOfAnInlineTableKeepsItsOtherKeys) {
  const SweepSpec spec =
      Check("schedule = { name = \"wsd\", warmup = \"2k tokens\", cooldown = 0.3 }\n",
            std::string(kGrid) + "schedule = { cooldown = 0.1 }\n")
          .spec.value();
  EXPECT_EQ(spec.grids[0].lstm.schedule.cooldown, 0.1);
  EXPECT_EQ(spec.grids[0].lstm.warmup, (Warmup{Warmup::Unit::kTokens, 2000}));
}

TEST(SpecTest, AnErrorShowsItsLineWithACaretUnderTheColumn) {
  const ParseResult result = Check("bacth = 8\n");
  ASSERT_THAT(result.errors, SizeIs(1));
  EXPECT_EQ(result.errors[0].Text(),
            "s.toml:4:1: unknown key \"bacth\" in [train]; did you mean \"batch\"?\n"
            "  bacth = 8\n"
            "  ^");
}

TEST(SpecTest, AnUnknownKeyFarFromAllIsAnsweredWithTheKnownOnes) {
  ExpectError(Check("  warp_speed = 8\n"), 4, 3, "it may have: context, stride, batch");
  ExpectError(Check("optimizer = { beta = 0.9 }\n"), 4, 15, "did you mean \"betas\"?");
  ExpectError(Check("", kGrid, "[evals]\n"), 7, 2, "did you mean \"eval\"?");
}

TEST(SpecTest, ADuplicateKeyIsRefusedBesideOtherErrors) {
  const ParseResult result = Check("batch = 8\n  batch = 4\nstride = 0\n");
  ASSERT_THAT(result.errors, SizeIs(2));
  EXPECT_EQ(result.errors[0].at, (SourcePosition{5, 3}));
  EXPECT_THAT(result.errors[0].message, HasSubstr("duplicate key"));
  EXPECT_EQ(result.errors[1].at, (SourcePosition{6, 10}));
}

TEST(SpecTest, WrongTypesAreRefused) {
  ExpectError(Check("batch = \"8\"\n"), 4, 9, "batch is a string, but must be a whole number");
  ExpectError(Check("batch = 8.5\n"), 4, 9, "a number with a fraction");
  ExpectError(Check("repeat = 1\n"), 4, 10, "must be true or false");
  ExpectError(Check("optimizer = \"adamw\"\n"), 4, 13, "must be a table");
  ExpectError(Check("", "lstm = \"1x24\"\ntokens = [\"1k\"]\n"), 5, 8, "must be a list");
  ExpectError(Check("", "lstm = [24]\ntokens = [\"1k\"]\n"), 5, 9, "such as \"1x24\"");
  ExpectError(Check("", "lstm = [\"1x24\"]\ntokens = [true]\n"), 6, 11, "must be a number");
  ExpectError(Check("threads = \"many\"\n"), 4, 11, "a whole number or \"auto\"");
}

TEST(SpecTest, ValuesOutOfRangeAreRefused) {
  ExpectError(Check("batch = 0\n"), 4, 9, "must be from 1 to");
  ExpectError(Check("dropout = 1.5\n"), 4, 11, "from 0 to 0.95");
  ExpectError(Check("lr = 0.0\n"), 4, 6, "above 0");
  ExpectError(Check("lr = -1\n"), 4, 6, "above 0");
  ExpectError(Check("stride = 65\n"), 4, 10, "above the context of 64");
  ExpectError(Check("optimizer = { betas = [0.9, 1.0] }\n"), 4, 23, "below 1");
  ExpectError(Check("", std::string(kGrid) + "seeds = [-1]\n"), 7, 10, "a seed must be");
  ExpectError(Check("", kGrid, "[limits]\nmax_runs = 100000\n"), 8, 12, "from 1 to 10000");
}

TEST(SpecTest, InfinityAndNanAreRefused) {
  ExpectError(Check("dropout = nan\n"), 4, 11, "dropout is nan");
  ExpectError(Check("lr = inf\n"), 4, 6, "lr is inf");
  ExpectError(Check("lr = { c = nan }\n"), 4, 12, "c is nan");
  ExpectError(Check("", "lstm = [\"1x24\"]\nflops = [inf]\n"), 6, 10, "flops is inf");
}

TEST(SpecTest, AnEmptyGridIsRefused) {
  ExpectError(Check("", "tokens = [\"1k\"]\n"), 4, 1, "[[grid]] is empty");
  ExpectError(Check("", "lstm = []\ntokens = [\"1k\"]\n"), 5, 8, "lstm is empty");
  ExpectError(Check("", "lstm = [\"1x24\"]\ntokens = []\n"), 6, 10, "tokens is empty");
  ExpectError(Check("", std::string(kGrid) + "seeds = []\n"), 7, 9, "seeds is empty");
  ExpectError(CheckSweepSpec("name = \"t\"\ncorpus = \"c\"\n", "s.toml"), 1, 1, "lacks a [[grid]]");
}

TEST(SpecTest, HeadsMustDivideTheWidth) {
  ExpectError(Check("", "transformer = [\"2x16x2\", \"2x30x4\"]\ntokens = [\"1k\"]\n"), 5, 26,
              "4 heads do not divide width 30");
  ExpectError(Check("", "lstm = [\"huge\"]\ntokens = [\"1k\"]\n"), 5, 9,
              "tiny, small, medium, large");
}

TEST(SpecTest, ExactlyOneAmountOfDataIsGiven) {
  ExpectError(Check("", "lstm = [\"1x24\"]\n"), 4, 1, "exactly one of tokens, epochs");
  ExpectError(Check("", std::string(kGrid) + "epochs = [1]\n"), 7, 10, "epochs beside tokens");
}

TEST(SpecTest, AmountsAreReadInEveryForm) {
  const SweepSpec spec =
      Check("", "lstm = [\"1x24\"]\nflops = [\"1e12 FLOP\", 3e12, 5000000]\n").spec.value();
  ASSERT_THAT(spec.grids[0].amounts, SizeIs(3));
  EXPECT_EQ(spec.grids[0].kind, AmountKind::kFlops);
  EXPECT_DOUBLE_EQ(spec.grids[0].amounts[0].value, 1e12);
  EXPECT_DOUBLE_EQ(spec.grids[0].amounts[1].value, 3e12);
  EXPECT_DOUBLE_EQ(spec.grids[0].amounts[2].value, 5e6);
  ExpectError(Check("", "lstm = [\"1x24\"]\ntokens = [\"300q\"]\n"), 6, 11, "is no quantity");
  ExpectError(Check("", "lstm = [\"1x24\"]\ntokens = [\"3 steps\"]\n"), 6, 11,
              "the unit is tokens");
}

TEST(SpecTest, WarmupNeedsAUnitOrIsAFraction) {
  const auto warmup = [](const std::string& value) {
    return Check("schedule = { warmup = " + value + " }\n");
  };
  EXPECT_EQ(warmup("0.02").spec->grids[0].lstm.warmup, (Warmup{Warmup::Unit::kFraction, 0.02}));
  EXPECT_EQ(warmup("32").spec->grids[0].lstm.warmup, (Warmup{Warmup::Unit::kSteps, 32}));
  ExpectError(warmup("\"64\""), 4, 23, "\"64 steps\"");
  ExpectError(warmup("1.5"), 4, 23, "fraction of the steps");
}

TEST(SpecTest, ChoicesListWhatIsAllowed) {
  ExpectError(Check("init = \"widht\"\n"), 4, 8, "did you mean \"width\"?");
  ExpectError(Check("kernels = \"fast\"\n"), 4, 11, "one of \"fused\", \"reference\"");
  ExpectError(Check("schedule = { name = \"cosine\", cooldown = 0.2 }\n"), 4, 42, "belongs to");
}

TEST(SpecTest, HoldoutsAreGridsOfTheirOwn) {
  const ParseResult result =
      Check("", kGrid, "[[holdout]]\nlstm = [\"1x64\"]\ntokens = [\"200k\"]\n");
  ASSERT_TRUE(result.spec) << result.errors.front().Text();
  ASSERT_EQ(result.spec->grids.size(), 2U);
  EXPECT_FALSE(result.spec->grids[0].held_out);
  EXPECT_TRUE(result.spec->grids[1].held_out);
  EXPECT_EQ(result.spec->grids[1].seeds, std::vector<std::uint64_t>{1});
  ExpectError(Check("", kGrid, "[[holdout]]\nlstm = [\"1x64\"]\n"), 7, 1,
              "this [[holdout]] lacks its amount of data");
}

TEST(SpecTest, WhatIsNotYetInThisVersionSaysSo) {
  ExpectError(Check("", kGrid, "[samples]\nn = 10\n"), 7, 1, "not yet in this version");
  ExpectError(Check("", kGrid, "[design]\nbudget = \"1e15\"\n"), 7, 1, "not yet in this version");
  ExpectError(Check("lr = [1e-3, 3e-3]\n"), 4, 6, "not yet in this version");
}

TEST(SpecTest, NameAndCorpusAreRequiredAndChecked) {
  const std::string grid = "[[grid]]\n" + std::string(kGrid);
  const ParseResult result = CheckSweepSpec(grid, "s.toml");
  ASSERT_THAT(result.errors, SizeIs(2));
  EXPECT_THAT(result.errors[0].message, HasSubstr("lacks a name"));
  EXPECT_THAT(result.errors[1].message, HasSubstr("lacks a corpus"));
  ExpectError(CheckSweepSpec("name = \"a b\"\ncorpus = \"c\"\n" + grid, "s.toml"), 1, 8, "A-Z a-z");
}

TEST(SpecTest, SyntaxErrorsAreReportedTogetherAndAlone) {
  const ParseResult result = Check("batch = \nstride == 3\nwarp = 1\n");
  ASSERT_THAT(result.errors, SizeIs(2));
  EXPECT_EQ(result.errors[0].at.line, 4);
  EXPECT_EQ(result.errors[1].at.line, 5);
  EXPECT_THAT(result.errors[0].message, HasSubstr("not TOML"));
}

TEST(SpecTest, AtMostTwentyErrorsInTheOrderOfTheFile) {
  std::string train;
  for (int i = 0; i < 40; ++i) train += "nonsense_" + std::to_string(i) + " = 1\n";
  const ParseResult result = Check(train);
  ASSERT_THAT(result.errors, SizeIs(20));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(result.errors[i].at.line, 4 + i);
}

TEST(SpecTest, TheStatusCarriesEveryErrorAndTheNextCommand) {
  const auto spec = ParseSweepSpec(SpecText(kGrid, "batch = 0\nstride = 0\n"), "s.toml");
  ASSERT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message = MessageOf(spec.status());
  EXPECT_THAT(message, HasSubstr("s.toml:4:9: batch"));
  EXPECT_THAT(message, HasSubstr("s.toml:5:10: stride"));
  EXPECT_THAT(message, HasSubstr("2 errors; nothing was submitted"));
  EXPECT_THAT(message, HasSubstr("etude plan s.toml"));
}

TEST(SpecTest, UnprintableBytesDoNotReachTheMessage) {
  const ParseResult escape = Check("\"\\u001b[31m\" = 1\n");
  ASSERT_THAT(escape.errors, SizeIs(1));
  EXPECT_THAT(escape.errors[0].Text(), Not(HasSubstr("\x1b")));
  const ParseResult bytes = CheckSweepSpec("name = \"\xff\"\n", "s.toml");
  ASSERT_THAT(bytes.errors, Not(SizeIs(0)));
  EXPECT_EQ(bytes.errors[0].source_line, "name = \"?\"");
}

TEST(SpecTest, ALongLineIsCutToAWindowAroundTheCaret) {
  const ParseResult result = Check("optimizer = {" + std::string(500, ' ') + "beta = 1 }\n");
  ASSERT_THAT(result.errors, SizeIs(1));
  const SpecDiagnostic& error = result.errors[0];
  EXPECT_LE(error.source_line.size(), 100U);
  EXPECT_EQ(error.source_line.substr(static_cast<std::size_t>(error.caret), 4), "beta");
}

TEST(SpecTest, SizeAndNestingAreLimited) {
  ExpectError(CheckSweepSpec(std::string(kMaxSpecBytes + 1, '#'), "s.toml"), 1, 1, "more than");
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  ExpectError(CheckSweepSpec(deep + " = 1\n", "s.toml"), 1, 1, "more than 16 dots");
  ExpectError(CheckSweepSpec("a = 1\n[\"=\"." + deep + "]\n", "s.toml"), 2, 1, "more than 16 dots");
  ExpectError(CheckSweepSpec("a = '''\n'''\n", "s.toml"), 1, 1, "three quotes");
  EXPECT_FALSE(CheckSweepSpec("a = " + std::string(100'000, '['), "s.toml").spec);
}

}  // namespace
}  // namespace etude
