// Kills real processes in the middle of real training and compares what was learnt, bit for bit,
// with a sweep that nobody disturbed.
#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <string>

#include "tests/support/cluster.h"

namespace etude {
namespace {

constexpr double kRunSeconds = 240;

// Both families, with dropout, over two epochs; some ten seconds each.
constexpr char kSpec[] = R"(
name   = "recovery"
corpus = "tunes"
[train]
context = 32
batch   = 8
repeat  = true
dropout = 0.1
[transformer]
lr = 3e-3
[lstm]
lr = 1e-2
[[grid]]
transformer = ["2x32x2"]
tokens = ["400k"]
seeds  = [7]
[[grid]]
lstm   = ["1x48"]
tokens = ["400k"]
seeds  = [7]
[eval]
curve = { points = 6, tokens = "4k" }
)";

// Fingerprints by family, from a sweep that ran to its end undisturbed; made once.
const std::map<std::string, std::string>& Undisturbed() {
  static const auto& fingerprints = *[] {
    auto* made = new std::map<std::string, std::string>;
    Cluster cluster;
    cluster.StartCoordinator();
    cluster.StartWorker("one");
    cluster.PushCorpus();
    const CommandResult done = cluster.Submit(kSpec, /*wait=*/true);
    EXPECT_EQ(done.status, 0) << done.err;
    for (const std::string& run : cluster.RunsOf("recovery")) {
      (*made)[cluster.FamilyOf(run)] = cluster.FingerprintOf(run);
    }
    return made;
  }();
  return fingerprints;
}

class RecoveryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(Undisturbed().size(), 2u);
    cluster_.StartCoordinator();
    cluster_.StartWorker("one");
    cluster_.PushCorpus();
    const CommandResult submitted = cluster_.Submit(kSpec, /*wait=*/false);
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
    for (const std::string& run : cluster_.RunsOf("recovery")) {
      EXPECT_EQ(cluster_.FingerprintOf(run), Undisturbed().at(cluster_.FamilyOf(run)));
    }
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
