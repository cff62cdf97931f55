// Kills real processes in the middle of real training and compares what was learnt, bit for bit,
// with a sweep that nobody disturbed.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <string>

#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

constexpr double kRunSeconds = 240;

// With dropout, over two epochs.
const SmallSweep kSweep = {.name = "recovery", .dropout = 0.1};

// Made once.
const std::map<std::string, std::string>& UndisturbedSweep() {
  static const auto& fingerprints = *new std::map<std::string, std::string>(Undisturbed(kSweep));
  return fingerprints;
}

class RecoveryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(UndisturbedSweep().size(), 2u);
    cluster_.StartCoordinator();
    cluster_.StartWorker("one");
    cluster_.PushCorpus();
    const CommandResult submitted = cluster_.Submit(SpecOf(kSweep), /*wait=*/false);
    ASSERT_EQ(submitted.status, 0) << submitted.err;
  }

  // The run that is training now, once it is at `step` or beyond.
  std::string AwaitRunningAt(std::int64_t step) {
    std::string found;
    EXPECT_TRUE(Eventually(kRunSeconds, [&] {
      for (const std::string& run : cluster_.RunsOf("recovery")) {
        if (cluster_.StateOf(run) == "running" && cluster_.StepOf(run) >= step) found = run;
      }
      return !found.empty();
    }));
    return found;
  }

  void ExpectSameAsUndisturbed() {
    const CommandResult waited =
        cluster_.Etude({"sweep", "wait", "recovery", "--timeout", "240s"}, kRunSeconds);
    ASSERT_EQ(waited.status, 0) << waited.err;
    EXPECT_EQ(FingerprintsOf(cluster_, "recovery"), UndisturbedSweep());
  }

  Cluster cluster_;
};

TEST_F(RecoveryTest, AKilledTrainerResumesFromItsWorkersDisk) {
  const std::string run = AwaitRunningAt(700);
  ASSERT_FALSE(run.empty());
  for (const pid_t pid : ChildrenOf(cluster_.worker("one").pid(), "etude-trainer"))
    kill(pid, SIGKILL);
  ExpectSameAsUndisturbed();
  EXPECT_GE(cluster_.LastStartStepOf(run), 1);
}

TEST_F(RecoveryTest, AKilledWorkerTakesItsTrainersAlongAndResumes) {
  const std::string run = AwaitRunningAt(700);
  ASSERT_FALSE(run.empty());
  const auto trainers = ChildrenOf(cluster_.worker("one").pid(), "etude-trainer");
  ASSERT_FALSE(trainers.empty());
  cluster_.worker("one").Signal(SIGKILL);
  ASSERT_TRUE(cluster_.worker("one").Wait(10).has_value());
  EXPECT_TRUE(Eventually(10, [&] { return kill(trainers[0], 0) != 0; }));
  cluster_.StartWorker("one");
  ExpectSameAsUndisturbed();
  EXPECT_GE(cluster_.LastStartStepOf(run), 1);
}

TEST_F(RecoveryTest, TrainingGoesOnWhileTheCoordinatorIsDead) {
  const std::string run = AwaitRunningAt(100);
  ASSERT_FALSE(run.empty());
  cluster_.coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster_.coordinator().Wait(10).has_value());
  cluster_.StartCoordinator();
  ExpectSameAsUndisturbed();
  EXPECT_EQ(cluster_.AttemptsOf(run), 1);
}

TEST_F(RecoveryTest, ADrainedWorkersRunGoesOnElsewhere) {
  const std::string run = AwaitRunningAt(400);
  ASSERT_FALSE(run.empty());
  cluster_.worker("one").Signal(SIGTERM);
  const std::optional<int> status = cluster_.worker("one").Wait(15);
  ASSERT_TRUE(status.has_value()) << "a drain ends within ten seconds";
  EXPECT_EQ(*status, 0);
  cluster_.StartWorker("two");
  ExpectSameAsUndisturbed();
  EXPECT_GE(cluster_.LastStartStepOf(run), 1);
}

}  // namespace
}  // namespace etude
