#include "client/progress.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/client/builders.h"

namespace etude {
namespace {

TEST(ProgressTest, OffATerminalALineComesEveryTenSeconds) {
  std::ostringstream err;
  FakeClock clock;
  Progress progress(err, Terminal(), clock);
  for (int second = 0; second <= 20; ++second) {
    progress.Update("at " + std::to_string(second));
    clock.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(err.str(), "at 0\nat 10\nat 20\n");
}

TEST(ProgressTest, OnATerminalOneLineIsRedrawnAndTakenAway) {
  std::ostringstream err;
  FakeClock clock;
  {
    Progress progress(err, {.stderr_is_tty = true, .columns = 10}, clock);
    progress.Update("longer than the terminal");
  }
  EXPECT_EQ(err.str(), "\rlonger...\x1b[K\r\x1b[K");
}

TEST(ProgressTest, WhatIsSaidStaysAboveTheMovingLine) {
  std::ostringstream err;
  FakeClock clock;
  Progress progress(err, {.stderr_is_tty = true}, clock);
  progress.Update("moving");
  progress.Say("said");
  EXPECT_EQ(err.str(), "\rmoving\x1b[K\r\x1b[Ksaid\n");
}

}  // namespace
}  // namespace etude
