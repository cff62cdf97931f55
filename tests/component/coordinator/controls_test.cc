// What people ask of sweeps, runs and workers that are there, and what a worker's token may touch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/convert.h"
#include "tests/component/coordinator/service_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;

class ControlsTest : public ServiceTest {
 protected:
  ControlsTest() {
    v1::PushCorpusResponse pushed;
    EXPECT_TRUE(PushCorpus(&pushed).ok());
    v1::SubmitSweepResponse submitted;
    EXPECT_TRUE(Submit(kOneRunSpec, &submitted).ok());
    EXPECT_TRUE(Register("w").ok());
  }
  grpc::Status Control(v1::ControlSweepRequest::Action action, v1::Sweep* sweep = nullptr) {
    v1::ControlSweepRequest request;
    request.set_sweep("one");
    request.set_action(action);
    request.set_priority(7);
    request.set_weight(2);
    v1::ControlSweepResponse response;
    const grpc::Status status = client_->ControlSweep(Context().get(), request, &response);
    if (sweep != nullptr) *sweep = response.sweep();
    return status;
  }
  v1::ExplainRunResponse Explain() {
    v1::ExplainRunRequest request;
    request.set_run(GetSweep("one").runs(0).run().key());
    v1::ExplainRunResponse response;
    EXPECT_TRUE(client_->ExplainRun(Context().get(), request, &response).ok());
    return response;
  }
};

TEST_F(ControlsTest, APausedSweepSaysSoStaysSoAndGoesOnWhenResumed) {
  v1::Sweep sweep;
  ASSERT_TRUE(Control(v1::ControlSweepRequest::ACTION_PAUSE, &sweep).ok());
  EXPECT_TRUE(sweep.paused());
  EXPECT_FALSE(Acquire("w").has_assignment());
  Reopen();
  ASSERT_TRUE(Register("w").ok());
  EXPECT_FALSE(Acquire("w").has_assignment());
  const v1::ExplainRunResponse why = Explain();
  EXPECT_THAT(why.wait_reason(), HasSubstr("etude sweep resume one"));
  ASSERT_EQ(why.workers_size(), 1);
  EXPECT_EQ(why.workers(0).what(), "may take it");
  ASSERT_TRUE(Control(v1::ControlSweepRequest::ACTION_RESUME, &sweep).ok());
  EXPECT_FALSE(sweep.paused());
  EXPECT_TRUE(Acquire("w").has_assignment());
}

TEST_F(ControlsTest, ATurnIsStored) {
  v1::Sweep sweep;
  ASSERT_TRUE(Control(v1::ControlSweepRequest::ACTION_SET_TURN, &sweep).ok());
  Reopen();
  EXPECT_EQ(GetSweep("one").summary().sweep().priority(), 7);
  EXPECT_EQ(GetSweep("one").summary().sweep().weight(), 2);
  EXPECT_EQ(Control(v1::ControlSweepRequest::ACTION_UNSPECIFIED).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ControlsTest, AFailedRunIsStartedAgainByRequest) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Finish("w", job.job(), 1, v1::JOB_OUTCOME_DIVERGED).ok());
  EXPECT_EQ(GetSweep("one").summary().sweep().state(), v1::SWEEP_STATE_FINISHED);
  v1::RetrySweepRequest request;
  request.set_sweep("one");
  request.set_failed_only(true);
  v1::RetrySweepResponse response;
  ASSERT_TRUE(client_->RetrySweep(Context().get(), request, &response).ok());
  EXPECT_EQ(response.runs(), 1);
  EXPECT_EQ(response.sweep().state(), v1::SWEEP_STATE_ACTIVE);
  const v1::Assignment again = Acquire("w").assignment();
  EXPECT_NE(again.job(), job.job()) << "what has ended stays as it is";
  v1::CancelRunRequest cancel;
  cancel.set_run(again.run());
  v1::CancelRunResponse cancelled;
  ASSERT_TRUE(client_->CancelRun(Context().get(), cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.run().state(), v1::RUN_STATE_CANCELLED);
  v1::RetryRunRequest retry;
  retry.set_run(again.run());
  v1::RetryRunResponse retried;
  ASSERT_TRUE(client_->RetryRun(Context().get(), retry, &retried).ok());
  EXPECT_EQ(retried.run().state(), v1::RUN_STATE_QUEUED);
}

TEST_F(ControlsTest, ADrainedWorkerIsToldAndTakesNothingOverARestart) {
  v1::DrainWorkerRequest request;
  request.set_worker("w");
  request.set_drain(true);
  v1::DrainWorkerResponse response;
  ASSERT_TRUE(client_->DrainWorker(Context().get(), request, &response).ok());
  EXPECT_EQ(response.worker().state(), v1::WORKER_STATE_DRAINING);
  Reopen();
  ASSERT_TRUE(Register("w").ok());
  EXPECT_FALSE(Acquire("w").has_assignment());
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_worker("w");
  v1::HeartbeatResponse told;
  ASSERT_TRUE(worker_->Heartbeat(Context().get(), heartbeat, &told).ok());
  EXPECT_TRUE(told.drain());
  request.set_drain(false);
  ASSERT_TRUE(client_->DrainWorker(Context().get(), request, &response).ok());
  EXPECT_TRUE(Acquire("w").has_assignment());
}

// A worker of Ana's that holds a lease, and Bob's token.
class ClaimedWorkerTest : public ControlsTest {
 protected:
  ClaimedWorkerTest() {
    v1::RegisterRequest request;
    request.set_protocol(kProtocolVersion);
    request.mutable_worker()->set_id("anas");
    request.mutable_worker()->set_slots(1);
    request.mutable_worker()->set_threads_per_slot(1);
    request.mutable_worker()->set_state(v1::WORKER_STATE_ONLINE);
    v1::RegisterResponse registered;
    EXPECT_TRUE(worker_->Register(Context(kAnasToken).get(), request, &registered).ok());
    v1::AcquireRequest acquire;
    acquire.set_worker("anas");
    v1::AcquireResponse acquired;
    EXPECT_TRUE(worker_->Acquire(Context(kAnasToken).get(), acquire, &acquired).ok());
    job_ = acquired.assignment().job();
  }
  // The first report of a stream.
  grpc::StatusCode ReportAs(const std::string& token, const std::string& worker, bool* superseded) {
    const auto context = Context(token);
    const auto stream = worker_->Report(context.get());
    v1::ReportRequest request;
    request.set_sequence(1);
    request.set_worker(worker);
    request.set_job(job_);
    request.set_attempt(1);
    request.mutable_points()->add_series(1);
    request.mutable_points()->add_step(1);
    request.mutable_points()->add_value(3);
    stream->Write(request);
    v1::ReportResponse response;
    if (stream->Read(&response)) *superseded = response.superseded_size() > 0;
    stream->WritesDone();
    return stream->Finish().error_code();
  }
  std::string job_;
};

TEST_F(ClaimedWorkerTest, AnotherTokenMayNeitherSpeakForItNorTouchItsLease) {
  constexpr auto kDenied = grpc::StatusCode::PERMISSION_DENIED;
  v1::AcquireRequest acquire;
  acquire.set_worker("anas");
  v1::AcquireResponse acquired;
  EXPECT_EQ(worker_->Acquire(Context(kBobsToken).get(), acquire, &acquired).error_code(), kDenied);
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_worker("anas");
  v1::HeartbeatResponse told;
  EXPECT_EQ(worker_->Heartbeat(Context(kBobsToken).get(), heartbeat, &told).error_code(), kDenied);
  v1::CommitCheckpointRequest commit;
  commit.set_worker("anas");
  v1::CommitCheckpointResponse committed;
  EXPECT_EQ(worker_->CommitCheckpoint(Context(kBobsToken).get(), commit, &committed).error_code(),
            kDenied);
  v1::FinishRequest finish;
  finish.set_worker("anas");
  finish.set_job(job_);
  finish.set_attempt(1);
  finish.set_outcome(v1::JOB_OUTCOME_DIVERGED);
  v1::FinishResponse finished;
  EXPECT_EQ(worker_->Finish(Context(kBobsToken).get(), finish, &finished).error_code(), kDenied);
  bool superseded = false;
  EXPECT_EQ(ReportAs(kBobsToken, "anas", &superseded), kDenied);
  EXPECT_EQ(ReportAs(kBobsToken, "bobs", &superseded), grpc::StatusCode::OK);
  EXPECT_TRUE(superseded) << "points of an attempt that is another worker's are refused";
  EXPECT_EQ(GetSweep("one").runs(0).step(), 0);
  superseded = false;
  EXPECT_EQ(ReportAs(kAnasToken, "anas", &superseded), grpc::StatusCode::OK);
  EXPECT_FALSE(superseded);
  EXPECT_EQ(GetSweep("one").runs(0).step(), 1);
}

}  // namespace
}  // namespace etude
