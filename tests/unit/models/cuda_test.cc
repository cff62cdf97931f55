#include <gtest/gtest.h>

#include "lib/models/numerics.h"
#include "tests/unit/models/training_fixture.h"

namespace etude {
namespace {

TEST(CudaTest, TrainsToTheSameLossAsTheCpu) {
  if (!ResolveDevice(Device::kCuda).ok())
    GTEST_SKIP() << "SKIPPED LOUDLY: no CUDA device answers here";
  for (const Family family : {Family::kTransformer, Family::kLstm}) {
    RunConfig config = TinyRun(family);
    config.model.dropout = 0.1;
    TrainRequest request = RequestFor(config);
    const Trained cpu = TrainNow(request);
    request = RequestFor(config);
    request.device = Device::kCuda;
    const Trained cuda = TrainNow(request);
    ASSERT_TRUE(cuda.report.ok()) << cuda.report.status();
    EXPECT_EQ(cuda.report->result.device, "cuda");
    EXPECT_NEAR(cuda.report->result.val_loss, cpu.report->result.val_loss, 1e-3);
  }
}

TEST(CudaTest, AskingForCudaWithoutADeviceIsAnErrorThatSaysWhatToDo) {
  if (ResolveDevice(Device::kCuda).ok()) GTEST_SKIP() << "a CUDA device answers here";
  TrainRequest request = RequestFor(TinyRun(Family::kLstm));
  request.device = Device::kCuda;
  EXPECT_EQ(TrainNow(request).report.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace etude
