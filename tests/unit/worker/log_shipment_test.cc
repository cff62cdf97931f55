// How people can look on while an attempt trains, and that nothing waits for it.
#include "worker/log_shipment.h"

#include <gtest/gtest.h>

#include <fstream>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/worker/agent_fixture.h"

namespace etude {
namespace {

class LogShipmentTest : public AgentFixture {
 protected:
  // As the trainer does.
  void Write(const std::string& text) const {
    std::ofstream(AttemptPath(1) + "/" + kTrainerLogFile, std::ios::app) << text;
  }
  std::string Shipped() const {
    const auto log = coordinator_.logs.find({kJob, 1});
    return log == coordinator_.logs.end() ? "" : log->second;
  }
};

TEST_F(LogShipmentTest, WhatTheTrainerWritesIsThereAFewSecondsLater) {
  StartTraining();
  Pass(kShipLogEvery * 2);
  EXPECT_EQ(Shipped(), "started\n");
  Write("step 10\n");
  Pass(kShipLogEvery * 2);
  EXPECT_EQ(Shipped(), "started\nstep 10\n");
}

TEST_F(LogShipmentTest, WhereNothingIsNewNothingIsSent) {
  StartTraining();
  Pass(absl::Seconds(60));
  EXPECT_EQ(coordinator_.log_calls, 1);
}

TEST_F(LogShipmentTest, ALongTextGoesInPartsOneEachTime) {
  StartTraining();
  Write(std::string(3 * kMaxShippedBytes, 'x'));
  Pass(kShipLogEvery * 2);
  EXPECT_LE(coordinator_.log_calls, 2);
  Pass(kShipLogEvery * 6);
  EXPECT_EQ(Shipped(), "started\n" + std::string(3 * kMaxShippedBytes, 'x'));
  EXPECT_LE(coordinator_.longest_log_text, static_cast<std::size_t>(kMaxShippedBytes));
}

TEST_F(LogShipmentTest, ATrainerThatWritesTooMuchIsSeenNearItsEnd) {
  StartTraining();
  Pass(kShipLogEvery);
  Write(std::string(4 * kMaxUnshippedBytes, 'x'));
  Write("the end");
  Pass(kShipLogEvery * 2);
  EXPECT_LE(coordinator_.log_calls, 3);
  EXPECT_TRUE(Shipped().ends_with("xthe end"));
  EXPECT_NE(Shipped().find("started\n~"), std::string::npos);
}

TEST_F(LogShipmentTest, ACoordinatorThatIsAwayGetsItLaterAndTrainingGoesOn) {
  StartTraining(100);
  coordinator_.away = true;
  Write("while away\n");
  spawner_->current().TrainTo(50);
  Pass(absl::Seconds(30));
  EXPECT_EQ(Shipped(), "");
  coordinator_.away = false;
  Pass(absl::Minutes(2));
  EXPECT_EQ(Shipped(), "started\nwhile away\n");
  EXPECT_TRUE(HasCurve(1, 1, 50));
}

TEST_F(LogShipmentTest, ACoordinatorWithMoreImportantWorkIsAskedLessAndLess) {
  StartTraining();
  coordinator_.log_answer = ResourceExhausted("later");
  Pass(absl::Minutes(5));
  EXPECT_LE(coordinator_.log_calls, 15);
  coordinator_.log_answer = absl::OkStatus();
  Pass(absl::Minutes(2));
  EXPECT_EQ(Shipped(), "started\n");
}

TEST_F(LogShipmentTest, ACoordinatorThatTakesNoLogsIsAskedOnceAndTheJobSucceeds) {
  StartTraining(20);
  coordinator_.log_answer = Unimplemented("an older version");
  Pass(absl::Minutes(5));
  EXPECT_EQ(coordinator_.log_calls, 1);
  spawner_->Complete();
  Pass(absl::Seconds(1));
  EXPECT_EQ(LastEnding().outcome, JobOutcome::kSucceeded);
  EXPECT_EQ(LastEnding().artifacts.size(), 1u);
}

TEST_F(LogShipmentTest, TheNextAttemptBeginsAnew) {
  StartTraining(20);
  Write("one\n");
  Pass(kShipLogEvery * 2);
  coordinator_.queue.push_back(MakeAssignment(2, 20));
  spawner_->Complete();
  Pass(kShipLogEvery * 3);
  EXPECT_EQ(Shipped(), "started\none\n");
  EXPECT_EQ((coordinator_.logs.at({kJob, 2})), "started\n");
}

}  // namespace
}  // namespace etude
