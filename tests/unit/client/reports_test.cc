#include "client/reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "client/results_table.h"
#include "lib/scaling/fit_runs.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using Json = nlohmann::json;

TEST(ReportsTest, CurvesHaveOneRowAPoint) {
  const std::vector<LossPoint> points = {
      {Series::kTrain, 1, 3.5}, {Series::kLearningRate, 1, 0.001}, {Series::kTrain, 2, 3.25}};
  EXPECT_EQ(Render(CurveReport(points), OutputFormat::kCsv),
            "step,series,value\n1,train,3.5\n1,lr,0.001\n2,train,3.25\n");
}

TEST(ReportsTest, WideCurvesHaveOneRowAStep) {
  const std::vector<LossPoint> points = {
      {Series::kTrain, 1, 3.5}, {Series::kTrain, 2, 3.25}, {Series::kValProbe, 2, 3.0}};
  EXPECT_EQ(Render(WideCurveReport(points), OutputFormat::kCsv),
            "step,train,val_probe\n1,3.5,\n2,3.25,3\n");
}

TEST(ReportsTest, AQueuedRunSaysWhyItWaits) {
  RunProgress progress = MakeRun();
  progress.wait_reason = "no worker online";
  const Json json = Json::parse(Render(RunsReport({progress}), OutputFormat::kJson));
  EXPECT_EQ(json["runs"][0]["state"], "queued");
  EXPECT_EQ(json["runs"][0]["reason"], "no worker online");
  EXPECT_TRUE(json["runs"][0]["train_loss"].is_null());
}

TEST(ReportsTest, ASweepCarriesItsRunsAndAnUnknownEtaIsNull) {
  SweepView view = MakeView(SweepState::kActive, 1, 2, 0);
  view.runs = {MakeRun(RunState::kRunning)};
  view.eta_s = -1;
  const Json json = Json::parse(Render(SweepReport(view), OutputFormat::kJson));
  EXPECT_EQ(json["run_count"], 3);
  EXPECT_EQ(json["runs"].size(), 1U);
  EXPECT_TRUE(json["eta_s"].is_null());
  EXPECT_TRUE(json["makespan_bound_s"].is_null());
  EXPECT_TRUE(json["makespan_over_bound"].is_null());
  EXPECT_TRUE(json["finished_at"].is_null());
}

TEST(ReportsTest, AnEndedSweepSaysHowLongItTookOverTheLeastItCouldHave) {
  SweepView view = MakeView(SweepState::kFinished, 0, 0, 2);
  view.makespan_bound_s = 20;
  view.makespan_s = 25;
  const Json json = Json::parse(Render(SweepReport(view), OutputFormat::kJson));
  EXPECT_EQ(json["makespan_s"], 25);
  EXPECT_EQ(json["makespan_bound_s"], 20);
  EXPECT_EQ(json["makespan_over_bound"], 1.25);
}

TEST(ResultsTest, HasTheColumnsThatFitsAndSpreadsheetsNeed) {
  const std::string csv = Render(ResultsReport({}, {}), OutputFormat::kCsv);
  EXPECT_EQ(csv,
            "run,family,shape,n_all,n_body,n_compute,tokens,unique_tokens,tokens_per_param,epochs,"
            "train_dense_flop,train_causal_flop,evaluation_flop,six_nd_flop,train_s,eval_s,"
            "tokens_per_s,device,val_loss,best_val_loss,train_eval_loss,perplexity,bits_per_char,"
            "seed,lr,context,batch,steps,dropout,corpus,weights_sha256,mixed_numerics,state,"
            "reason,held_out,trunk\n");
}

Json FirstResult(const RunProgress& progress, const CorporaById& corpora) {
  return Json::parse(Render(ResultsReport({progress}, corpora), OutputFormat::kJson))["runs"][0];
}

// --where means the same for a sweep and for its results.csv.
TEST(ResultsTest, EveryColumnThatAFilterKnowsReadsAsTheFilterDoes) {
  const RunProgress progress = MakeRun(RunState::kSucceeded);
  const Json row = FirstResult(progress, {});
  for (const char* column :
       {"family", "shape", "seed", "n_all", "n_body", "n_compute", "tokens", "unique_tokens",
        "epochs", "lr", "context", "batch", "dropout", "val_loss", "state", "corpus"}) {
    const std::optional<std::string> filtered = RunColumn(progress.run, column);
    ASSERT_TRUE(filtered) << column;
    const Json& cell = row.at(column);
    if (cell.is_string()) {
      EXPECT_EQ(cell.get<std::string>(), *filtered) << column;
    } else {
      EXPECT_EQ(cell.get<double>(), std::stod(*filtered)) << column;
    }
  }
}

TEST(ResultsTest, LossesComeAsPerplexityAndBitsPerCharacter) {
  Corpus corpus;
  corpus.id = CorpusId(std::string(64, 'c'));
  corpus.chars_per_token = 2.0;
  corpus.val_tokens = 1000;
  const Json row = FirstResult(MakeRun(RunState::kSucceeded), {{corpus.id, corpus}});
  EXPECT_DOUBLE_EQ(row["perplexity"], 7.38905609893065);       // e^2
  EXPECT_DOUBLE_EQ(row["bits_per_char"], 1.4426950408889634);  // 2 / ln 2 / 2
  EXPECT_EQ(row["tokens"], 51200);
  EXPECT_EQ(row["epochs"], 2.0);
  EXPECT_EQ(row["device"], "cpu");
}

TEST(ResultsTest, WhatIsNotKnownIsEmpty) {
  const Json succeeded = FirstResult(MakeRun(RunState::kSucceeded), {});
  EXPECT_TRUE(succeeded["bits_per_char"].is_null());
  EXPECT_TRUE(succeeded["evaluation_flop"].is_null());
  const Json queued = FirstResult(MakeRun(), {});
  EXPECT_TRUE(queued["val_loss"].is_null());
  EXPECT_TRUE(queued["perplexity"].is_null());
  EXPECT_EQ(queued["state"], "queued");
}

TEST(ResultsTest, SixNdIsSixTimesNTimesD) {
  const Json row = FirstResult(MakeRun(), {});
  EXPECT_DOUBLE_EQ(row["six_nd_flop"],
                   6.0 * row["n_compute"].get<double>() * row["tokens"].get<double>());
}

}  // namespace
}  // namespace etude
