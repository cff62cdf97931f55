// Runs that share a trunk, by real processes and real training: they equal runs from the beginning.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/support/cluster.h"
#include "tests/support/process.h"

namespace etude {
namespace {

std::string SpecOf(const std::string& name, const std::string& tokens) {
  return "name = \"" + name +
         "\"\ncorpus = \"tunes\"\n[train]\ncontext = 32\nbatch = 8\nrepeat = true\ndropout = 0.1\n"
         "[transformer]\nlr = 3e-3\n[lstm]\nlr = 1e-2\n"
         "[[grid]]\ntransformer = [\"1x16x1\"]\ntokens = [" +
         tokens + "]\nseeds = [7]\n[[grid]]\nlstm = [\"1x24\"]\ntokens = [" + tokens +
         "]\nseeds = [7]\n[eval]\ncurve = { points = 6, tokens = \"2k\" }\n";
}

// The curve of a run but for timings and probes, whose steps follow the D of who trains them.
std::string CurveOf(Cluster& cluster, const std::string& run) {
  std::istringstream lines(cluster.Etude({"run", "curve", run, "-o", "csv"}).out);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    for (const char* series : {",train,", ",lr,", ",grad_norm,", ",val,"}) {
      if (line.find(series) != std::string::npos) kept += line + "\n";
    }
  }
  return kept;
}

struct Facts {
  std::string curve;
  std::string weights;
  double val_loss = 0;
  int steps = 0;
};

std::map<std::string, Facts> FactsOf(Cluster& cluster, const std::string& sweep) {
  std::map<std::string, Facts> facts;
  for (const std::string& run : cluster.RunsOf(sweep)) {
    const nlohmann::json shown = cluster.EtudeJson({"run", "show", run});
    const std::string curve = CurveOf(cluster, run);
    facts[run] = {curve, shown.at("weights_sha256"), shown.at("val_loss"), shown.at("steps")};
  }
  return facts;
}

// Where the first attempt of the run's own job began.
int FirstStepOf(Cluster& cluster, const std::string& run) {
  const nlohmann::json shown = cluster.EtudeJson({"run", "show", run});
  for (const auto& attempt : shown.at("attempts")) {
    const std::string job = attempt.at("job");
    if (job.starts_with(run)) return attempt.at("start_step");
  }
  return -1;
}

TEST(TrunkTest, BranchesEqualRunsFromTheBeginningThoughTheirTrunkWasKilled) {
  Cluster shared;
  shared.StartCoordinator();
  shared.StartWorker("one");
  shared.PushCorpus();
  const auto waiting = shared.Submit(SpecOf("all", "\"60k\", \"120k\", \"240k\""), /*wait=*/false);
  ASSERT_EQ(waiting.status, 0) << waiting.err;
  const std::vector<std::string> runs = shared.RunsOf("all");
  ASSERT_EQ(runs.size(), 6u);
  // The transformer's longest run is its trunk.
  ASSERT_TRUE(Eventually(60, [&] { return shared.StepOf(runs[2]) >= 300; }));
  shared.worker("one").Signal(SIGKILL);
  ASSERT_TRUE(shared.worker("one").Wait(10).has_value());
  shared.StartWorker("one");
  ASSERT_EQ(shared.Etude({"sweep", "wait", "all"}, 120).status, 0);
  const std::map<std::string, Facts> branched = FactsOf(shared, "all");

  for (const char* tokens : {"\"60k\"", "\"120k\"", "\"240k\""}) {
    Cluster alone;
    alone.StartCoordinator();
    alone.StartWorker("one");
    alone.PushCorpus();
    const auto done = alone.Submit(SpecOf("alone", tokens), /*wait=*/true);
    ASSERT_EQ(done.status, 0) << done.err;
    for (const auto& [run, facts] : FactsOf(alone, "alone")) {
      ASSERT_TRUE(branched.contains(run)) << "the same runs";
      EXPECT_EQ(branched.at(run).weights, facts.weights) << run << " of " << tokens;
      EXPECT_EQ(branched.at(run).val_loss, facts.val_loss) << run << " of " << tokens;
      EXPECT_EQ(branched.at(run).curve, facts.curve) << run << " of " << tokens;
    }
  }
  // Every shared step was trained once: the shorter runs began where they cool down.
  for (const auto& [run, facts] : branched) {
    const bool longest = facts.steps > 900;
    EXPECT_EQ(FirstStepOf(shared, run), longest ? 0 : facts.steps * 4 / 5) << run;
  }
}

TEST(TrunkTest, AnExtendedSweepGoesOnWhereTheOldOneBeganToCoolDownAndOutlivesIt) {
  Cluster cluster;
  cluster.StartCoordinator();
  cluster.StartWorker("one");
  cluster.PushCorpus();
  const auto done = cluster.Submit(SpecOf("all", "\"60k\""), /*wait=*/true);
  ASSERT_EQ(done.status, 0) << done.err;
  const std::vector<std::string> old = cluster.RunsOf("all");
  const CommandResult extended =
      cluster.Etude({"sweep", "extend", "all", "--tokens", "120k", "--wait"}, 120);
  ASSERT_EQ(extended.status, 0) << extended.err;
  const std::vector<std::string> runs = cluster.RunsOf("all-2");
  ASSERT_EQ(runs.size(), 4u);
  int longer = 0;
  for (const auto& [run, facts] : FactsOf(cluster, "all-2")) {
    if (std::find(old.begin(), old.end(), run) != old.end()) continue;
    ++longer;
    EXPECT_EQ(FirstStepOf(cluster, run), 187) << "after 4/5 of 234 steps";
  }
  EXPECT_EQ(longer, 2);
  // The export has the spec; deleting the old sweep takes nothing from the new one.
  const std::string out = cluster.directory() + "/out";
  ASSERT_EQ(cluster.Etude({"export", "all-2", "--to", "csv", out}).status, 0);
  EXPECT_EQ(RunCommand({"grep", "-q", "120k", out + "/config/sweep.toml"}).status, 0);
  const std::string before = CurveOf(cluster, runs[3]);
  ASSERT_EQ(cluster.Etude({"sweep", "delete", "all", "--name", "al"}).status, 2);
  ASSERT_EQ(cluster.Etude({"sweep", "delete", "all", "--name", "all"}).status, 0);
  EXPECT_EQ(CurveOf(cluster, runs[3]), before);
  ASSERT_EQ(cluster.Etude({"sweep", "delete", "all-2", "--name", "all-2"}).status, 0);
  EXPECT_EQ(cluster.Etude({"run", "show", runs[3]}).status, 3);
}

}  // namespace
}  // namespace etude
