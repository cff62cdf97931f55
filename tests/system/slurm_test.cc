// A fleet on a real Slurm: preempted, at its time limit, cancelled, drained, and a node lost.
#include "tests/support/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr int kNodes = 3;
constexpr double kRunSeconds = 240;
constexpr double kSlurmSeconds = 60;

const SmallSweep kSweep = {.name = "slurm", .tokens = "1M"};

// Made once.
const std::map<std::string, std::string>& UndisturbedSweep() {
  static const auto& fingerprints = *new std::map<std::string, std::string>(Undisturbed(kSweep));
  return fingerprints;
}

class SlurmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!SlurmCluster::IsAvailable()) {
      GTEST_SKIP() << "NOT TESTED: Slurm is not installed; type: deploy/setup";
    }
    slurm_ = std::make_unique<SlurmCluster>(kNodes);
    ASSERT_TRUE(slurm_->ready());
    cluster_.StartCoordinator();
  }

  void StartSweep() {
    ASSERT_EQ(UndisturbedSweep().size(), 2u);
    cluster_.PushCorpus();
    const CommandResult submitted = cluster_.Submit(SpecOf(kSweep), /*wait=*/false);
    ASSERT_EQ(submitted.status, 0) << submitted.err;
  }
  void ExpectSameAsUndisturbed() {
    const CommandResult waited = cluster_.Etude({"sweep", "wait", "slurm"}, kRunSeconds);
    ASSERT_EQ(waited.status, 0) << waited.err;
    EXPECT_EQ(FingerprintsOf(cluster_, "slurm"), UndisturbedSweep());
  }

  // `etude fleet ARGUMENTS`.
  CommandResult Fleet(std::vector<std::string> arguments, double seconds = 120) {
    arguments.insert(arguments.begin(), "fleet");
    return cluster_.EtudeWith({slurm_->Environment()}, arguments, seconds);
  }
  CommandResult Up(int min, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "up",    "--engine", "slurm", "--min", std::to_string(min), "--max", std::to_string(kNodes),
        "--once"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Fleet(arguments);
  }
  nlohmann::json Members() {
    const CommandResult status = Fleet({"status", "-o", "json"});
    EXPECT_EQ(status.status, 0) << status.err;
    return nlohmann::json::parse(status.out).at("members");
  }
  // The member that trains a run.
  nlohmann::json MemberOf(const std::string& run) {
    for (const auto& member : Members()) {
      for (const auto& key : member.at("runs")) {
        if (key.get<std::string>().starts_with(run)) return member;
      }
    }
    return nullptr;
  }
  bool AwaitAllTrainingAt(std::int64_t step) {
    return Eventually(kRunSeconds, [&] {
      for (const std::string& run : cluster_.RunsOf("slurm")) {
        if (cluster_.StateOf(run) != "running" || cluster_.StepOf(run) < step) return false;
      }
      return true;
    });
  }
  std::string LogOf(const nlohmann::json& member) {
    std::stringstream text;
    text << std::ifstream(member.at("log").get<std::string>()).rdbuf();
    return text.str();
  }
  // Of the attempts of a run, in order.
  std::vector<std::string> OutcomesOf(const std::string& run) {
    std::vector<std::string> outcomes;
    const nlohmann::json shown = cluster_.EtudeJson({"run", "show", run});
    for (const auto& attempt : shown.at("attempts")) {
      outcomes.push_back(attempt.at("outcome").is_null() ? "" : attempt.at("outcome"));
    }
    return outcomes;
  }

  // A machine that fell silent is given up within seconds.
  Cluster cluster_{{.coordinator_toml = "lease_s = 3\ngrace_s = 3\nheartbeat_s = 0.5\n"}};
  std::unique_ptr<SlurmCluster> slurm_;
};

TEST_F(SlurmTest, PreemptedAndOutOfTimeWorkersGiveTheirJobsBackAndTakeAnotherTurn) {
  StartSweep();
  ASSERT_EQ(Up(2).status, 0);
  ASSERT_TRUE(AwaitAllTrainingAt(100));
  const std::vector<std::string> runs = cluster_.RunsOf("slurm");
  const auto preempted = MemberOf(runs[0]);
  const auto at_limit = MemberOf(runs[1]);
  ASSERT_FALSE(preempted.is_null() || at_limit.is_null());
  const std::string node = preempted.at("where");
  ASSERT_EQ(
      slurm_->Call({"sbatch", "-p", "high", "-w", node, "-o", "/dev/null", "--wrap", "sleep 1"})
          .status,
      0);
  // What Slurm sends before a time limit.
  const std::string limited = at_limit.at("member");
  ASSERT_EQ(slurm_->Call({"scancel", "--batch", "--signal=TERM", limited}).status, 0);
  for (const auto& member : {preempted, at_limit}) {
    EXPECT_TRUE(Eventually(kSlurmSeconds, [&] {
      return slurm_->FactOf(member.at("member"), "Restarts") == "1";
    })) << LogOf(member);
  }
  ExpectSameAsUndisturbed();
  for (const std::string& run : runs) {
    EXPECT_THAT(OutcomesOf(run), testing::ElementsAre("released", "succeeded"));
    EXPECT_GE(cluster_.LastStartStepOf(run), 100);
  }
  EXPECT_THAT(LogOf(at_limit), HasSubstr("asking for another turn"));
  EXPECT_EQ(Fleet({"down"}).status, 0);
}

TEST_F(SlurmTest, ACancelledWorkerIsReplacedAndADrainedFleetLeavesNothing) {
  StartSweep();
  ASSERT_EQ(Up(2).status, 0);
  ASSERT_TRUE(AwaitAllTrainingAt(100));
  const std::string run = cluster_.RunsOf("slurm")[0];
  const std::string cancelled = MemberOf(run).at("member");
  ASSERT_EQ(slurm_->Call({"scancel", cancelled}).status, 0);
  EXPECT_TRUE(Eventually(
      kSlurmSeconds, [&] { return !OutcomesOf(run).empty() && OutcomesOf(run)[0] == "released"; }));
  ASSERT_EQ(Up(2).status, 0);
  ASSERT_TRUE(Eventually(kRunSeconds, [&] {
    return cluster_.AttemptsOf(run) == 2 && cluster_.StepOf(run) > cluster_.LastStartStepOf(run);
  })) << "by another worker";
  const CommandResult down = Fleet({"down"});
  EXPECT_EQ(down.status, 0) << down.err;
  EXPECT_EQ(slurm_->Call({"squeue", "-h"}).out, "");
  EXPECT_FALSE(slurm_->Runs(ProgramPath("etude-worker")));
  EXPECT_EQ(OutcomesOf(run).back(), "released");
  ASSERT_EQ(Up(2).status, 0);
  ExpectSameAsUndisturbed();
  EXPECT_EQ(Fleet({"down"}).status, 0);
}

TEST_F(SlurmTest, AWorkerOfALostNodeThatComesBackIsFenced) {
  StartSweep();
  ASSERT_EQ(Up(1).status, 0);
  const std::string run = cluster_.RunsOf("slurm")[0];
  ASSERT_TRUE(Eventually(kRunSeconds, [&] { return cluster_.StepOf(run) >= 100; }));
  const auto member = MemberOf(run);
  const std::string worker = member.at("worker");  // its name, "-" and six hex digits
  const std::optional<pid_t> orphan = ProcessWith(worker.substr(0, worker.size() - 7));
  ASSERT_TRUE(orphan.has_value());
  // Its network is gone: nothing of it is heard, and Slurm gives the node up.
  kill(*orphan, SIGSTOP);
  slurm_->LoseNode(member.at("where"));
  EXPECT_TRUE(Eventually(kSlurmSeconds, [&] { return cluster_.AttemptsOf(run) == 2; }));
  kill(*orphan, SIGCONT);
  EXPECT_TRUE(Eventually(kSlurmSeconds, [&] {
    return LogOf(member).find("is superseded; discarding it") != std::string::npos;
  })) << LogOf(member);
  kill(*orphan, SIGTERM);
  ExpectSameAsUndisturbed();
  EXPECT_THAT(OutcomesOf(run), testing::ElementsAre(testing::Ne("succeeded"), "succeeded"));
  EXPECT_EQ(Fleet({"down"}).status, 0);
}

TEST_F(SlurmTest, AWorkerHasTheGpusAndCoresThatItAskedFor) {
  ASSERT_EQ(Up(1, {"--gpus", "2"}).status, 0);
  std::string log;
  EXPECT_TRUE(Eventually(kSlurmSeconds, [&] {
    const auto members = Members();
    log = members.empty() ? "" : LogOf(members[0]);
    return log.find("registered as slurm.") != std::string::npos;
  }));
  EXPECT_THAT(log, HasSubstr("1 CPUs"));
  EXPECT_THAT(log, HasSubstr("GPUs 0,1"));
  EXPECT_EQ(Fleet({"down"}).status, 0);
}

TEST_F(SlurmTest, AnIdleWorkerEndsByItself) {
  StartSweep();
  ASSERT_EQ(Up(0, {"--idle", "1s"}).status, 0);
  EXPECT_EQ(Members().size(), 1u) << "one, to measure what has never run";
  const CommandResult waited = cluster_.Etude({"sweep", "wait", "slurm"}, kRunSeconds);
  EXPECT_EQ(waited.status, 0) << waited.err;
  EXPECT_TRUE(Eventually(kSlurmSeconds, [&] { return Members().empty(); }));
}

TEST_F(SlurmTest, WhatSlurmRefusesAndWorkersThatFailAreToldNotRepeated) {
  const CommandResult refused = Up(1, {"--partition", "nowhere"});
  EXPECT_EQ(refused.status, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("sbatch refuses"));
  const CommandResult failing = Fleet({"up", "--engine", "slurm", "--min", "1", "--max", "1",
                                       "--every", "1s", "--program", "/bin/false"});
  EXPECT_EQ(failing.status, 1) << failing.err;
  EXPECT_THAT(failing.err, HasSubstr("3 workers failed one after the other"));
}

}  // namespace
}  // namespace etude
