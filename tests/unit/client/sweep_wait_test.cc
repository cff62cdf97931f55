#include "client/sweep_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "lib/base/status.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

// A coordinator whose watches end as scripted; the last entry repeats.
class SweepWaitTest : public testing::Test {
 protected:
  struct Step {
    std::vector<SweepView> views;
    absl::Status end;
  };
  SweepWait MakeWait(const std::vector<Step>& script) {
    SweepWait wait;
    wait.watch = [this, script](absl::Duration,
                                const std::function<bool(const SweepView&)>& on_view) {
      const Step& step = script[std::min<std::size_t>(watches_++, script.size() - 1)];
      for (const SweepView& view : step.views) on_view(view);
      return step.end;
    };
    wait.interrupted = [this](absl::Duration pause) {
      clock_.Advance(pause);
      longest_pause_ = std::max(longest_pause_, pause);
      return interrupted_;
    };
    wait.on_view = [this](const SweepView&) { ++views_; };
    wait.say = [this](const std::string& line) { said_.push_back(line); };
    return wait;
  }

  FakeClock clock_;
  std::size_t watches_ = 0;
  int views_ = 0;
  bool interrupted_ = false;
  absl::Duration longest_pause_;
  std::vector<std::string> said_;
};

const SweepView kRunning = MakeView(SweepState::kActive, 1, 1, 0);
const SweepView kEnded = MakeView(SweepState::kFinished, 2, 0, 0);

TEST_F(SweepWaitTest, ReturnsTheLastViewOnceTheSweepEnded) {
  const auto view = WaitForSweep(MakeWait({{{kRunning, kEnded}, absl::OkStatus()}}), clock_);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->summary.succeeded, 2);
  EXPECT_EQ(views_, 2);
}

TEST_F(SweepWaitTest, ARestartOfTheCoordinatorIsWaitedOut) {
  const auto view = WaitForSweep(MakeWait({{{kRunning}, Unavailable("gone")},
                                           {{}, Unavailable("gone")},
                                           {{kEnded}, absl::OkStatus()}}),
                                 clock_);
  EXPECT_TRUE(view.ok());
  EXPECT_EQ(said_, std::vector<std::string>{"gone; trying again"});
}

TEST_F(SweepWaitTest, TheReasonIsSaidEveryTenSecondsAndPausesStayShort) {
  SweepWait wait = MakeWait({{{}, Unavailable("gone")}});
  wait.timeout = absl::Seconds(60);
  EXPECT_EQ(WaitForSweep(wait, clock_).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(clock_.MonotonicNow(), absl::UnixEpoch() + absl::Seconds(60));
  EXPECT_GE(said_.size(), 4U);
  EXPECT_LE(said_.size(), 6U);
  EXPECT_LE(longest_pause_, absl::Seconds(5));
}

TEST_F(SweepWaitTest, CtrlCLeavesTheSweepGoing) {
  interrupted_ = true;
  const auto view = WaitForSweep(MakeWait({{{kRunning}, Cancelled("stopped")}}), clock_);
  EXPECT_EQ(view.status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(MessageOf(view.status()), testing::HasSubstr("goes on"));
}

TEST_F(SweepWaitTest, OtherErrorsAreNotTriedAgain) {
  const auto view = WaitForSweep(MakeWait({{{}, NotFound("no such sweep")}}), clock_);
  EXPECT_EQ(view.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(watches_, 1U);
}

TEST_F(SweepWaitTest, AnOldWatchIsRenewedWithoutAWord) {
  const auto view = WaitForSweep(
      MakeWait({{{kRunning}, DeadlineExceeded("old")}, {{kEnded}, absl::OkStatus()}}), clock_);
  EXPECT_TRUE(view.ok());
  EXPECT_TRUE(said_.empty());
}

TEST(SweepEndTest, AFailedOrCancelledRunIsExitSeven) {
  EXPECT_EQ(ExitCodeOfEnded(MakeView(SweepState::kFinished, 3, 0, 0)), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOfEnded(MakeView(SweepState::kFinished, 2, 0, 1)), ExitCode::kSomeRunsFailed);
  SweepView cancelled = MakeView(SweepState::kCancelled, 2, 0, 0);
  cancelled.summary.cancelled = 1;
  EXPECT_EQ(ExitCodeOfEnded(cancelled), ExitCode::kSomeRunsFailed);
}

TEST(SweepEndTest, TheProgressLineCountsAndEstimates) {
  SweepView view = MakeView(SweepState::kActive, 3, 1, 0);
  view.summary.queued = 5;
  view.eta_s = 250;
  EXPECT_EQ(ProgressLine(view), "first: 3/9 runs, 1 running, 0 failed, ETA 4 min 10 s");
  view.eta_s = -1;
  EXPECT_THAT(ProgressLine(view), testing::EndsWith("ETA not known yet"));
}

TEST(SweepEndTest, TheProgressLineSaysWhyNothingRuns) {
  SweepView view = MakeView(SweepState::kActive, 0, 0, 0);
  view.summary.queued = 1;
  view.runs = {MakeRun()};
  view.runs[0].wait_reason = "no worker online";
  EXPECT_THAT(ProgressLine(view), testing::EndsWith("waiting: no worker online"));
}

}  // namespace
}  // namespace etude
