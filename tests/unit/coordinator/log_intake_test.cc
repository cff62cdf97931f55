#include "coordinator/log_intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::chrono::seconds kPatience(20);

class LogIntakeTest : public testing::Test {
 protected:
  using Answer = absl::StatusOr<std::int64_t>;

  LogIntakeTest() {
    std::string path = testing::TempDir() + "etude.intake.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    logs_ = *AttemptLogs::Open(directory_, {});
    intake_ = std::make_unique<LogIntake>(*logs_);
  }
  ~LogIntakeTest() override {
    intake_.reset();
    std::filesystem::remove_all(directory_);
  }

  // One byte at its offset.
  std::future<Answer> Take(std::int64_t offset) {
    const auto promise = std::make_shared<std::promise<Answer>>();
    intake_->Take({job_, 1, offset, "x"},
                  [promise](const Answer& answer) { promise->set_value(answer); });
    return promise->get_future();
  }
  // The disk is slow: nothing is written after the first byte until `go_on` says so.
  void TakeFirstAndWait(const std::shared_future<void>& go_on) {
    std::promise<void> written;
    intake_->Take({job_, 1, 0, "x"}, [&written, go_on](const Answer& answer) {
      EXPECT_TRUE(answer.ok()) << answer.status();
      written.set_value();
      go_on.wait_for(kPatience);
    });
    ASSERT_EQ(written.get_future().wait_for(kPatience), std::future_status::ready);
  }

  std::string directory_;
  std::unique_ptr<AttemptLogs> logs_;
  std::unique_ptr<LogIntake> intake_;
  const JobId job_{"job.0"};
};

TEST_F(LogIntakeTest, AFullQueueShedsAndLosesNothingThatItTook) {
  constexpr auto kLimit = static_cast<std::int64_t>(kMaxWaitingLogTexts);
  std::promise<void> go_on;
  TakeFirstAndWait(go_on.get_future().share());
  std::vector<std::future<Answer>> taken;
  for (std::int64_t offset = 1; offset <= kLimit; ++offset) taken.push_back(Take(offset));
  std::future<Answer> shed = Take(kLimit + 1);
  ASSERT_EQ(shed.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "at once";
  const absl::Status status = shed.get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(status), testing::HasSubstr("retry after 1 s"));
  go_on.set_value();
  for (std::int64_t i = 0; i < kLimit; ++i) EXPECT_EQ(taken[i].get().value_or(-1), i + 2);
  EXPECT_EQ(Take(kLimit + 1).get().value_or(-1), kLimit + 2) << "there is room again";
  EXPECT_EQ(logs_->Read(job_, 1, 0, 1 << 20)->text, std::string(kLimit + 2, 'x'));
}

TEST_F(LogIntakeTest, WhatWaitsAtTheEndIsWrittenOrHearsThatItWasNot) {
  std::promise<void> go_on;
  TakeFirstAndWait(go_on.get_future().share());
  std::future<Answer> waiting = Take(1);
  std::jthread ends([this] { intake_.reset(); });
  go_on.set_value();
  ends.join();
  const Answer answer = waiting.get();
  // It may have been written before the end was asked for; then it was taken.
  EXPECT_EQ(answer.ok(), logs_->Read(job_, 1, 0, 10)->text == "xx");
  EXPECT_TRUE(answer.ok() || absl::IsUnavailable(answer.status())) << answer.status();
}

}  // namespace
}  // namespace etude
