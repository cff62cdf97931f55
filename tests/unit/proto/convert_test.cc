#include "proto/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "proto/channel.h"
#include "proto/grpc_status.h"

namespace etude {
namespace {

const std::string kHash(64, 'a');

Run MakeRun() {
  Run run;
  run.config.model = *ParseShape(Family::kLstm, "1x24");
  run.config.model.vocab = 37;
  run.config.corpus = CorpusId(kHash);
  run.config.steps = 10;
  run.config.unique_tokens = 1000;
  run.config.train_tokens = 1000;
  run.config.lr = 0.1 + 0.2;  // not a short decimal
  run.key = KeyOf(run.config);
  run.state = RunState::kSucceeded;
  run.result = RunResult{.val_loss = 1.25, .device = "cpu", .weights_sha256 = kHash};
  return run;
}

TEST(ConvertTest, EveryEnumValueSurvivesBothWays) {
  for (int i = v1::RunState_MIN + 1; i <= v1::RunState_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::RunState>(i))), i);
  }
  for (int i = v1::JobState_MIN + 1; i <= v1::JobState_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::JobState>(i))), i);
  }
  for (int i = v1::SweepState_MIN + 1; i <= v1::SweepState_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::SweepState>(i))), i);
  }
  for (int i = v1::WorkerState_MIN + 1; i <= v1::WorkerState_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::WorkerState>(i))), i);
  }
  for (int i = v1::JobOutcome_MIN + 1; i <= v1::JobOutcome_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::JobOutcome>(i))), i);
  }
  for (int i = v1::CheckpointKind_MIN + 1; i <= v1::CheckpointKind_MAX; ++i) {
    EXPECT_EQ(ToWire(*FromWire(static_cast<v1::CheckpointKind>(i))), i);
  }
}

TEST(ConvertTest, UnknownEnumValuesAreRefused) {
  EXPECT_EQ(FromWire(static_cast<v1::RunState>(99)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FromWire(v1::JOB_OUTCOME_UNSPECIFIED).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, ARunComesBackWithTheSameKey) {
  const etude::Run run = MakeRun();
  const absl::StatusOr<etude::Run> back = FromWire(ToWire(run));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->config, run.config);
  EXPECT_EQ(KeyOf(back->config), run.key);
  EXPECT_EQ(back->result, run.result);
}

TEST(ConvertTest, PointsKeepNanAndInfinity) {
  const std::vector<LossPoint> points = {
      {Series::kTrain, 1, std::nan("")},
      {Series::kGradNorm, 2, std::numeric_limits<double>::infinity()}};
  const auto back = FromWire(ToWire(points), 10);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(std::isnan(back->at(0).value));
  EXPECT_EQ(back->at(1), points[1]);
}

TEST(ConvertTest, PointColumnsOfDifferentLengthAreRefused) {
  v1::Points wire = ToWire(std::vector<LossPoint>{{Series::kTrain, 1, 2.0}});
  wire.add_step(2);
  EXPECT_EQ(FromWire(wire, 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertTest, PointsOverTheLimitOrOfNoSeriesAreRefused) {
  v1::Points wire = ToWire(std::vector<LossPoint>{{Series::kTrain, 1, 2.0}});
  EXPECT_FALSE(FromWire(wire, 0).ok());
  wire.set_series(0, 77);
  EXPECT_FALSE(FromWire(wire, 10).ok());
}

TEST(ConvertTest, HostileFileNamesAreRefused) {
  for (const char* name : {"", "..", "../x", "/etc/passwd", "a\\b", "a%2fb"}) {
    v1::ArtifactFile wire;
    wire.set_name(name);
    wire.set_sha256(kHash);
    EXPECT_FALSE(FromWire(wire).ok()) << name;
  }
}

TEST(ConvertTest, HashesAndSizesAreChecked) {
  v1::ArtifactFile wire;
  wire.set_name("model.safetensors");
  wire.set_sha256("abc");
  EXPECT_FALSE(FromWire(wire).ok());
  wire.set_sha256(kHash);
  wire.set_bytes(-1);
  EXPECT_FALSE(FromWire(wire).ok());
  wire.set_bytes(10);
  EXPECT_TRUE(FromWire(wire).ok());
}

TEST(GrpcStatusTest, CodesAndTextSurviveBothWays) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "text");
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  }
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
}

TEST(RetryTest, DelaysGrowAndAreCapped) {
  const RetryOptions options{
      .max_attempts = 9, .first_delay = absl::Milliseconds(100), .max_delay = absl::Seconds(1)};
  for (int attempt = 1; attempt < 60; ++attempt) {
    const absl::Duration delay = RetryDelay(options, attempt, 3);
    EXPECT_GE(delay, absl::Milliseconds(50));
    EXPECT_LE(delay, absl::Seconds(1));
  }
  EXPECT_GE(RetryDelay(options, 8, 3), absl::Milliseconds(500));
}

}  // namespace
}  // namespace etude
