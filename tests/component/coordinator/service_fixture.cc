#include "tests/component/coordinator/service_fixture.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "proto/convert.h"

namespace etude {
namespace {

constexpr std::chrono::seconds kDeadline(30);

nlohmann::json ManifestOf(const std::vector<v1::ArtifactFile>& files) {
  nlohmann::json root = {
      {"format_version", "1.0"}, {"tokenizer", "char"}, {"vocab", 37}, {"chars_per_token", 1.0}};
  root["split"]["train"]["tokens"] = 100000;
  root["split"]["val"]["tokens"] = 2000;
  root["split"]["test"]["tokens"] = 2000;
  for (const v1::ArtifactFile& file : files) {
    root["files"].push_back(
        {{"name", file.name()}, {"sha256", file.sha256()}, {"bytes", file.bytes()}});
  }
  return root;
}

}  // namespace

ServiceTest::ServiceTest() {
  std::string path = testing::TempDir() + "etude.services.XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  directory_ = path;
  Open();
}

ServiceTest::~ServiceTest() {
  Close();
  std::filesystem::remove_all(directory_);
}

void ServiceTest::Open() {
  store_ = *SqliteResultsStore::Open(directory_ + "/etude.db");
  faulty_ = std::make_unique<FaultyResultsStore>(*store_);
  reader_ = *SqliteResultsReader::Open(directory_ + "/etude.db");
  blobs_ = *BlobStore::Open(directory_ + "/blobs");
  logs_ = *AttemptLogs::Open(directory_ + "/attempt_logs", {});
  CoreOptions options;
  options.tick = absl::Milliseconds(20);
  core_ = *Core::Start(options, SystemClock(), *faulty_);
  CoordinatorFacts facts;
  facts.software = "test";
  facts.state_dir = directory_;
  facts.store_path = directory_ + "/etude.db";
  collector_ = std::make_unique<BlobCollector>(*reader_, *blobs_, SystemClock());
  service_ = std::make_unique<CoordinatorService>(ClientService::Parts{
      *core_, *reader_, *blobs_, *logs_, authentication_, SystemClock(), facts, *collector_});
  ASSERT_TRUE(service_->Start("").ok());
  channel_ = service_->InProcessChannel();
  worker_ = v1::WorkerService::NewStub(channel_);
  client_ = v1::ClientService::NewStub(channel_);
  blob_ = v1::BlobService::NewStub(channel_);
  store_stub_ = v1::StoreService::NewStub(channel_);
  bundle_ = v1::BundleService::NewStub(channel_);
}

void ServiceTest::Close() {
  if (core_ != nullptr) core_->Stop();
  service_.reset();
  core_.reset();
  reader_.reset();
  faulty_.reset();
  store_.reset();
}

void ServiceTest::Reopen() {
  Close();
  Open();
}

std::unique_ptr<grpc::ClientContext> ServiceTest::Context(const std::string& token) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + kDeadline);
  if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
  return context;
}

v1::ArtifactFile ServiceTest::Upload(const std::string& name, const std::string& bytes) {
  v1::ArtifactFile file;
  file.set_name(name);
  file.set_sha256(Sha256Hex(bytes));
  file.set_bytes(static_cast<std::int64_t>(bytes.size()));
  const auto context = Context();
  v1::WriteResponse response;
  const auto writer = blob_->Write(context.get(), &response);
  v1::WriteRequest request;
  request.set_sha256(file.sha256());
  request.set_total_bytes(file.bytes());
  request.mutable_chunk()->set_data(bytes);
  request.mutable_chunk()->set_crc32c(Crc32c(bytes));
  writer->Write(request);
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return file;
}

grpc::Status ServiceTest::PushCorpus(v1::PushCorpusResponse* response) {
  std::vector<v1::ArtifactFile> files;
  for (const char* name : {"train.npy", "val.npy", "test.npy", "vocab.json"}) {
    files.push_back(Upload(name, std::string("bytes of ") + name));
  }
  files.push_back(Upload("corpus.json", ManifestOf(files).dump()));
  v1::PushCorpusRequest request;
  request.set_name("folk");
  for (const v1::ArtifactFile& file : files) *request.add_files() = file;
  return client_->PushCorpus(Context().get(), request, response);
}

grpc::Status ServiceTest::Submit(const std::string& spec, v1::SubmitSweepResponse* response) {
  v1::SubmitSweepRequest request;
  request.set_spec_toml(spec);
  request.set_file_name("one.toml");
  return client_->SubmitSweep(Context().get(), request, response);
}

grpc::Status ServiceTest::Register(const std::string& worker,
                                   const std::vector<v1::HeldAttempt>& held,
                                   v1::RegisterResponse* response) {
  v1::RegisterRequest request;
  request.set_protocol(kProtocolVersion);
  v1::Worker& facts = *request.mutable_worker();
  facts.set_id(worker);
  facts.set_host("here");
  facts.set_device("cpu");
  facts.set_slots(1);
  facts.set_threads_per_slot(1);
  facts.set_state(v1::WORKER_STATE_ONLINE);
  for (const v1::HeldAttempt& attempt : held) *request.add_held() = attempt;
  v1::RegisterResponse unused;
  return worker_->Register(Context().get(), request, response == nullptr ? &unused : response);
}

v1::AcquireResponse ServiceTest::Acquire(const std::string& worker, std::int64_t wait_ms) {
  v1::AcquireRequest request;
  request.set_worker(worker);
  request.set_wait_ms(wait_ms);
  v1::AcquireResponse response;
  const grpc::Status status = worker_->Acquire(Context().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

bool ServiceTest::Report(const std::string& job, int attempt, std::int64_t first,
                         std::int64_t last) {
  const auto context = Context();
  const auto stream = worker_->Report(context.get());
  v1::ReportRequest request;
  request.set_sequence(1);
  request.set_job(job);
  request.set_attempt(attempt);
  request.set_worker("w");
  for (std::int64_t step = first; step <= last; ++step) {
    request.mutable_points()->add_series(1);
    request.mutable_points()->add_step(step);
    request.mutable_points()->add_value(3.0 / static_cast<double>(step));
  }
  stream->Write(request);
  v1::ReportResponse response;
  const bool answered = stream->Read(&response);
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok() && answered) << status.error_message();
  EXPECT_EQ(response.committed_through(), 1u);
  return response.superseded_size() == 0;
}

grpc::Status ServiceTest::Finish(const std::string& worker, const std::string& job, int attempt,
                                 v1::JobOutcome outcome, double val_loss) {
  v1::FinishRequest request;
  request.set_worker(worker);
  request.set_job(job);
  request.set_attempt(attempt);
  request.set_outcome(outcome);
  if (outcome == v1::JOB_OUTCOME_SUCCEEDED) {
    request.mutable_result()->set_val_loss(val_loss);
    request.mutable_result()->set_test_loss(2.25);
    request.mutable_result()->set_device("cpu");
  }
  v1::FinishResponse response;
  return worker_->Finish(Context().get(), request, &response);
}

v1::GetSweepResponse ServiceTest::GetSweep(const std::string& sweep) {
  v1::GetSweepRequest request;
  request.set_sweep(sweep);
  v1::GetSweepResponse response;
  const grpc::Status status = client_->GetSweep(Context().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

}  // namespace etude
