#include "storage/attempt_logs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "lib/base/file.h"

namespace etude {
namespace {

const JobId kJob("abc.0");

class AttemptLogsTest : public testing::Test {
 protected:
  AttemptLogsTest() {
    std::string path = testing::TempDir() + "etude.logs.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path + "/logs";
    Reopen({});
  }
  ~AttemptLogsTest() override {
    std::filesystem::remove_all(std::filesystem::path(directory_).parent_path());
  }

  void Reopen(const AttemptLogs::Limits& limits) {
    logs_.reset();
    logs_ = *AttemptLogs::Open(directory_, limits);
  }
  std::int64_t Append(std::int64_t offset, const std::string& text, int attempt = 1) {
    return logs_->Append(kJob, attempt, offset, text).value_or(-1);
  }
  // Everything from `offset` on, with "[N]" where it goes on at offset N after a gap.
  std::string ReadFrom(std::int64_t offset, int attempt = 1, std::int64_t max_bytes = 3) {
    std::string all;
    while (true) {
      const AttemptLogs::Part part = *logs_->Read(kJob, attempt, offset, max_bytes);
      if (part.text.empty()) return all;
      if (part.offset != offset) all += "[" + std::to_string(part.offset) + "]";
      EXPECT_LE(std::ssize(part.text), max_bytes);
      all += part.text;
      offset = part.offset + std::ssize(part.text);
    }
  }
  int Files() const {
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(directory_), {}));
  }

  std::string directory_;
  std::unique_ptr<AttemptLogs> logs_;
};

TEST_F(AttemptLogsTest, WhatIsAppendedIsReadFromAnyPlace) {
  EXPECT_EQ(Append(0, "hello, "), 7);
  EXPECT_EQ(Append(7, "world\n"), 13);
  EXPECT_EQ(ReadFrom(0), "hello, world\n");
  EXPECT_EQ(ReadFrom(7), "world\n");
  EXPECT_EQ(ReadFrom(13), "");
  EXPECT_EQ(ReadFrom(100), "");
  EXPECT_EQ(ReadFrom(0, /*attempt=*/2), "");
}

TEST_F(AttemptLogsTest, WhatIsSentAgainIsThereOnce) {
  EXPECT_EQ(Append(0, "hello"), 5);
  EXPECT_EQ(Append(0, "hello"), 5);
  EXPECT_EQ(Append(3, "lo, world"), 12);
  EXPECT_EQ(Append(1, "ello"), 12);
  EXPECT_EQ(ReadFrom(0), "hello, world");
}

TEST_F(AttemptLogsTest, AGapIsSeenByItsReader) {
  EXPECT_EQ(Append(0, "hello"), 5);
  EXPECT_EQ(Append(1000, "world"), 1005);
  EXPECT_EQ(ReadFrom(0), "hello[1000]world");
}

TEST_F(AttemptLogsTest, OfALongLogTheOldestGoes) {
  Reopen({.segment_bytes = 4, .attempt_bytes = 10, .total_bytes = 1000});
  std::int64_t end = 0;
  for (const char* text : {"aaaa", "bbbb", "cccc", "dddd"}) end = Append(end, text);
  EXPECT_EQ(end, 16);
  EXPECT_EQ(ReadFrom(0), "[8]ccccdddd");
  EXPECT_EQ(Files(), 2);
}

TEST_F(AttemptLogsTest, OfManyLogsTheOneLongestUntouchedGoes) {
  Reopen({.segment_bytes = 100, .attempt_bytes = 100, .total_bytes = 10});
  Append(0, "aaaa", 1);
  Append(0, "bbbb", 2);
  Append(4, "aa", 1);
  Append(0, "cccc", 3);
  EXPECT_EQ(ReadFrom(0, 1), "aaaaaa");
  EXPECT_EQ(ReadFrom(0, 2), "");
  EXPECT_EQ(ReadFrom(0, 3), "cccc");
}

TEST_F(AttemptLogsTest, ARestartKeepsThemAndGoesOn) {
  Append(0, "hello");
  Append(100, "world");
  ASSERT_TRUE(WriteFileAtomically(directory_ + "/README", "not a log").ok());
  Reopen({});
  EXPECT_EQ(ReadFrom(0), "hello[100]world");
  EXPECT_EQ(Append(105, "!"), 106);
  EXPECT_EQ(ReadFrom(100), "world!");
  EXPECT_TRUE(FileExists(directory_ + "/README"));
}

TEST_F(AttemptLogsTest, RemovedAndCollectedOnesAreGone) {
  Append(0, "hello", 1);
  Append(0, "hello", 2);
  logs_->Remove(kJob, 1);
  EXPECT_EQ(ReadFrom(0, 1), "");
  EXPECT_EQ(logs_->Collect(absl::FromUnixSeconds(0)), 0);
  EXPECT_EQ(logs_->Collect(absl::InfiniteFuture()), 1);
  EXPECT_EQ(Files(), 0);
}

TEST_F(AttemptLogsTest, AJobThatIsNoFileNameIsRefused) {
  for (const char* job : {"../x", "a/b", "", ".."}) {
    EXPECT_EQ(logs_->Append(JobId(job), 1, 0, "x").status().code(),
              absl::StatusCode::kInvalidArgument)
        << job;
  }
  EXPECT_EQ(logs_->Append(kJob, 1, -1, "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Files(), 0);
}

TEST_F(AttemptLogsTest, OthersMayNotReadThem) {
  Append(0, "hello");
  struct stat facts {};
  ASSERT_EQ(stat((directory_ + "/abc.0.1.0").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 077, 0u);
}

TEST_F(AttemptLogsTest, ADirectoryThatHasGoneIsAnErrorAndNothingMore) {
  std::filesystem::remove_all(directory_);
  EXPECT_FALSE(logs_->Append(kJob, 1, 0, "x").ok());
  EXPECT_EQ(ReadFrom(0), "");
}

}  // namespace
}  // namespace etude
