#include "client/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace etude {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);

// In a process of its own: other tests of this binary leave threads that do not block signals.
class SignalsTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

[[noreturn]] void CountTwoSignals() {
  Signals signals;
  bool good = !signals.WaitFor(absl::ZeroDuration());
  kill(getpid(), SIGINT);
  good = good && signals.WaitFor(kLong) && !signals.WaitFor(absl::ZeroDuration(), 2);
  kill(getpid(), SIGTERM);
  _exit(good && signals.WaitFor(kLong, 2) ? 0 : 1);
}

[[noreturn]] void ReactToAnEarlierSignal() {
  Signals signals;
  kill(getpid(), SIGINT);
  int reactions = signals.WaitFor(kLong) ? 0 : 100;
  signals.OnSignal([&] { ++reactions; });
  signals.OnSignal(nullptr);
  _exit(reactions == 1 ? 0 : 1);
}

TEST_F(SignalsTest, CtrlCIsCountedInsteadOfEndingTheProcess) {
  EXPECT_EXIT(CountTwoSignals(), testing::ExitedWithCode(0), "");
}

TEST_F(SignalsTest, AReactionRunsAtOnceWhenASignalHasComeAlready) {
  EXPECT_EXIT(ReactToAnEarlierSignal(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace etude
