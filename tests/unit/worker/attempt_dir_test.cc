#include "worker/attempt_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "lib/base/file.h"

namespace etude {
namespace {

TEST(AttemptDirTest, OnlyFinishedAttemptsMakeWay) {
  const std::string state = testing::TempDir() + "attempt_dir_test." + std::to_string(getpid());
  std::filesystem::remove_all(state);
  const AttemptDir finished{state, JobId("run.0"), 1};
  const AttemptDir trained{state, JobId("run.0"), 2};  // by another slot, until it hears it is over
  const AttemptDir next{state, JobId("run.0"), 3};
  for (const AttemptDir& dir : {finished, trained, next}) ASSERT_TRUE(CreateAttemptDir(dir).ok());
  ASSERT_TRUE(MarkFinished(finished).ok());
  RemoveOtherAttempts(next);
  EXPECT_FALSE(FileExists(finished.Path()));
  EXPECT_TRUE(FileExists(trained.Path()));
  EXPECT_TRUE(FileExists(next.Path()));
  std::filesystem::remove_all(state);
}

}  // namespace
}  // namespace etude
