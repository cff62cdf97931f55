#include "lib/scaling/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "tests/unit/scaling/builders.h"

namespace etude {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

absl::StatusOr<Plan> TryPlan(const std::string& toml, const Corpus& corpus = MakeCorpus(),
                             const PlanOptions& options = {}) {
  auto spec = ParseSweepSpec(toml, "s.toml");
  if (!spec.ok()) return spec.status();
  return PlanSweep(*spec, corpus, options);
}

Plan MakePlan(const std::string& toml, const Corpus& corpus = MakeCorpus(),
              const PlanOptions& options = {}) {
  auto plan = TryPlan(toml, corpus, options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

std::vector<std::string> CodesOf(const std::vector<PlanWarning>& warnings) {
  std::vector<std::string> codes;
  for (const PlanWarning& warning : warnings) codes.push_back(warning.code);
  return codes;
}

constexpr const char* kGrid = "lstm = [\"1x24\"]\ntokens = [\"300k\"]\n";

TEST(PlanTest, RunsAreInTheOrderOfTheSpecAndEqualOnesOnce) {
  const Plan plan = MakePlan(
      SpecText("lstm = [\"1x48\", \"1x24\"]\ntokens = [\"300k\", \"100k\"]\nseeds = [2, 1]\n", "",
               "[[grid]]\nlstm = [\"1x24\"]\ntokens = [\"100k\", \"200k\"]\nseeds = [1]\n"));
  ASSERT_THAT(plan.runs, SizeIs(9));  // 8 and one new of two
  EXPECT_EQ(ShapeText(plan.runs[0].config.model), "1x48");
  EXPECT_EQ(plan.runs[0].config.seed, 2U);
  EXPECT_EQ(plan.runs[1].config.seed, 1U);
  EXPECT_LT(plan.runs[2].config.steps, plan.runs[0].config.steps);
  EXPECT_EQ(plan.runs[8].asked, "200k tokens");
  EXPECT_EQ(plan.runs[8].grid_at.line, 8);
  std::set<RunKey> keys;
  for (const PlannedRun& run : plan.runs) keys.insert(run.key);
  EXPECT_THAT(keys, SizeIs(9));
}

constexpr const char* kHoldout = "[[holdout]]\nlstm = [\"1x96\"]\ntokens = [\"300k\"]\n";

TEST(PlanTest, HeldOutRunsAreCostedAndLeftOutOfTheDesign) {
  const Plan plain = MakePlan(SpecText(kGrid));
  const Plan plan = MakePlan(SpecText(kGrid, "", kHoldout));
  ASSERT_THAT(plan.runs, SizeIs(2));
  EXPECT_FALSE(plan.runs[0].held_out);
  EXPECT_TRUE(plan.runs[1].held_out);
  EXPECT_EQ(plan.designs[0].sizes, 1);
  EXPECT_GT(plan.totals.worker_s, plain.totals.worker_s);
  const Plan two_workers =
      MakePlan(SpecText(kGrid, "", kHoldout), MakeCorpus(), {.workers = 2, .measured = {}});
  EXPECT_DOUBLE_EQ(two_workers.totals.eta_s, plan.totals.worker_s) << "they wait for the others";
  EXPECT_NE(plan.id, plain.id);
  EXPECT_EQ(plan.resolved_json.find("held_out") != std::string::npos, true);
  EXPECT_EQ(plain.resolved_json.find("held_out"), std::string::npos);
}

TEST(PlanTest, ARunIsNotBothFittedAndHeldOut) {
  const std::string both = "[[holdout]]\nlstm = [\"1x24\"]\ntokens = [\"300k\"]\n";
  const auto plan = TryPlan(SpecText(kGrid, "", both));
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(plan.status()),
              HasSubstr("1x24 at 300k tokens, seed 1, is in a [[grid]] too"));
}

TEST(PlanTest, TokensAreRoundedToTheNearestWholeStep) {
  const PlannedRun run = MakePlan(SpecText(kGrid)).runs[0];
  EXPECT_EQ(run.config.steps, 586);  // 300,000 / 512 = 585.9
  EXPECT_EQ(run.config.tokens(), 300'032);
  EXPECT_EQ(run.asked_tokens, 300'000);
}

TEST(PlanTest, AskingForExactlyUNeedsNoRepetition) {
  const Plan plan = MakePlan(SpecText(kGrid), MakeCorpus(300'000));
  EXPECT_EQ(plan.runs[0].config.steps, 585);
}

TEST(PlanTest, AmountsOfEveryKindBecomeTokens) {
  const auto tokens = [](const std::string& amount) {
    return MakePlan(SpecText("lstm = [\"1x24\"]\n" + amount, "repeat = true\n")).runs[0];
  };
  EXPECT_EQ(tokens("epochs = [0.5]\n").asked_tokens, 500'000);
  const double n = 8 * 24 * 24 + 8 * 24 + 37 * 24;
  EXPECT_EQ(tokens("tokens_per_param = [20]\n").asked_tokens, 20 * n);
  const double per_token = 3.0 * (2 * 8 * 24 * 24 + 2 * 37 * 24);
  EXPECT_DOUBLE_EQ(tokens("flops = [\"1e10\"]\n").asked_tokens, 1e10 / per_token);
}

TEST(PlanTest, EveryDefaultIsExplicitInTheRun) {
  const RunConfig config = MakePlan(SpecText("transformer = [\"2x32x2\", \"tiny\"]\n"
                                             "tokens = [\"512k\"]\n"))
                               .runs[0]
                               .config;
  EXPECT_EQ(config.model.vocab, 37);
  EXPECT_EQ(config.model.init, Init::kWidth);
  EXPECT_EQ(config.stride, 64);
  EXPECT_EQ(config.unique_tokens, 1'000'000);
  EXPECT_EQ(config.schedule.warmup_steps, 64);
  // 4.4e-3 (N / 1e5)^-0.45 at N = 2 (12 32^2 + 4 32) + 2 32 + 37 32 = 26,080.
  EXPECT_DOUBLE_EQ(config.lr, 8.05590e-3);
}

TEST(PlanTest, NamedShapesStartFromGpt2) {
  const Plan plan =
      MakePlan(SpecText("transformer = [\"4x128x4\", \"4x128x8\"]\ntokens = [\"9k\"]\n"));
  EXPECT_EQ(plan.runs[0].config.model.init, Init::kGpt2);
  EXPECT_EQ(plan.runs[1].config.model.init, Init::kWidth);
}

TEST(PlanTest, TheIdIgnoresTheNameAndNotTheSeeds) {
  const std::string text = SpecText(kGrid);
  std::string renamed = text;
  renamed.replace(renamed.find("\"t\""), 3, "\"u\"");
  EXPECT_EQ(MakePlan(text).id, MakePlan(renamed).id);
  EXPECT_NE(MakePlan(text).id, MakePlan(text + "seeds = [2]\n").id);
  EXPECT_EQ(MakePlan(text).id, MakePlan(text + "seeds = [1]\n").id);
  EXPECT_EQ(MakePlan(text).id.text(), Sha256Hex(MakePlan(text).resolved_json));
  EXPECT_TRUE(nlohmann::json::accept(MakePlan(text).resolved_json));
}

TEST(PlanTest, TheRunKeyIgnoresEvaluationAndTheSweepIdDoesNot) {
  const Plan a = MakePlan(SpecText(kGrid));
  const Plan b = MakePlan(SpecText(kGrid, "", "[eval]\ncurve = { points = 3, tokens = \"1k\" }\n"));
  EXPECT_EQ(a.runs[0].key, b.runs[0].key);
  EXPECT_NE(a.id, b.id);
}

TEST(PlanTest, MoreThanUMustBeAskedFor) {
  const auto plan = TryPlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"100k\", \"2.7M\"]\n"));
  ASSERT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(plan.status()),
              HasSubstr("s.toml:6:19: 2.7M tokens is 2.7 epochs of 1000000 unique tokens: set "
                        "repeat = true in the [[grid]] of line 4 (or in [train]), or lower tokens "
                        "to 1000000"));
  EXPECT_TRUE(TryPlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"2.7M\"]\nrepeat = true\n")).ok());
}

TEST(PlanTest, EachComplaintIsMadeOnceAndHandedOverAsAList) {
  const SweepSpec spec =
      ParseSweepSpec(SpecText("lstm = [\"1x24\", \"1x48\"]\ntokens = [\"2M\", \"3M\"]\n"), "s.toml")
          .value();
  std::vector<SpecDiagnostic> errors;
  EXPECT_FALSE(PlanSweep(spec, MakeCorpus(), {}, &errors).ok());
  ASSERT_THAT(errors, SizeIs(2));
  EXPECT_EQ(errors[0].at, (SourcePosition{6, 11}));
  EXPECT_EQ(errors[1].at, (SourcePosition{6, 17}));
}

TEST(PlanTest, TheCorpusMustHoldUAndTheContext) {
  const auto large = TryPlan(SpecText(kGrid, "unique = \"2M\"\n"));
  EXPECT_EQ(large.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(large.status()), HasSubstr("s.toml:4:10: unique is 2000000 tokens"));
  const auto wide = TryPlan(SpecText(kGrid, "context = 128\n"), MakeCorpus(1'000'000, 128));
  EXPECT_EQ(wide.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(wide.status()), HasSubstr("s.toml:4:11: context 128 needs 129 tokens"));
  EXPECT_TRUE(TryPlan(SpecText(kGrid, "context = 128\n"), MakeCorpus(1'000'000, 129)).ok());
}

TEST(PlanTest, MaxRunsIsEnforcedAfterMergingEqualRuns) {
  const std::string grid = "lstm = [\"1x24\"]\ntokens = [\"9k\", \"9k\"]\nseeds = [1, 2, 3]\n";
  EXPECT_TRUE(TryPlan(SpecText(grid, "", "[limits]\nmax_runs = 3\n")).ok());
  const auto plan = TryPlan(SpecText(grid, "", "[limits]\nmax_runs = 2\n"));
  ASSERT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(plan.status()), HasSubstr("s.toml:9:12: sweep t expands to more than 2"));
}

TEST(PlanTest, AHugeProductOfListsIsRefusedWithoutExpandingIt) {
  std::string seeds = "seeds = [0";
  std::string tokens = "tokens = [600";
  for (int i = 1; i < 1000; ++i) {
    seeds += "," + std::to_string(i);
    tokens += "," + std::to_string(600 + i);
  }
  const auto plan = TryPlan(SpecText("lstm = [\"1x24\"]\n" + seeds + "]\n" + tokens + "]\n"));
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(plan.status()), HasSubstr("1000000 combinations"));
}

TEST(PlanTest, CourseStudyIsCountedAsItRan) {
  const Plan plan =
      MakePlan(SpecText("transformer = [\"tiny\", \"small\", \"medium\", \"large\", \"xl\"]\n"
                        "lstm = [\"tiny\", \"small\", \"medium\", \"large\"]\ntokens = [\"64M\"]\n",
                        "unique = \"1M\"\nstride = 1\nbatch = 128\nrepeat = true\nlr = 3e-4\n"));
  ASSERT_THAT(plan.runs, SizeIs(9));
  EXPECT_NEAR(plan.totals.flops.six_nd, 4.8e16, 0.05e16);
  for (const PlannedRun& run : plan.runs) {
    EXPECT_NEAR(run.epochs, 64, 0.01);
    EXPECT_NEAR(static_cast<double>(run.config.tokens()), 64e6, 128 * 64 / 2);
    EXPECT_EQ(run.config.model.dropout, 0.1);
    EXPECT_THAT(CodesOf(run.warnings), ::testing::Contains("repeated_data"));
  }
  EXPECT_THAT(plan.designs[0].laws[2].reasons, ElementsAre("D never varies"));
}

TEST(PlanTest, WarningsNameFewStepsAndDearEvaluation) {
  const Plan plan = MakePlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"100k\"]\n"));
  EXPECT_THAT(CodesOf(plan.runs[0].warnings),
              ElementsAre("low_tokens_per_param", "evaluation_share", "few_steps", "long_warmup"));
  const Plan calm = MakePlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"900k\"]\n", "",
                                      "[eval]\ncurve = { points = 2, tokens = \"1k\" }\n"));
  EXPECT_THAT(calm.runs[0].warnings, SizeIs(0));
}

TEST(PlanTest, MeasuredRatesReplaceTheAssumedOnes) {
  PlanOptions options;
  options.measured = {{Family::kLstm, "1x24", 10'000}};
  const std::string tail = "[eval]\ncurve = { points = 1, tokens = 64 }\n";
  const Corpus corpus = MakeCorpus(1'000'000, 65);
  const Plan plan = MakePlan(SpecText(kGrid, "", tail), corpus, options);
  // 300,032 trained on, 64 (5 times) evaluated at a third of the cost.
  EXPECT_NEAR(plan.runs[0].eta_s, (300'032 + 5 * 64 / 3.0) / 10'000, 1e-9);
  EXPECT_FALSE(plan.runs[0].rate_assumed);
  EXPECT_TRUE(MakePlan(SpecText(kGrid, "", tail), corpus).runs[0].rate_assumed);
}

TEST(PlanTest, TheEtaGivesTheLongestRunsAwayFirst) {
  PlanOptions options;
  options.workers = 2;
  options.measured = {{Family::kLstm, "1x24", 10'000}};
  const Plan plan =
      MakePlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"100k\", \"200k\", \"300k\", \"400k\"]\n",
                        "schedule = { name = \"cosine\" }\n"),  // which shares no steps
               MakeCorpus(), options);
  const auto eta = [&](int i) { return plan.runs[static_cast<std::size_t>(i)].eta_s; };
  // 400 + 100 beside 300 + 200; in the order of the spec it would be 200 + 400.
  EXPECT_DOUBLE_EQ(plan.totals.eta_s, std::max(eta(0) + eta(3), eta(1) + eta(2)));
  EXPECT_DOUBLE_EQ(plan.totals.worker_s, eta(0) + eta(1) + eta(2) + eta(3));
}

TEST(PlanTest, TrunksSaveAllButTheCooldownOfShorterRuns) {
  const std::string grid = "lstm = [\"1x24\"]\ntokens = [\"102.4k\", \"512k\"]\n";
  const TrunkSharing sharing = MakePlan(SpecText(grid)).trunk_sharing;
  EXPECT_EQ(sharing.trunks, 1);
  EXPECT_THAT(sharing.forbidden_by, SizeIs(0));
  EXPECT_NEAR(sharing.saved_share, 0.8 * 102.4 / (102.4 + 512), 1e-12);
}

TEST(PlanTest, SharedStepsCountOnceInAll) {
  const std::string held_out = "[[holdout]]\nlstm = [\"1x24\"]\ntokens = [\"819.2k\"]\n";
  const Plan plan =
      MakePlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"102.4k\", \"512k\"]\n", "", held_out));
  ASSERT_THAT(plan.runs, SizeIs(3));
  EXPECT_EQ(plan.runs[0].shared_steps, 160);  // of 200; the longer one's first steps
  EXPECT_EQ(plan.runs[1].shared_steps, 0);
  EXPECT_EQ(plan.runs[2].shared_steps, 800);  // of 1600: all that the longest fitted one shares
  double flops = 0;
  double seconds = 0;
  for (const PlannedRun& run : plan.runs) {
    const double own = 1.0 - static_cast<double>(run.shared_steps) / run.config.steps;
    flops += own * run.flops.train_dense;
    seconds += own * run.eta_s;
  }
  EXPECT_DOUBLE_EQ(plan.totals.flops.train_dense, flops);
  EXPECT_DOUBLE_EQ(plan.totals.worker_s, seconds);
  // No run ends before its steps are trained one after the other, whoever trains them.
  PlanOptions many;
  many.workers = 64;
  const Plan wide = MakePlan(SpecText("lstm = [\"1x24\"]\ntokens = [\"102.4k\", \"512k\"]\n"),
                             MakeCorpus(), many);
  EXPECT_DOUBLE_EQ(wide.totals.eta_s, wide.runs[1].eta_s);
}

TEST(PlanTest, TrunksAreForbiddenByWhatDependsOnD) {
  const std::string grid = "lstm = [\"1x24\"]\ntokens = [\"100k\", \"500k\"]\n";
  const auto forbidden = [&](const std::string& train) {
    return MakePlan(SpecText(grid, train)).trunk_sharing.forbidden_by;
  };
  EXPECT_THAT(forbidden("schedule = { warmup = 0.1 }\n"), ElementsAre(HasSubstr("fractional")));
  EXPECT_THAT(forbidden("lr = { c = 1e-2, d = -0.1 }\n"), ElementsAre(HasSubstr("lr rule")));
  EXPECT_THAT(forbidden("schedule = { name = \"cosine\" }\n"), ElementsAre(HasSubstr("cosine")));
}

TEST(PlanTest, ASavedPlanCarriesItsSpecAndRefusesAnother) {
  const Plan plan = MakePlan(SpecText(kGrid));
  const SavedPlan saved = PlanFromJson(PlanToJson(plan)).value();
  EXPECT_EQ(saved.id, plan.id);
  EXPECT_EQ(saved.spec_toml, plan.spec_toml);
  EXPECT_TRUE(CheckSavedPlan(saved, MakePlan(saved.spec_toml)).ok());
  const Plan other_seeds = MakePlan(saved.spec_toml + "seeds = [7]\n");
  EXPECT_EQ(CheckSavedPlan(saved, other_seeds).code(), absl::StatusCode::kFailedPrecondition);
  Corpus rebuilt = MakeCorpus();
  rebuilt.id = CorpusId(Sha256Hex("rebuilt"));
  EXPECT_EQ(CheckSavedPlan(saved, MakePlan(saved.spec_toml, rebuilt)).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(PlanTest, ThePlansJsonHasUnitsAndAVersion) {
  const auto json = nlohmann::json::parse(PlanToJson(MakePlan(SpecText(kGrid))));
  EXPECT_EQ(json["format_version"], "1.0");
  EXPECT_EQ(json["runs"][0]["tokens"], 300'032);
  EXPECT_EQ(json["runs"][0]["config"]["steps"], 586);
  EXPECT_TRUE(json["totals"]["eta_s"].is_number());
  EXPECT_TRUE(json["design"][0]["laws"][2]["condition"].is_null());  // below full rank
  EXPECT_EQ(json["trunk_sharing"]["forbidden_by"], nlohmann::json::array());
}

TEST(PlanTest, WhatIsNoPlanIsRefused) {
  for (const char* text : {"", "[]", "{}", "{\"format_version\":\"2.0\"}", "{\"format_version\":1}",
                           "{\"format_version\":\"1.0\",\"sweep\":\"x\"}"}) {
    EXPECT_EQ(PlanFromJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_TRUE(IsSavedPlan(" \n{"));
  EXPECT_FALSE(IsSavedPlan("name = \"{\""));
}

TEST(PlanTest, AnAssumedCorpusPlansAndSubmitsNothing) {
  const Plan plan = MakePlan(SpecText(kGrid), AssumedCorpus(96, 1'000'000));
  EXPECT_EQ(plan.corpus.train_tokens, 1'000'000);
  EXPECT_EQ(plan.corpus.val_tokens, 10'000);
  EXPECT_THAT(CodesOf(plan.warnings), ::testing::Contains("assumed_corpus"));
  EXPECT_FALSE(PlanFromJson(PlanToJson(plan)).ok());
}

Plan PlanFile(const std::string& name, const Corpus& corpus) {
  return MakePlan(ReadFile("configs/sweeps/" + name).value(), corpus);
}

// DESIGN.md section 6 states the counts.
TEST(PlanTest, TheCourseStudyHasItsNineSizesAndIsNotIdentifiable) {
  const Plan plan = PlanFile("course-study.toml", AssumedCorpus(37, 1'000'000));
  std::vector<std::int64_t> counts;
  for (const PlannedRun& run : plan.runs) counts.push_back(run.counts.all);
  EXPECT_THAT(counts, ElementsAre(801'664, 2'678'592, 6'326'016, 21'291'648, 50'417'152, 1'071'653,
                                  4'240'421, 14'231'077, 25'266'213));
  EXPECT_NEAR(plan.totals.flops.six_nd, 4.8e16, 0.05e16);
  for (const FamilyDesign& design : plan.designs) {
    EXPECT_FALSE(design.identifiable);
    EXPECT_THAT(design.laws.back().reasons, ::testing::Contains("D never varies"));
  }
  for (const PlannedRun& run : plan.runs) {
    EXPECT_NEAR(run.epochs, 64, 0.01);
    EXPECT_EQ(run.config.stride, 1);
    EXPECT_EQ(run.config.model.init, Init::kGpt2);
    EXPECT_EQ(run.config.model.dropout, 0.1);
  }
}

TEST(PlanTest, TheOtherStudiesAreIdentifiableAndHoldOneRunOfEachFamilyOut) {
  for (const auto& [file, corpus] :
       {std::pair("course-study-fixed.toml", AssumedCorpus(37, 16'000'000)),
        std::pair("demo.toml", AssumedCorpus(96, 917'014))}) {
    const Plan plan = PlanFile(file, corpus);
    ASSERT_THAT(plan.designs, SizeIs(2)) << file;
    for (const FamilyDesign& design : plan.designs) EXPECT_TRUE(design.identifiable) << file;
    EXPECT_EQ(std::ranges::count(plan.runs, true, &PlannedRun::held_out), 2) << file;
  }
}

TEST(PlanTest, TheFirstSweepIsSixRunsOfAboutATeraflop) {
  const Plan plan = MakePlan(ReadFile("configs/sweeps/first.toml").value(),
                             AssumedCorpus(90, 1'000'000), {.workers = 2, .measured = {}});
  EXPECT_THAT(plan.runs, SizeIs(6));
  EXPECT_NEAR(plan.totals.flops.train_dense, 1e12, 0.3e12);
  EXPECT_LT(plan.totals.eta_s, 150);
  EXPECT_LT(plan.totals.evaluation_share, 0.2);
  for (const FamilyDesign& design : plan.designs) EXPECT_TRUE(design.laws[0].identifiable);
}

}  // namespace
}  // namespace etude
