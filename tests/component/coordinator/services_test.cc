#include <gtest/gtest.h>

#include <cmath>
#include <future>

#include "tests/component/coordinator/service_fixture.h"

namespace etude {
namespace {

// With the corpus and one sweep of one run, and worker w registered.
class SubmittedTest : public ServiceTest {
 protected:
  SubmittedTest() {
    v1::PushCorpusResponse pushed;
    EXPECT_TRUE(PushCorpus(&pushed).ok());
    EXPECT_TRUE(Register("w").ok());
    const grpc::Status status = Submit(kOneRunSpec, &submitted_);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  v1::SubmitSweepResponse submitted_;
};

TEST_F(ServiceTest, PushingTheSameCorpusTwiceIsFine) {
  v1::PushCorpusResponse first;
  v1::PushCorpusResponse second;
  ASSERT_TRUE(PushCorpus(&first).ok());
  ASSERT_TRUE(PushCorpus(&second).ok());
  EXPECT_TRUE(first.created());
  EXPECT_FALSE(second.created());
  EXPECT_EQ(first.corpus().id(), second.corpus().id());
  EXPECT_EQ(first.corpus().train_tokens(), 100000);
}

TEST_F(ServiceTest, ACorpusWhoseBytesAreMissingIsRefused) {
  v1::PushCorpusRequest request;
  request.set_name("folk");
  v1::ArtifactFile& file = *request.add_files();
  file.set_name("corpus.json");
  file.set_sha256(std::string(64, 'a'));
  file.set_bytes(3);
  v1::PushCorpusResponse response;
  EXPECT_EQ(client_->PushCorpus(Context().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, ASpecOnACorpusThatIsNotHereNamesTheCommandThatPushesIt) {
  v1::SubmitSweepResponse response;
  const grpc::Status status = Submit(kOneRunSpec, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find("etude corpus push DIR --name folk"), std::string::npos);
}

TEST_F(SubmittedTest, ARunGoesFromSubmissionToItsResult) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_EQ(job.to(), 20);
  EXPECT_EQ(job.corpus().name(), "folk");
  EXPECT_EQ(GetSweep("one").runs(0).worker(), "w");
  ASSERT_TRUE(Report(job.job(), 1, 1, 20));
  ASSERT_TRUE(Finish("w", job.job(), 1).ok());
  const v1::GetSweepResponse sweep = GetSweep("one");
  EXPECT_EQ(sweep.summary().sweep().state(), v1::SWEEP_STATE_FINISHED);
  EXPECT_EQ(sweep.summary().succeeded(), 1);
  EXPECT_EQ(sweep.runs(0).step(), 20);
  EXPECT_DOUBLE_EQ(sweep.runs(0).train_loss(), 3.0 / 20);
  EXPECT_DOUBLE_EQ(sweep.runs(0).run().result().val_loss(), 2.5);
  EXPECT_EQ(sweep.eta_seconds(), 0);
}

TEST_F(SubmittedTest, TheTestLossReachesNoClient) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Report(job.job(), 1, 1, 20));
  ASSERT_TRUE(Finish("w", job.job(), 1).ok());
  EXPECT_EQ(GetSweep("one").runs(0).run().result().test_loss(), 0);
  v1::GetRunRequest request;
  request.set_run(job.run());
  v1::GetRunResponse run;
  ASSERT_TRUE(client_->GetRun(Context().get(), request, &run).ok());
  EXPECT_EQ(run.progress().run().result().test_loss(), 0);
  v1::GetCurveRequest curve;
  curve.set_run(job.run());
  curve.add_series(8);
  const auto context = Context();
  const auto reader = client_->GetCurve(context.get(), curve);
  v1::GetCurveResponse points;
  EXPECT_FALSE(reader->Read(&points));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(SubmittedTest, SubmittingTwiceIsOneSweep) {
  v1::SubmitSweepResponse again;
  ASSERT_TRUE(Submit(kOneRunSpec, &again).ok());
  EXPECT_TRUE(submitted_.created());
  EXPECT_FALSE(again.created());
  EXPECT_EQ(again.sweep().id(), submitted_.sweep().id());
  EXPECT_EQ(again.sweep().spec_toml(), kOneRunSpec);
}

TEST_F(SubmittedTest, AnotherSweepThanWasPlannedIsRefused) {
  v1::SubmitSweepRequest request;
  request.set_spec_toml(kOneRunSpec);
  request.set_expected_sweep_id(std::string(64, 'f'));
  v1::SubmitSweepResponse response;
  EXPECT_EQ(client_->SubmitSweep(Context().get(), request, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(SubmittedTest, AcknowledgedPointsSurviveReopening) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Report(job.job(), 1, 1, 7));
  Reopen();
  EXPECT_EQ(GetSweep("one").runs(0).step(), 7);
  v1::HeldAttempt held;
  held.set_job(job.job());
  held.set_attempt(1);
  v1::RegisterResponse response;
  ASSERT_TRUE(Register("w", {held}, &response).ok());
  ASSERT_EQ(response.directives_size(), 1);
  EXPECT_EQ(response.directives(0).action(), v1::ACTION_KEEP);
  ASSERT_TRUE(Report(job.job(), 1, 8, 20));
  EXPECT_TRUE(Finish("w", job.job(), 1).ok());
}

TEST_F(SubmittedTest, AStaleAttemptWritesNothing) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Report(job.job(), 1, 1, 5));
  ASSERT_TRUE(Finish("w", job.job(), 1, v1::JOB_OUTCOME_KILLED).ok());
  ASSERT_EQ(Acquire("w").assignment().attempt(), 2);
  EXPECT_FALSE(Report(job.job(), 1, 6, 20));
  EXPECT_EQ(Finish("w", job.job(), 1).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(GetSweep("one").runs(0).step(), 0);
}

TEST_F(SubmittedTest, ACheckpointNeedsItsBlobs) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Report(job.job(), 1, 1, 10));
  v1::CommitCheckpointRequest request;
  request.set_worker("w");
  v1::Checkpoint& checkpoint = *request.mutable_checkpoint();
  checkpoint.set_job(job.job());
  checkpoint.set_attempt(1);
  checkpoint.set_kind(v1::CHECKPOINT_KIND_RESUME);
  checkpoint.set_step(10);
  v1::ArtifactFile& file = *checkpoint.add_files();
  file.set_name("model.safetensors");
  file.set_sha256(std::string(64, 'a'));
  file.set_bytes(5);
  v1::CommitCheckpointResponse response;
  EXPECT_EQ(worker_->CommitCheckpoint(Context().get(), request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  file = Upload("model.safetensors", "bytes");
  EXPECT_TRUE(worker_->CommitCheckpoint(Context().get(), request, &response).ok());
  ASSERT_TRUE(Finish("w", job.job(), 1, v1::JOB_OUTCOME_KILLED).ok());
  const v1::Assignment resumed = Acquire("w").assignment();
  EXPECT_EQ(resumed.start_step(), 10);
  EXPECT_EQ(resumed.checkpoint().files(0).sha256(), file.sha256());
}

TEST_F(SubmittedTest, ACommitThatFailsIsAcknowledgedToNobody) {
  const v1::Assignment job = Acquire("w").assignment();
  faulty_->FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  const auto context = Context();
  const auto stream = worker_->Report(context.get());
  v1::ReportRequest request;
  request.set_sequence(1);
  request.set_job(job.job());
  request.set_attempt(1);
  request.set_worker("w");
  request.mutable_points()->add_series(1);
  request.mutable_points()->add_step(1);
  request.mutable_points()->add_value(3);
  stream->Write(request);
  v1::ReportResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(GetSweep("one").runs(0).step(), 0);
  // It is the newest attempt still: the same report is taken once the store is well.
  core_->AwaitStop(absl::Milliseconds(50));
  EXPECT_TRUE(Report(job.job(), 1, 1, 1));
}

TEST_F(ServiceTest, ALongPollWakesWhenASweepIsSubmitted) {
  v1::PushCorpusResponse pushed;
  ASSERT_TRUE(PushCorpus(&pushed).ok());
  ASSERT_TRUE(Register("w").ok());
  auto waiting = std::async(std::launch::async, [this] { return Acquire("w", 20000); });
  v1::SubmitSweepResponse submitted;
  ASSERT_TRUE(Submit(kOneRunSpec, &submitted).ok());
  EXPECT_EQ(waiting.get().assignment().run(), submitted.sweep().runs(0));
}

TEST_F(SubmittedTest, WatchingEndsWithTheSweep) {
  v1::GetSweepRequest request;
  request.set_sweep("one");
  const auto context = Context();
  const auto watch = client_->WatchSweep(context.get(), request);
  v1::GetSweepResponse seen;
  ASSERT_TRUE(watch->Read(&seen));
  EXPECT_EQ(seen.summary().queued(), 1);
  EXPECT_NE(seen.runs(0).wait_reason(), "");
  EXPECT_TRUE(std::isnan(seen.runs(0).train_loss()));
  v1::CancelSweepRequest cancel;
  cancel.set_sweep("one");
  v1::CancelSweepResponse cancelled;
  ASSERT_TRUE(client_->CancelSweep(Context().get(), cancel, &cancelled).ok());
  while (watch->Read(&seen)) {
  }
  EXPECT_TRUE(watch->Finish().ok());
  EXPECT_EQ(seen.summary().sweep().state(), v1::SWEEP_STATE_CANCELLED);
}

TEST_F(SubmittedTest, ACurveComesBackInOrder) {
  const v1::Assignment job = Acquire("w").assignment();
  ASSERT_TRUE(Report(job.job(), 1, 1, 20));
  v1::GetCurveRequest request;
  request.set_run(job.run().substr(0, 12));
  const auto context = Context();
  const auto reader = client_->GetCurve(context.get(), request);
  std::vector<std::int64_t> steps;
  for (v1::GetCurveResponse part; reader->Read(&part);) {
    steps.insert(steps.end(), part.points().step().begin(), part.points().step().end());
  }
  EXPECT_TRUE(reader->Finish().ok());
  ASSERT_EQ(steps.size(), 20u);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
}

TEST_F(ServiceTest, AnotherProtocolIsRefusedWithWhatToDo) {
  v1::RegisterRequest request;
  request.set_protocol(99);
  request.mutable_worker()->set_id("w");
  v1::RegisterResponse response;
  const grpc::Status status = worker_->Register(Context().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("install the same release"), std::string::npos);
}

TEST_F(ServiceTest, AReportOutOfSequenceEndsTheStream) {
  const auto context = Context();
  const auto stream = worker_->Report(context.get());
  v1::ReportRequest request;
  request.set_sequence(2);
  request.set_job("x.0");
  request.set_worker("w");
  stream->Write(request);
  v1::ReportResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, ADamagedChunkIsRefused) {
  const auto context = Context();
  v1::WriteResponse response;
  const auto writer = blob_->Write(context.get(), &response);
  v1::WriteRequest request;
  request.set_sha256(std::string(64, 'a'));
  request.set_total_bytes(3);
  request.mutable_chunk()->set_data("abc");
  request.mutable_chunk()->set_crc32c(1);
  writer->Write(request);
  writer->WritesDone();
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServiceTest, ABlobComesBackAsItWasSentFromAnyOffset) {
  const v1::ArtifactFile file = Upload("f", "0123456789");
  v1::ReadRequest request;
  request.set_sha256(file.sha256());
  request.set_offset(4);
  const auto context = Context();
  const auto reader = blob_->Read(context.get(), request);
  v1::Chunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.data(), "456789");
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_TRUE(reader->Finish().ok());
}

}  // namespace
}  // namespace etude
