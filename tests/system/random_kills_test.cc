// Real training while coordinator, workers and trainers are killed at random, and workers stopped
// past their leases: what was learnt must be what an undisturbed sweep learns, bit for bit.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lib/base/hash.h"
#include "lib/base/random.h"
#include "tests/support/cluster.h"

namespace etude {
namespace {

// Of all rounds together. $ETUDE_SOAK_KILLS: another number.
constexpr int kKillsOfATest = 15;
constexpr int kMaxKillsOfARound = 20;  // a round is a sweep on a cluster of its own
constexpr double kShortestPauseSeconds = 0.2;
constexpr double kLongestPauseSeconds = 1.4;
constexpr double kStoppedSeconds = 2.5;  // longer than lease and grace
constexpr double kSweepSeconds = 240;
constexpr double kEndSeconds = 10;
constexpr std::uint64_t kSeed = 20;

// A silent worker's jobs go to another within two seconds; a job may be lost as often as it likes.
constexpr char kCoordinatorToml[] =
    "heartbeat_s = 0.25\nlease_s = 1\ngrace_s = 1\nmax_infrastructure_retries = 1000\n";
constexpr char kSpec[] = R"(name   = "kills"
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
tokens = ["300k"]
seeds  = [1, 2]
[[grid]]
lstm   = ["1x48"]
tokens = ["300k"]
seeds  = [1, 2]
[eval]
curve = { points = 6, tokens = "4k" }
)";
// Of `run show`: what no kill may change.
constexpr const char* kFacts[] = {"state",         "n_all",          "n_body",
                                  "n_compute",     "tokens",         "unique_tokens",
                                  "step",          "steps",          "val_loss",
                                  "best_val_loss", "best_step",      "train_eval_loss",
                                  "perplexity",    "mixed_numerics", "weights_sha256"};

int KillsWanted() {
  const char* text = std::getenv("ETUDE_SOAK_KILLS");
  return text == nullptr ? kKillsOfATest : std::atoi(text);
}

class Kills {
 public:
  explicit Kills(std::uint32_t round) : random_(kSeed, RandomStream::kSampling, round) {
    cluster_.StartCoordinator();
    for (const char* worker : kWorkers) cluster_.StartWorker(worker);
    cluster_.PushCorpus();
    const CommandResult submitted = cluster_.Submit(kSpec, /*wait=*/false);
    EXPECT_EQ(submitted.status, 0) << submitted.err;
  }

  // Until the sweep has ended or `limit` kills are done; returns their number. A worker that is
  // stopped for a while counts as none.
  int Disturb(int limit) {
    int kills = 0;
    while (kills < limit && !Pause()) kills += Strike();
    return kills;
  }

  // Of each run, in the order of the spec, all that must be equal.
  std::vector<std::string> Learnt() {
    const CommandResult waited = cluster_.Etude({"sweep", "wait", "kills"}, kSweepSeconds);
    EXPECT_EQ(waited.status, 0) << waited.err << waited.out;
    std::vector<std::string> learnt;
    for (const std::string& run : cluster_.RunsOf("kills")) {
      learnt.push_back(cluster_.FingerprintOf(run) + FactsOf(run));
      ExpectWeightsOf(run);
    }
    return learnt;
  }

  // How often each was killed.
  const std::map<std::string, int>& struck() const { return struck_; }
  int attempts() const { return attempts_; }

 private:
  static constexpr const char* kWorkers[] = {"one", "two"};

  std::uint64_t Below(std::uint64_t bound) { return random_.Below(draws_++, bound); }

  // For a random time; true: the sweep has ended.
  bool Pause() {
    const double share = random_.Uniform(draws_++);
    const double seconds =
        kShortestPauseSeconds + share * (kLongestPauseSeconds - kShortestPauseSeconds);
    return Eventually(seconds, [this] { return SweepHasEnded(); });
  }

  bool SweepHasEnded() {
    return cluster_.EtudeJson({"sweep", "show", "kills"})["state"] != "active";
  }

  // How many it killed.
  int Strike() {
    const std::string worker = kWorkers[Below(2)];
    switch (Below(8)) {
      case 0:
      case 1:
        return KillCoordinator();
      case 2:
      case 3:
        return KillWorker(worker);
      case 4:
        return StopPastTheLease(worker);
      default:
        return KillTrainer(worker);
    }
  }

  int KillCoordinator() {
    cluster_.coordinator().Signal(SIGKILL);
    EXPECT_TRUE(cluster_.coordinator().Wait(kEndSeconds).has_value());
    cluster_.StartCoordinator();
    ++struck_["coordinator killed"];
    return 1;
  }

  int KillWorker(const std::string& worker) {
    cluster_.worker(worker).Signal(SIGKILL);
    EXPECT_TRUE(cluster_.worker(worker).Wait(kEndSeconds).has_value());
    cluster_.StartWorker(worker);
    ++struck_["worker killed"];
    return 1;
  }

  // Its only one; none while that is being replaced.
  int KillTrainer(const std::string& worker) {
    const auto trainers = ChildrenOf(cluster_.worker(worker).pid(), "etude-trainer");
    for (const pid_t pid : trainers) kill(pid, SIGKILL);
    struck_["trainer killed"] += static_cast<int>(trainers.size());
    return static_cast<int>(trainers.size());
  }

  // Its trainer trains on, and what both say afterwards comes too late.
  int StopPastTheLease(const std::string& worker) {
    cluster_.worker(worker).Signal(SIGSTOP);
    Eventually(kStoppedSeconds, [] { return false; });
    cluster_.worker(worker).Signal(SIGCONT);
    ++struck_["worker stopped past its lease"];
    return 0;
  }

  // The attempts are numbered without a hole, and only the last one succeeded.
  std::string FactsOf(const std::string& run) {
    const nlohmann::json shown = cluster_.EtudeJson({"run", "show", run});
    const nlohmann::json& attempts = shown["attempts"];
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      EXPECT_EQ(attempts[i]["attempt"], i + 1) << run;
      EXPECT_FALSE(attempts[i]["outcome"] == "running") << run;
      EXPECT_EQ(attempts[i]["outcome"] == "succeeded", i + 1 == attempts.size()) << run;
    }
    attempts_ += static_cast<int>(attempts.size());
    std::string facts;
    for (const char* fact : kFacts) facts += std::string(fact) + "=" + shown[fact].dump() + "\n";
    return facts;
  }

  void ExpectWeightsOf(const std::string& run) {
    const std::string directory = NewDirectory("weights");
    const CommandResult pulled = cluster_.Etude({"run", "pull", run, "--last", directory});
    ASSERT_EQ(pulled.status, 0) << pulled.err;
    const auto sha256 = Sha256HexOfFile(directory + "/model.safetensors");
    ASSERT_TRUE(sha256.ok()) << sha256.status();
    EXPECT_EQ(*sha256, cluster_.EtudeJson({"run", "show", run})["weights_sha256"]);
  }

  Cluster cluster_{{.coordinator_toml = kCoordinatorToml}};
  const CounterRandom random_;
  std::uint64_t draws_ = 0;
  std::map<std::string, int> struck_;
  int attempts_ = 0;
};

TEST(RandomKillsTest, WhatIsLearntIsWhatAnUndisturbedSweepLearns) {
  const std::vector<std::string> undisturbed = Kills(0).Learnt();
  ASSERT_EQ(undisturbed.size(), 4u);
  const int wanted = KillsWanted();
  std::map<std::string, int> struck;
  int kills = 0;
  for (std::uint32_t round = 1; kills < wanted && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Kills disturbed(round);
    kills += disturbed.Disturb(std::min(wanted - kills, kMaxKillsOfARound));
    EXPECT_EQ(disturbed.Learnt(), undisturbed);
    for (const auto& [who, times] : disturbed.struck()) struck[who] += times;
    std::printf("round %u: %d kills so far, %d attempts of 4 runs\n", round, kills,
                disturbed.attempts());
    std::fflush(stdout);
  }
  for (const auto& [who, times] : struck) std::printf("%s: %d times\n", who.c_str(), times);
}

}  // namespace
}  // namespace etude
