// The log of an attempt on its way from a worker to whoever looks on.
#include <gtest/gtest.h>

#include <future>

#include "lib/base/file.h"
#include "proto/convert.h"
#include "tests/component/coordinator/service_fixture.h"

namespace etude {
namespace {

// With a sweep of one run that worker w trains.
class LogsTest : public ServiceTest {
 protected:
  LogsTest() {
    v1::PushCorpusResponse pushed;
    v1::SubmitSweepResponse submitted;
    EXPECT_TRUE(PushCorpus(&pushed).ok());
    EXPECT_TRUE(Register("w").ok());
    EXPECT_TRUE(Submit(kOneRunSpec, &submitted).ok());
    job_ = Acquire("w").assignment();
  }

  grpc::Status Ship(std::int64_t offset, const std::string& text, const std::string& worker = "w",
                    int attempt = 1, const std::string& token = kTestToken) {
    v1::ShipLogRequest request;
    request.set_worker(worker);
    request.set_job(job_.job());
    request.set_attempt(attempt);
    request.set_offset(offset);
    request.set_text(text);
    v1::ShipLogResponse response;
    const grpc::Status status = worker_->ShipLog(Context(token).get(), request, &response);
    next_offset_ = response.next_offset();
    return status;
  }

  struct Tailed {
    grpc::Status status;
    std::string text;  // "[N]" where it goes on at offset N after a gap
    int attempt = 0;
  };
  Tailed Tail(bool follow, std::int64_t offset = 0, int ordinal = 1) {
    v1::TailLogRequest request;
    request.set_run(job_.run());
    request.set_ordinal(ordinal);
    request.set_offset(offset);
    request.set_follow(follow);
    const auto context = Context();
    const auto reader = client_->TailLog(context.get(), request);
    Tailed tailed;
    v1::TailLogResponse response;
    while (reader->Read(&response)) {
      if (response.has_attempt()) tailed.attempt = response.attempt().number();
      if (response.offset() != offset) {
        tailed.text += "[" + std::to_string(response.offset()) + "]";
      }
      tailed.text += response.text();
      offset = response.offset() + std::ssize(response.text());
    }
    tailed.status = reader->Finish();
    return tailed;
  }

  // Ends the attempt with `log` uploaded as its log.
  void FinishWith(const std::string& log) {
    ASSERT_TRUE(Report(job_.job(), 1, 1, 20));
    v1::FinishRequest request;
    request.set_worker("w");
    request.set_job(job_.job());
    request.set_attempt(1);
    request.set_outcome(v1::JOB_OUTCOME_SUCCEEDED);
    request.mutable_result()->set_val_loss(2.5);
    request.mutable_result()->set_test_loss(2.5);
    request.mutable_result()->set_device("cpu");
    *request.add_artifacts() = Upload("trainer.log", log);
    v1::FinishResponse response;
    const grpc::Status status = worker_->Finish(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  v1::Assignment job_;
  std::int64_t next_offset_ = 0;
};

TEST_F(LogsTest, WhatIsShippedIsSeenWhileTheAttemptRuns) {
  ASSERT_TRUE(Ship(0, "one\n").ok());
  EXPECT_EQ(next_offset_, 4);
  ASSERT_TRUE(Ship(4, "two\n").ok());
  const Tailed tailed = Tail(/*follow=*/false);
  EXPECT_TRUE(tailed.status.ok());
  EXPECT_EQ(tailed.text, "one\ntwo\n");
  EXPECT_EQ(tailed.attempt, 1);
  EXPECT_EQ(Tail(false, 4).text, "two\n");
}

TEST_F(LogsTest, OnlyWhoHoldsTheAttemptMayShip) {
  ASSERT_TRUE(Register("other").ok());
  EXPECT_EQ(Ship(0, "x", "other").error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(Ship(0, "x", "w", 2).error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(Ship(0, "x", "w", 1, kBobsToken).error_code(), grpc::PERMISSION_DENIED);
  EXPECT_EQ(Ship(0, "x", "w", 1, "etude_wrong").error_code(), grpc::UNAUTHENTICATED);
  EXPECT_EQ(Tail(false).text, "");
}

TEST_F(LogsTest, WhatIsTooLongOrNowhereIsRefused) {
  EXPECT_EQ(Ship(0, std::string(kMaxLogTextBytes + 1, 'x')).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Ship(-1, "x").error_code(), grpc::INVALID_ARGUMENT);
  job_.set_job("../../etc/passwd");
  EXPECT_NE(Ship(0, "x").error_code(), grpc::OK);
}

TEST_F(LogsTest, AFollowerGoesOnFromWhatWasShippedToWhatWasUploaded) {
  ASSERT_TRUE(Ship(0, "one\ntw").ok());
  auto followed = std::async(std::launch::async, [&] { return Tail(/*follow=*/true); });
  ASSERT_TRUE(Ship(6, "o\n").ok());
  FinishWith("one\ntwo\nthree\n");
  const Tailed tailed = followed.get();
  EXPECT_TRUE(tailed.status.ok()) << tailed.status.error_message();
  EXPECT_EQ(tailed.text, "one\ntwo\nthree\n");
}

TEST_F(LogsTest, WhatIsUploadedTakesThePlaceOfWhatWasShipped) {
  ASSERT_TRUE(Ship(0, "shipped\n").ok());
  FinishWith("uploaded\n");
  EXPECT_EQ(Tail(false).text, "uploaded\n");
  EXPECT_EQ(Ship(8, "late\n").error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(Tail(false).text, "uploaded\n");
  service_.reset();  // everything it had to do is done
  EXPECT_EQ(logs_->Read(JobId(job_.job()), 1, 0, 100)->text, "");
}

TEST_F(LogsTest, AnAttemptThatUploadedNothingKeepsWhatWasShipped) {
  ASSERT_TRUE(Ship(0, "its last words\n").ok());
  ASSERT_TRUE(Finish("w", job_.job(), 1, v1::JOB_OUTCOME_CRASHED).ok());
  EXPECT_EQ(Tail(/*follow=*/true).text, "its last words\n") << "and ends with the attempt";
}

TEST_F(LogsTest, AFollowerWaitsForTheNextAttemptUnlessTheRunIsOver) {
  ASSERT_TRUE(Finish("w", job_.job(), 1, v1::JOB_OUTCOME_KILLED).ok());
  EXPECT_EQ(Tail(false, 0, 2).attempt, 0);
  auto followed = std::async(std::launch::async, [&] { return Tail(true, 0, 2); });
  v1::AcquireResponse second = Acquire("w", 20'000);
  ASSERT_EQ(second.assignment().attempt(), 2);
  ASSERT_TRUE(Ship(0, "again\n", "w", 2).ok());
  v1::CancelRunRequest cancel;
  cancel.set_run(job_.run());
  v1::CancelRunResponse cancelled;
  ASSERT_TRUE(client_->CancelRun(Context().get(), cancel, &cancelled).ok());
  const Tailed tailed = followed.get();
  EXPECT_EQ(tailed.text, "again\n");
  EXPECT_EQ(tailed.attempt, 2);
  EXPECT_TRUE(Tail(true, 0, 3).status.ok()) << "there will be none";
}

TEST_F(LogsTest, WhatWasShippedSurvivesARestart) {
  ASSERT_TRUE(Ship(0, "before\n").ok());
  Reopen();
  ASSERT_TRUE(Ship(7, "after\n").ok());
  EXPECT_EQ(Tail(false).text, "before\nafter\n");
}

TEST_F(LogsTest, AFollowerIsToldThatTheCoordinatorStops) {
  auto followed = std::async(std::launch::async, [&] { return Tail(/*follow=*/true); });
  ASSERT_TRUE(Ship(0, "one\n").ok());
  core_->Stop();
  EXPECT_EQ(followed.get().status.error_code(), grpc::UNAVAILABLE);
}

TEST_F(LogsTest, AWorkersTokenMayNotLookOn) {
  v1::TailLogRequest request;
  request.set_run(job_.run());
  request.set_ordinal(1);
  const auto context = Context(kAnasToken);
  const auto reader = client_->TailLog(context.get(), request);
  v1::TailLogResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::PERMISSION_DENIED);
}

}  // namespace
}  // namespace etude
