// Fits on request and forecasts by themselves, on results that obey a planted law.
#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "coordinator/forecaster.h"
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

class FitsTest : public ServiceTest {
 protected:
  FitsTest() {
    v1::PushCorpusResponse pushed;
    EXPECT_TRUE(PushCorpus(&pushed).ok());
    EXPECT_TRUE(Register("w").ok());
    v1::SubmitSweepResponse submitted;
    const grpc::Status status = Submit(kForecastSpec, &submitted);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  // Trains one job if there is one; its loss is the law's, with seeds a per cent apart.
  bool TrainOne() {
    const v1::AcquireResponse acquired = Acquire("w");
    if (!acquired.has_assignment()) return false;
    const v1::Assignment& job = acquired.assignment();
    const RunConfig config = RunConfigFromJson(job.config_json()).value();
    const double n = CountN(config, NConvention::kCompute);
    const double d = static_cast<double>(config.tokens());
    const double sign = config.seed == 1 ? 1 : -1;
    const double loss = (0.9 + 20 / std::sqrt(n) + 100 / std::sqrt(d)) * (1 + 0.005 * sign);
    EXPECT_TRUE(Report(job.job(), 1, 1, job.to()));
    EXPECT_TRUE(Finish("w", job.job(), 1, v1::JOB_OUTCOME_SUCCEEDED, loss).ok());
    return true;
  }
  int TrainAll() {
    int trained = 0;
    while (TrainOne()) ++trained;
    return trained;
  }
  grpc::Status Fit(v1::FitSweepResponse* response, const std::string& where = "",
                   const std::string& law = "chinchilla") {
    v1::FitSweepRequest request;
    request.set_sweep("forecast");
    request.set_law(law);
    request.set_objective("huber");
    request.set_delta(1e-3);
    request.set_bootstrap(50);
    request.set_seed(1);
    request.set_convention("compute");
    request.set_split("val");
    request.set_where(where);
    return client_->FitSweep(Context().get(), request, response);
  }
  std::vector<FrozenPrediction> Predictions() {
    v1::ListPredictionsRequest request;
    request.set_sweep("forecast");
    v1::ListPredictionsResponse response;
    EXPECT_TRUE(client_->ListPredictions(Context().get(), request, &response).ok());
    std::vector<FrozenPrediction> predictions;
    for (const auto& wire : response.predictions()) predictions.push_back(FromWire(wire).value());
    return predictions;
  }
  SweepId Sweep() { return reader_->FindSweep("forecast")->id; }
};

TEST_F(FitsTest, ThePlantedLawIsFoundAndStored) {
  EXPECT_EQ(TrainAll(), 18);
  v1::FitSweepResponse response;
  ASSERT_TRUE(Fit(&response).ok());
  ASSERT_EQ(response.fits_size(), 1);
  const etude::Fit fit = FitFromJson(response.fits(0).fit_json()).value();
  EXPECT_NEAR(fit.Find(Parameter::kAlpha)->value, 0.5, 0.1);
  EXPECT_NEAR(fit.Find(Parameter::kBeta)->value, 0.5, 0.1);
  EXPECT_EQ(fit.n_points, 18);
  EXPECT_EQ(fit.clusters, 6) << "a cluster is a trunk: a shape and seed";
  const auto stored = reader_->FitsOf(Sweep());
  ASSERT_EQ(stored->size(), 1u);
  EXPECT_EQ(stored->front().json, response.fits(0).fit_json());
}

TEST_F(FitsTest, AFilterNarrowsTheRowsAndAWrongOneSaysWhatIsWrong) {
  TrainAll();
  v1::FitSweepResponse response;
  ASSERT_TRUE(Fit(&response, "seed=1", "power-n").ok());
  EXPECT_EQ(FitFromJson(response.fits(0).fit_json())->n_points, 3);
  const grpc::Status colour = Fit(&response, "colour=red");
  EXPECT_EQ(colour.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(colour.error_message(), HasSubstr("no column \"colour\"; they have family, shape"));
  EXPECT_EQ(Fit(&response, "", "newton").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Fit(&response, "seed=9").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(FitsTest, HeldOutRunsWaitForTheirPredictionAndNeverEnterTheFit) {
  EXPECT_EQ(TrainAll(), 18);
  EXPECT_EQ(GetSweep("forecast").summary().sweep().state(), v1::SWEEP_STATE_ACTIVE);
  EXPECT_TRUE(Predictions().empty());
  ASSERT_TRUE(ForecastSweep(*core_, *reader_, Sweep()).ok());
  const std::vector<FrozenPrediction> frozen = Predictions();
  ASSERT_EQ(frozen.size(), 1u);
  EXPECT_TRUE(frozen[0].blind);
  EXPECT_EQ(TrainAll(), 1);
  const v1::GetSweepResponse sweep = GetSweep("forecast");
  EXPECT_EQ(sweep.summary().sweep().state(), v1::SWEEP_STATE_FINISHED);
  EXPECT_TRUE(sweep.runs(18).held_out());
  const double measured = sweep.runs(18).run().result().val_loss();
  EXPECT_NEAR(frozen[0].prediction.loss, measured, 0.03 * measured);
  v1::FitSweepResponse response;
  ASSERT_TRUE(Fit(&response).ok());
  EXPECT_EQ(FitFromJson(response.fits(0).fit_json())->n_points, 18);
}

TEST_F(FitsTest, TheForecasterFreezesByItself) {
  const Forecaster forecaster(*core_, *reader_);
  for (int i = 0; i < 18; ++i) ASSERT_TRUE(TrainOne());
  // The forecast's commit wakes the parked call.
  const v1::AcquireResponse acquired = Acquire("w", 10'000);
  ASSERT_TRUE(acquired.has_assignment());
  EXPECT_EQ(Predictions().size(), 1u);
  core_->Stop();
}

TEST_F(FitsTest, APredictionOutlivesTheCoordinator) {
  TrainAll();
  ASSERT_TRUE(ForecastSweep(*core_, *reader_, Sweep()).ok());
  const std::vector<FrozenPrediction> before = Predictions();
  Reopen();
  EXPECT_EQ(Predictions(), before);
  ASSERT_TRUE(Register("w").ok());
  EXPECT_EQ(TrainAll(), 1);
}

}  // namespace
}  // namespace etude
