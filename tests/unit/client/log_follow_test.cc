#include "client/log_follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "lib/base/status.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Part = CoordinatorClient::LogPart;

Attempt MakeAttempt(int number) {
  Attempt attempt;
  attempt.number = number;
  attempt.worker = WorkerId("w-" + std::to_string(number));
  return attempt;
}

std::vector<std::string> LinesOf(const std::vector<Part>& parts) {
  std::vector<std::string> lines;
  LogLines maker([&](const std::string& line) { lines.push_back(line); });
  for (const Part& part : parts) maker.Add(part.offset, part.text);
  maker.End();
  return lines;
}

TEST(LogLinesTest, PartsNeedNotEndWhereLinesDo) {
  EXPECT_THAT(LinesOf({{std::nullopt, 0, "on"}, {std::nullopt, 2, "e\n\ntwo\nthr"}}),
              ElementsAre("one", "", "two", "thr"));
}

TEST(LogLinesTest, WhatIsMissingIsALine) {
  EXPECT_THAT(LinesOf({{std::nullopt, 2048, "x\n"}, {std::nullopt, 2050, "y\n"}}),
              ElementsAre("[2.0 KiB of this log were not kept]", "x", "y"));
  EXPECT_THAT(LinesOf({{std::nullopt, 0, "a"}, {std::nullopt, 2, "b"}}),
              ElementsAre("a", "[1 B of this log were not kept]", "b"));
}

TEST(LogLinesTest, AnEndlessLineIsCut) {
  const std::vector<std::string> lines =
      LinesOf({{std::nullopt, 0, std::string(3 * kMaxLogLineBytes, 'x')}});
  EXPECT_GE(lines.size(), 1u);
  std::size_t total = 0;
  for (const std::string& line : lines) total += line.size();
  EXPECT_EQ(total, 3 * kMaxLogLineBytes);
}

// A coordinator that says what a script has, call by call.
class FollowTest : public testing::Test {
 protected:
  struct Call {
    std::vector<Part> parts;
    absl::Status status;
  };

  FollowTest() {
    view_.progress = MakeRun(RunState::kRunning);
    follow_.tail = [this](const CoordinatorClient::LogTail& tail, absl::Duration,
                          const std::function<bool(const Part&)>& on_part) {
      asked_.push_back(std::to_string(tail.ordinal) + "@" + std::to_string(tail.offset) +
                       (tail.follow ? " follow" : ""));
      EXPECT_FALSE(script_.empty()) << "asked too often";
      if (script_.empty()) return Internal("the script is over");
      const Call call = script_.front();
      script_.pop_front();
      for (const Part& part : call.parts) {
        if (!on_part(part)) return Cancelled("stopped");
      }
      return call.status;
    };
    follow_.find_run = [this]() -> absl::StatusOr<RunView> {
      if (!views_.empty()) {
        view_ = views_.front();
        views_.pop_front();
      }
      return view_;
    };
    follow_.interrupted = [this](absl::Duration) { return interrupted_; };
    follow_.on_line = [this](int attempt, const std::string& line) {
      lines_.push_back(std::to_string(attempt) + " " + line);
    };
    follow_.say = [this](const std::string& line) { said_ += line + "\n"; };
  }

  RunView View(RunState state, int attempts) const {
    RunView view;
    view.progress = MakeRun(state);
    for (int number = 1; number <= attempts; ++number) {
      view.attempts.push_back({MakeAttempt(number), {}});
    }
    return view;
  }

  LogFollow follow_;
  RunView view_;
  std::deque<RunView> views_;
  std::deque<Call> script_;
  bool interrupted_ = false;
  std::vector<std::string> asked_;
  std::vector<std::string> lines_;
  std::string said_;
};

TEST_F(FollowTest, GoesOnWithTheNextAttemptUntilTheRunIsOver) {
  views_ = {View(RunState::kRunning, 1), View(RunState::kQueued, 1), View(RunState::kSucceeded, 2)};
  script_ = {{{{MakeAttempt(1), 0, "a\nb"}}, absl::OkStatus()},
             {{{MakeAttempt(2), 0, "c\n"}}, absl::OkStatus()}};
  EXPECT_TRUE(FollowLog(follow_).ok());
  EXPECT_THAT(lines_, ElementsAre("1 a", "1 b", "2 c"));
  EXPECT_THAT(asked_, ElementsAre("1@0 follow", "2@0 follow"));
  EXPECT_THAT(said_, HasSubstr("attempt 1 on worker w-1\n"));
  EXPECT_THAT(said_, HasSubstr("waits for its next attempt"));
  EXPECT_THAT(said_, HasSubstr("attempt 2 on worker w-2\n"));
  EXPECT_THAT(said_, HasSubstr("succeeded\n"));
}

TEST_F(FollowTest, BeginsWithTheNewestAttempt) {
  views_ = {View(RunState::kSucceeded, 3)};
  script_ = {{{{MakeAttempt(3), 0, "c\n"}}, absl::OkStatus()}};
  EXPECT_TRUE(FollowLog(follow_).ok());
  EXPECT_THAT(asked_, ElementsAre("3@0 follow"));
}

TEST_F(FollowTest, OneAttemptIsFollowedAloneAndMustBeThere) {
  views_ = {View(RunState::kRunning, 3)};
  script_ = {{{{MakeAttempt(2), 0, "b\n"}}, absl::OkStatus()}};
  follow_.attempt = 2;
  EXPECT_TRUE(FollowLog(follow_).ok());
  EXPECT_THAT(asked_, ElementsAre("2@0 follow"));
  follow_.attempt = 7;
  EXPECT_EQ(FollowLog(follow_).code(), absl::StatusCode::kNotFound);
}

TEST_F(FollowTest, ShowsTheLastLinesOfWhatIsThereFirst) {
  views_ = {View(RunState::kRunning, 1), View(RunState::kSucceeded, 1)};
  script_ = {{{{MakeAttempt(1), 0, "a\nb\nc\nd"}}, absl::OkStatus()},
             {{{MakeAttempt(1), 7, "d\ne\n"}}, absl::OkStatus()}};
  follow_.tail_lines = 2;
  EXPECT_TRUE(FollowLog(follow_).ok());
  EXPECT_THAT(lines_, ElementsAre("1 b", "1 c", "1 dd", "1 e"));
  EXPECT_THAT(asked_, ElementsAre("1@0", "1@7 follow"));
}

TEST_F(FollowTest, GoesOnWhereItWasOnceTheCoordinatorIsBack) {
  views_ = {View(RunState::kRunning, 1), View(RunState::kSucceeded, 1)};
  script_ = {{{{MakeAttempt(1), 0, "a\nb"}}, Unavailable("gone")},
             {{}, Unavailable("gone")},
             {{{MakeAttempt(1), 3, "b\n"}}, absl::OkStatus()}};
  EXPECT_TRUE(FollowLog(follow_).ok());
  EXPECT_THAT(lines_, ElementsAre("1 a", "1 bb"));
  EXPECT_THAT(asked_, ElementsAre("1@0 follow", "1@3 follow", "1@3 follow"));
  EXPECT_EQ(said_.find("trying again"), said_.rfind("trying again")) << "it is said once";
}

TEST_F(FollowTest, ASignalEndsItAndTheRunGoesOn) {
  views_ = {View(RunState::kRunning, 1)};
  script_ = {{{{MakeAttempt(1), 0, "a\n"}}, absl::OkStatus()}};
  interrupted_ = true;
  const absl::Status status = FollowLog(follow_);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInterrupted);
}

TEST_F(FollowTest, WhatTheCoordinatorRefusesEndsIt) {
  views_ = {View(RunState::kRunning, 1)};
  script_ = {{{}, ResourceExhausted("32 logs are being followed")}};
  EXPECT_EQ(FollowLog(follow_).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace etude
