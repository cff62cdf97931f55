#include "worker/health.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "tests/support/fake_clock.h"

namespace etude {
namespace {

class HealthTest : public testing::Test {
 protected:
  HealthTest() {
    std::string directory = testing::TempDir() + "health.XXXXXX";
    state_ = mkdtemp(directory.data());
    clock_.Advance(absl::Hours(1));
  }
  absl::Status ProbeNow(bool must_be_connected) const {
    FakeClock now = clock_;
    return Probe(state_, must_be_connected, now.MonotonicNow());
  }
  std::string state_;
  FakeClock clock_;
};

TEST_F(HealthTest, WhereNoWorkerRanNothingLives) {
  EXPECT_TRUE(absl::IsUnavailable(ProbeNow(false)));
}

TEST_F(HealthTest, AWorkerWithoutACoordinatorLivesAndIsNotReady) {
  Health health(state_);
  health.Note(false, clock_.MonotonicNow());
  EXPECT_TRUE(ProbeNow(false).ok());
  EXPECT_TRUE(absl::IsUnavailable(ProbeNow(true)));
  health.Note(true, clock_.MonotonicNow());
  EXPECT_TRUE(ProbeNow(true).ok()) << "a change is noted at once";
}

TEST_F(HealthTest, AHungWorkerIsDeadAfterAWhile) {
  Health health(state_);
  health.Note(true, clock_.MonotonicNow());
  clock_.Advance(kHealthLasts);
  EXPECT_TRUE(ProbeNow(true).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(ProbeNow(false)));
  health.Note(true, clock_.MonotonicNow());
  EXPECT_TRUE(ProbeNow(false).ok());
}

TEST_F(HealthTest, ANoteFromBeforeTheMachineStartedIsNoLife) {
  Health health(state_);
  health.Note(true, clock_.MonotonicNow() + absl::Hours(100));
  EXPECT_TRUE(absl::IsUnavailable(ProbeNow(false)));
}

}  // namespace
}  // namespace etude
