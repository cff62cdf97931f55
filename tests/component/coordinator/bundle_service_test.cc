// A sweep goes from one coordinator to another over the wire, on results that obey a planted law.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "coordinator/forecaster.h"
#include "gmock/gmock.h"
#include "lib/scaling/fit_runs.h"
#include "proto/convert.h"
#include "tests/component/coordinator/service_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr char kForecastSpec[] = R"(
name = "forecast"
corpus = "folk"
[train]
repeat = true
[[grid]]
lstm = ["1x8", "1x16", "1x32"]
tokens = [10240, 30720, 92160]
seeds = [1, 2]
[[holdout]]
lstm = ["1x64"]
tokens = [30720]
)";
constexpr char kTwoRunsSpec[] = R"(
name = "two"
corpus = "folk"
[[grid]]
transformer = ["1x16x2"]
tokens = [10240]
seeds = [1, 2]
)";

// What an export gave.
struct Exported {
  v1::ExportPart::Offer offer;
  std::vector<v1::ArtifactFile> blobs;
  std::string rows;
};

// A coordinator with a worker "w".
class House : public ServiceTest {
 public:
  void TestBody() override {}
  House() { EXPECT_TRUE(Register("w").ok()); }

  void Submit(const std::string& spec) {
    v1::PushCorpusResponse pushed;
    EXPECT_TRUE(PushCorpus(&pushed).ok());
    v1::SubmitSweepResponse submitted;
    const grpc::Status status = ServiceTest::Submit(spec, &submitted);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  // Trains what the worker gets; nullopt: there is nothing to train.
  std::optional<std::string> TrainOne(double shift = 0) {
    const v1::AcquireResponse acquired = Acquire("w");
    if (!acquired.has_assignment()) return std::nullopt;
    const v1::Assignment& job = acquired.assignment();
    const RunConfig config = RunConfigFromJson(job.config_json()).value();
    const double n = CountN(config, NConvention::kCompute);
    const double d = static_cast<double>(config.tokens());
    const double sign = config.seed == 1 ? 1 : -1;
    const double loss = (0.9 + 20 / std::sqrt(n) + 100 / std::sqrt(d)) * (1 + 0.005 * sign) + shift;
    EXPECT_TRUE(Report(job.job(), job.attempt(), 1, job.to()));
    EXPECT_TRUE(Finish("w", job.job(), job.attempt(), v1::JOB_OUTCOME_SUCCEEDED, loss).ok());
    return job.run();
  }
  int TrainAll() {
    int trained = 0;
    while (TrainOne()) ++trained;
    return trained;
  }
  Exported Export(const std::string& sweep) {
    const auto context = Context();
    v1::ExportRequest request;
    request.set_sweep(sweep);
    const auto reader = bundle_->Export(context.get(), request);
    Exported exported;
    v1::ExportPart part;
    const auto whole = [&] {
      return exported.offer.has_rows() &&
             std::ssize(exported.rows) == exported.offer.rows().bytes();
    };
    while (!whole() && reader->Read(&part)) {
      if (part.has_offer()) exported.offer = part.offer();
      for (const v1::ArtifactFile& blob : part.blobs().blobs()) exported.blobs.push_back(blob);
      exported.rows += part.rows().data();
    }
    EXPECT_TRUE(whole());
    context->TryCancel();
    reader->Finish();
    return exported;
  }
  // Sends the rows and those blobs that `from` has.
  grpc::Status Import(const Exported& exported, House& from, v1::ImportResponse* response,
                      const std::string& name = "") {
    for (const v1::ArtifactFile& blob : exported.blobs) {
      Upload(blob.name(), from.blobs_->Read(blob.sha256(), 0, blob.bytes()).value());
    }
    return ImportRows(exported.rows, response, name);
  }
  grpc::Status ImportRows(const std::string& rows, v1::ImportResponse* response,
                          const std::string& name = "") {
    v1::ImportRequest request;
    request.set_rows_sha256(Upload("rows.ndjson", rows).sha256());
    request.set_name(name);
    return bundle_->Import(Context().get(), request, response);
  }
  // Everything that is stored of a sweep, as its own export says it.
  std::string Stored(const std::string& sweep) { return Export(sweep).rows; }
  std::string LossOf(const std::string& run) {
    return std::to_string(reader_->Standing(RunKey(run))->run.result->val_loss);
  }
  std::size_t Sweeps() { return reader_->Sweeps()->size(); }
  v1::BundleService::Stub& bundle() { return *bundle_; }
  std::unique_ptr<grpc::ClientContext> MakeContext() { return Context(); }

  using ServiceTest::Acquire;
  using ServiceTest::core_;
  using ServiceTest::faulty_;
  using ServiceTest::Finish;
  using ServiceTest::GetSweep;
  using ServiceTest::reader_;
  using ServiceTest::Register;
  using ServiceTest::Reopen;
};

class BundleServiceTest : public testing::Test {
 protected:
  v1::ImportResponse Import(const Exported& exported) {
    v1::ImportResponse response;
    const grpc::Status status = there_.Import(exported, here_, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Refused(const std::string& rows) {
    v1::ImportResponse response;
    return there_.ImportRows(rows, &response);
  }

  House here_;
  House there_;
};

TEST_F(BundleServiceTest, PredictionsThatWereFrozenThereJudgeWhatIsTrainedHere) {
  here_.Submit(kForecastSpec);
  ASSERT_EQ(here_.TrainAll(), 18);
  const SweepId sweep = here_.reader_->FindSweep("forecast")->id;
  ASSERT_TRUE(ForecastSweep(*here_.core_, *here_.reader_, sweep).ok());
  const Exported exported = here_.Export("forecast");
  EXPECT_EQ(exported.offer.runs_open(), 1);
  const v1::ImportResponse imported = Import(exported);
  EXPECT_TRUE(imported.created());
  EXPECT_EQ(imported.runs_added(), 19);
  EXPECT_EQ(imported.runs_open(), 1);
  EXPECT_EQ(there_.reader_->PredictionsOf(sweep).value(),
            here_.reader_->PredictionsOf(sweep).value());
  EXPECT_TRUE(there_.Stored("forecast") == exported.rows) << "byte for byte";
  EXPECT_EQ(there_.TrainAll(), 1) << "the held-out run alone";
  EXPECT_EQ(here_.TrainAll(), 1);
  EXPECT_EQ(there_.GetSweep("forecast").summary().sweep().state(), v1::SWEEP_STATE_FINISHED);
}

TEST_F(BundleServiceTest, ARestartKnowsWhatTheImportKnew) {
  here_.Submit(kForecastSpec);
  for (int i = 0; i < 5; ++i) here_.TrainOne();
  const Exported exported = here_.Export("forecast");
  Import(exported);
  there_.Reopen();
  EXPECT_TRUE(there_.Stored("forecast") == exported.rows) << "byte for byte";
  ASSERT_TRUE(there_.Register("w").ok());
  EXPECT_EQ(there_.TrainAll(), 13);
}

TEST_F(BundleServiceTest, AnAttemptThatRanIsOverThereAndItsJobIsQueued) {
  here_.Submit(kOneRunSpec);
  const v1::AcquireResponse acquired = here_.Acquire("w");
  const Exported exported = here_.Export("one");
  EXPECT_THAT(exported.rows, HasSubstr("the sweep was exported meanwhile"));
  EXPECT_EQ(Import(exported).runs_open(), 1);
  const v1::AcquireResponse again = there_.Acquire("w");
  EXPECT_EQ(again.assignment().job(), acquired.assignment().job());
  EXPECT_EQ(again.assignment().attempt(), 2) << "a new number: the first one runs on elsewhere";
}

TEST_F(BundleServiceTest, ARunThatSucceededHereStaysAsItIs) {
  here_.Submit(kTwoRunsSpec);
  ASSERT_EQ(here_.TrainAll(), 2);
  there_.Submit(kTwoRunsSpec);
  const std::string kept = there_.TrainOne(/*shift=*/1).value();
  const std::string loss = there_.LossOf(kept);
  const v1::ImportResponse imported = Import(here_.Export("two"));
  EXPECT_FALSE(imported.created());
  EXPECT_EQ(imported.runs_kept(), 1);
  EXPECT_EQ(imported.runs_completed(), 1);
  EXPECT_EQ(there_.LossOf(kept), loss);
  EXPECT_EQ(there_.TrainAll(), 0) << "the other one came with its result";
  EXPECT_EQ(there_.GetSweep("two").summary().sweep().state(), v1::SWEEP_STATE_FINISHED);
  const std::string stored = there_.Stored("two");
  there_.Reopen();
  EXPECT_TRUE(there_.Stored("two") == stored);
  const v1::ImportResponse again = Import(here_.Export("two"));
  EXPECT_EQ(again.runs_kept(), 2);
  EXPECT_TRUE(there_.Stored("two") == stored);
}

TEST_F(BundleServiceTest, ARunThatTrainsHereNowIsAConflictUntilItEnds) {
  here_.Submit(kOneRunSpec);
  ASSERT_EQ(here_.TrainAll(), 1);
  const Exported exported = here_.Export("one");
  there_.Submit(kOneRunSpec);
  const v1::Assignment job = there_.Acquire("w").assignment();
  v1::ImportResponse response;
  const grpc::Status refused = there_.Import(exported, here_, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("etude run cancel " + job.run().substr(0, 12)));
  ASSERT_TRUE(there_.Finish("w", job.job(), 1, v1::JOB_OUTCOME_BAD_INPUT).ok());
  EXPECT_EQ(Import(exported).runs_completed(), 1) << "it failed here, and succeeded there";
  EXPECT_EQ(there_.LossOf(job.run()), here_.LossOf(job.run()));
  there_.Reopen();
  EXPECT_EQ(there_.LossOf(job.run()), here_.LossOf(job.run()));
}

TEST_F(BundleServiceTest, AnotherSweepOfThatNameIsAConflictWithAHint) {
  here_.Submit(kOneRunSpec);
  here_.TrainAll();
  const Exported exported = here_.Export("one");
  std::string other = kTwoRunsSpec;
  there_.Submit(other.replace(other.find("two"), 3, "one"));
  v1::ImportResponse response;
  const grpc::Status refused = there_.Import(exported, here_, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(refused.error_message(), HasSubstr("--name OTHER"));
  ASSERT_TRUE(there_.Import(exported, here_, &response, "of-ana").ok());
  EXPECT_EQ(response.name(), "of-ana");
  EXPECT_EQ(there_.GetSweep("of-ana").summary().succeeded(), 1);
}

TEST_F(BundleServiceTest, AFailedCommitLeavesNothingAndTheSameCallEndsIt) {
  here_.Submit(kTwoRunsSpec);
  here_.TrainAll();
  const Exported exported = here_.Export("two");
  there_.faulty_->FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  v1::ImportResponse response;
  EXPECT_EQ(there_.Import(exported, here_, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(there_.Sweeps(), 0u);
  grpc::Status status = there_.Import(exported, here_, &response);
  while (status.error_code() == grpc::StatusCode::UNAVAILABLE) {  // for a tick none is tried
    status = there_.Import(exported, here_, &response);
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(there_.Stored("two") == exported.rows);
}

TEST_F(BundleServiceTest, RowsThatContradictThemselvesAreDamage) {
  here_.Submit(kOneRunSpec);
  here_.TrainAll();
  std::string rows = here_.Export("one").rows;
  const std::string seed = "\\\"seed\\\":1";
  ASSERT_NE(rows.rfind(seed), std::string::npos);
  rows.replace(rows.rfind(seed), seed.size(), "\\\"seed\\\":2");
  const grpc::Status refused = Refused(rows);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::DATA_LOSS) << refused.error_message();
  EXPECT_THAT(refused.error_message(), HasSubstr("nothing was imported"));
  EXPECT_EQ(there_.Sweeps(), 0u);
}

TEST_F(BundleServiceTest, WhatTheRowsNameMustBeThere) {
  here_.Submit(kOneRunSpec);
  here_.TrainAll();
  const grpc::Status refused = Refused(here_.Export("one").rows);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("train.npy"));
  v1::ImportRequest request;
  request.set_rows_sha256("../../etc/passwd");
  v1::ImportResponse response;
  EXPECT_EQ(there_.bundle().Import(there_.MakeContext().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(there_.Sweeps(), 0u);
}

}  // namespace
}  // namespace etude
