// A study from its spec to a fit and a kept prediction, by real processes and real training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/cluster.h"

namespace etude {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

// The transformers' grid can identify a law; the LSTM's, of one D, cannot.
constexpr char kSpec[] = R"(
name   = "study"
corpus = "tunes"
[train]
context = 32
batch   = 8
repeat  = true
[[grid]]
transformer = ["1x8x1", "1x16x2", "1x32x2"]
tokens = ["20k", "60k", "180k"]
seeds  = [1, 2]
[[grid]]
lstm   = ["1x8", "1x16", "1x24"]
tokens = ["20k"]
[[holdout]]
transformer = ["1x48x2"]
lstm        = ["1x32"]
tokens      = ["60k"]
[eval]
curve = { points = 4, tokens = "2k" }
)";
constexpr char kColumns[] =
    "n=n_compute,d=tokens,loss=val_loss,u=unique_tokens,group=trunk,c=train_dense_flop,run=run";
constexpr int kNotIdentifiable = 10;

Json HeldOutOf(const Json& predictions, const std::string& family) {
  for (const Json& run : predictions.at("held_out")) {
    if (run.at("family") == family) return run;
  }
  return {};
}

class StudyTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = new Cluster;
    cluster_->StartCoordinator();
    cluster_->StartWorker("one");
    cluster_->StartWorker("two");
    cluster_->PushCorpus();
    submitted_ = new CommandResult(cluster_->Submit(kSpec, /*wait=*/true));
  }
  static void TearDownTestSuite() {
    delete submitted_;
    delete cluster_;
  }
  static Cluster* cluster_;
  static CommandResult* submitted_;
};
Cluster* StudyTest::cluster_ = nullptr;
CommandResult* StudyTest::submitted_ = nullptr;

TEST_F(StudyTest, TheCsvOfItsExportFitsBitForBitAsTheCoordinatorDid) {
  const std::string where = "family=transformer and held_out=false";
  const CommandResult stored =
      cluster_->Etude({"fit", "study", "--where", "family=transformer", "-o", "json"});
  const std::string out = cluster_->directory() + "/out";
  ASSERT_EQ(cluster_->Etude({"export", "study", "--to", "csv", out}).status, 0);
  const CommandResult local = cluster_->Etude({"fit", "--csv", out + "/results.csv", "--columns",
                                               kColumns, "--where", where, "-o", "json"});
  EXPECT_EQ(stored.status, local.status);
  Json fit = Json::parse(stored.out);
  EXPECT_EQ(fit.at("family"), "transformer");
  EXPECT_EQ(fit.at("n_points"), 18);
  fit.erase("family");
  fit.erase("sweep");
  EXPECT_EQ(fit, Json::parse(local.out));
  EXPECT_EQ(fit.at("provenance").at("run_keys").size(), 18u);
}

TEST_F(StudyTest, AHeldOutRunIsPredictedBeforeItsFirstStep) {
  const Json held_out = HeldOutOf(cluster_->EtudeJson({"predict", "study"}), "transformer");
  ASSERT_TRUE(held_out.at("predicted_loss").is_number()) << held_out.dump();
  EXPECT_EQ(held_out.at("blind"), true);
  EXPECT_TRUE(held_out.at("measured_loss").is_number());
  const Json run = cluster_->EtudeJson({"run", "show", held_out.at("run").get<std::string>()});
  EXPECT_LE(held_out.at("frozen_at").get<std::string>(),
            run.at("attempts").at(0).at("started_at").get<std::string>());
}

TEST_F(StudyTest, WhatCannotBePredictedIsNotTrainedAndSaysWhy) {
  const Json held_out = HeldOutOf(cluster_->EtudeJson({"predict", "study"}), "lstm");
  EXPECT_EQ(held_out.at("verdict"), "not predicted");
  EXPECT_THAT(held_out.at("why").get<std::string>(), HasSubstr("D never varies"));
  EXPECT_EQ(cluster_->StateOf(held_out.at("run").get<std::string>()), "cancelled");
  EXPECT_EQ(submitted_->status, 7) << submitted_->err;
  EXPECT_THAT(submitted_->err, HasSubstr("cancelled: held out, and nothing predicts it"));
}

TEST_F(StudyTest, ARefusedFitExitsTenWithReasonAndRepair) {
  const CommandResult refused = cluster_->Etude({"fit", "study", "--where", "family=lstm"});
  EXPECT_EQ(refused.status, kNotIdentifiable);
  EXPECT_THAT(refused.err, HasSubstr("chinchilla is not identified"));
  EXPECT_THAT(refused.err, HasSubstr("repair: "));
  EXPECT_EQ(cluster_->Etude({"fit", "study", "--where", "family=gru"}).status, 2);
}

TEST_F(StudyTest, EveryPictureIsDrawn) {
  const std::string dir = cluster_->directory() + "/plots";
  const Json plots = cluster_->EtudeJson({"plot", "study", "all", "--out", dir});
  EXPECT_EQ(plots.at("plots").size(), 5u) << plots.dump();
}

}  // namespace
}  // namespace etude
