#include "worker/trainer_exit.h"

#include <gtest/gtest.h>

#include <csignal>

namespace etude {
namespace {

struct Case {
  TrainerExit exit;
  JobOutcome outcome;
};

class TrainerExitTest : public testing::TestWithParam<Case> {};

TEST_P(TrainerExitTest, MapsToItsOutcomeWithAReason) {
  const ExitMeaning meaning = MeaningOf(GetParam().exit);
  EXPECT_EQ(meaning.outcome, GetParam().outcome);
  EXPECT_FALSE(meaning.reason.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Table, TrainerExitTest,
    testing::Values(Case{{.signal = SIGKILL, .out_of_memory = true}, JobOutcome::kOutOfMemory},
                    Case{{.signal = SIGKILL}, JobOutcome::kKilled},
                    Case{{.signal = SIGTERM}, JobOutcome::kKilled},
                    Case{{.signal = SIGTERM, .out_of_memory = true}, JobOutcome::kKilled},
                    Case{{.signal = SIGSEGV}, JobOutcome::kCrashed},
                    Case{{.signal = SIGABRT}, JobOutcome::kCrashed},
                    Case{{.code = 0}, JobOutcome::kCrashed},
                    Case{{.code = 1}, JobOutcome::kCrashed},
                    Case{{.code = 137}, JobOutcome::kCrashed}));

TEST(TrainerExitTest, ACrashNamesItsSignal) {
  EXPECT_NE(MeaningOf({.signal = SIGSEGV}).reason.find("signal 11"), std::string::npos);
}

}  // namespace
}  // namespace etude
