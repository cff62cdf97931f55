// Looks on while real training writes its log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "lib/base/file.h"
#include "tests/support/cluster.h"
#include "tests/support/http.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr double kRunSeconds = 240;

class LogsSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartCoordinator();
    cluster_.StartWorker("one");
    cluster_.PushCorpus();
    const SmallSweep sweep = {.name = "logs", .tokens = "1.2M"};
    const CommandResult submitted = cluster_.Submit(SpecOf(sweep), /*wait=*/false);
    ASSERT_EQ(submitted.status, 0) << submitted.err;
    ASSERT_TRUE(Eventually(kRunSeconds, [&] {
      for (const std::string& run : cluster_.RunsOf("logs")) {
        if (cluster_.StateOf(run) == "running" && cluster_.StepOf(run) > 0) run_ = run;
      }
      return !run_.empty();
    }));
  }

  // What `etude run logs -f` in the background has printed so far.
  std::string Output(const std::string& stream) const {
    return ReadFile(cluster_.directory() + "/background." + stream).value_or("");
  }

  Cluster cluster_{{.coordinator_toml = "metrics = \"127.0.0.1:0\"\n"}};
  std::string run_;
};

TEST_F(LogsSystemTest, AFollowerSeesLinesAsTheyComeOverTwoAttemptsAndEndsWithTheRun) {
  const auto follower = cluster_.StartEtude({"run", "logs", run_, "-f"});
  ASSERT_TRUE(Eventually(30, [&] { return Output("out").find("train loss") != std::string::npos; }))
      << Output("err");
  ASSERT_EQ(cluster_.StateOf(run_), "running") << "before any log was uploaded";
  const CommandResult so_far = cluster_.Etude({"run", "logs", run_, "--tail", "2"});
  EXPECT_EQ(so_far.status, 0) << so_far.err;
  EXPECT_EQ(std::count(so_far.out.begin(), so_far.out.end(), '\n'), 2) << so_far.out;
  for (const pid_t pid : ChildrenOf(cluster_.worker("one").pid(), "etude-trainer")) {
    kill(pid, SIGKILL);
  }
  EXPECT_EQ(follower->Wait(kRunSeconds), 0) << Output("err");
  EXPECT_EQ(cluster_.StateOf(run_), "succeeded");
  EXPECT_THAT(Output("err"), HasSubstr("attempt 1 on worker one"));
  EXPECT_THAT(Output("err"), HasSubstr("attempt 2 on worker one"));
  EXPECT_EQ(Output("out"), cluster_.Etude({"run", "logs", run_}).out);
}

TEST_F(LogsSystemTest, CtrlCEndsTheFollowerAndTheRunGoesOn) {
  const auto follower = cluster_.StartEtude({"run", "logs", run_, "--follow", "-o", "ndjson"});
  ASSERT_TRUE(Eventually(30, [&] { return !Output("out").empty(); })) << Output("err");
  EXPECT_THAT(Output("out"), HasSubstr("\"attempt\":1,\"line\":"));
  follower->Signal(SIGINT);
  EXPECT_EQ(follower->Wait(10), 130) << Output("err");
  EXPECT_THAT(Output("err"), HasSubstr("goes on"));
  EXPECT_EQ(cluster_.StateOf(run_), "running");
}

TEST_F(LogsSystemTest, MetricsCountWhatRealTrainingDoes) {
  const std::string said = ReadFile(cluster_.directory() + "/coordinator.out").value_or("");
  const std::string before = "metrics at http://";
  ASSERT_THAT(said, HasSubstr(before));
  const std::size_t begin = said.find(before) + before.size();
  const std::string endpoint = said.substr(begin, said.find('/', begin) - begin);
  const auto scrape = [&] {
    return HttpExchange(endpoint, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  };
  EXPECT_TRUE(Eventually(20, [&] {
    const std::string text = scrape();
    return text.find("etude_rpcs_total{method=\"ShipLog\",code=\"OK\"}") != std::string::npos &&
           text.find("etude_rpcs_total{method=\"Heartbeat\",code=\"OK\"}") != std::string::npos;
  })) << scrape();
  const std::string text = scrape();
  EXPECT_THAT(text, HasSubstr("etude_workers{state=\"online\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("etude_leases 1\n"));
  EXPECT_THAT(text, HasSubstr("etude_runs{state=\"running\"} 1\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("etude_points_committed_total 0\n")));
}

}  // namespace
}  // namespace etude
