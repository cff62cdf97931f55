// Backups, checks of the store, and blobs whose bytes changed on the disk, over the wire.
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "lib/base/file.h"
#include "storage/backup.h"
#include "tests/component/coordinator/service_fixture.h"
#include "tests/support/fake_clock.h"

namespace etude {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

// What came of an open Backup call.
struct Received {
  v1::BackupPart::Offer offer;
  std::vector<v1::ArtifactFile> blobs;
  std::string manifest;
  std::string database;
};

class StoreServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    v1::PushCorpusResponse pushed;
    ASSERT_TRUE(PushCorpus(&pushed).ok());
    v1::SubmitSweepResponse submitted;
    ASSERT_TRUE(Submit(kOneRunSpec, &submitted).ok());
    ASSERT_TRUE(Register("w").ok());
  }

  std::string FileOf(const std::string& sha256) const {
    return directory_ + "/" + BlobPath(sha256);
  }
  static void Damage(const std::string& file) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.put('?');
  }
  // Reads until the database is whole; the call stays open.
  static Received ReadAll(grpc::ClientReader<v1::BackupPart>& reader) {
    Received received;
    v1::BackupPart part;
    const auto whole = [&] {
      return received.offer.has_database() &&
             std::ssize(received.database) == received.offer.database().bytes();
    };
    while (!whole() && reader.Read(&part)) {
      if (part.has_offer()) received.offer = part.offer();
      for (const v1::ArtifactFile& blob : part.blobs().blobs()) received.blobs.push_back(blob);
      received.manifest += part.manifest();
      received.database += part.database().data();
    }
    EXPECT_TRUE(whole());
    return received;
  }
  std::string ReadBlob(const std::string& sha256, grpc::StatusCode* code) {
    v1::ReadRequest request;
    request.set_sha256(sha256);
    const auto context = Context();
    const auto reader = blob_->Read(context.get(), request);
    std::string bytes;
    for (v1::Chunk chunk; reader->Read(&chunk);) bytes += chunk.data();
    *code = reader->Finish().error_code();
    return bytes;
  }
  std::vector<std::string> Verify() {
    const auto context = Context();
    const auto reader = store_stub_->Verify(context.get(), v1::VerifyRequest());
    std::vector<std::string> problems;
    for (v1::VerifyPart part; reader->Read(&part);) {
      if (!part.problem().empty()) problems.push_back(part.problem());
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return problems;
  }
  // A resume checkpoint of step 10 of the run's first attempt, which is then lost.
  v1::ArtifactFile LoseAttemptWithCheckpoint() {
    const v1::Assignment job = Acquire("w").assignment();
    EXPECT_TRUE(Report(job.job(), 1, 1, 10));
    v1::CommitCheckpointRequest request;
    request.set_worker("w");
    v1::Checkpoint& checkpoint = *request.mutable_checkpoint();
    checkpoint.set_job(job.job());
    checkpoint.set_attempt(1);
    checkpoint.set_kind(v1::CHECKPOINT_KIND_RESUME);
    checkpoint.set_step(10);
    const v1::ArtifactFile file = Upload("model.safetensors", "weights after step 10");
    *checkpoint.add_files() = file;
    v1::CommitCheckpointResponse response;
    EXPECT_TRUE(worker_->CommitCheckpoint(Context().get(), request, &response).ok());
    EXPECT_TRUE(Finish("w", job.job(), 1, v1::JOB_OUTCOME_KILLED).ok());
    return file;
  }
};

TEST_F(StoreServiceTest, ABackupIsAStoreThatIsWhole) {
  const auto context = Context();
  const auto reader = store_stub_->Backup(context.get(), v1::BackupRequest());
  const Received received = ReadAll(*reader);
  const std::string backup = directory_ + "/backup";
  std::filesystem::create_directory(backup);
  std::ofstream(backup + "/" + received.offer.database().name(), std::ios::binary)
      << received.database;
  for (const v1::ArtifactFile& blob : received.blobs) {
    const std::string path = backup + "/" + BlobPath(blob.sha256());
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << ReadFile(FileOf(blob.sha256())).value_or("");
  }
  std::ofstream(backup + "/manifest.json", std::ios::binary) << received.manifest;
  context->TryCancel();
  (void)reader->Finish();
  const auto check = CheckBackup(backup);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_THAT(check->damage, IsEmpty());
  EXPECT_THAT(check->notes, IsEmpty());
  EXPECT_EQ(check->manifest.blobs.size(), 5u);
}

TEST_F(StoreServiceTest, NoBlobIsDeletedWhileABackupIsOpen) {
  const std::string unnamed = blobs_->Put("named by nothing any more").value_or("");
  std::filesystem::last_write_time(
      FileOf(unnamed), std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  const auto context = Context();
  const auto reader = store_stub_->Backup(context.get(), v1::BackupRequest());
  ReadAll(*reader);
  EXPECT_EQ(collector_->Collect().value_or(-1), 0);
  EXPECT_TRUE(FileExists(FileOf(unnamed)));
  context->TryCancel();
  (void)reader->Finish();
  // The handler notices within kBackupPollEvery.
  const absl::Time limit = SystemClock().MonotonicNow() + absl::Seconds(10);
  int collected = 0;
  while (collected == 0 && SystemClock().MonotonicNow() < limit) {
    collected = collector_->Collect().value_or(-1);
  }
  EXPECT_EQ(collected, 1);
}

TEST_F(StoreServiceTest, AHoldEndsByItselfAfterItsTime) {
  FakeClock clock;
  BlobCollector collector(*reader_, *blobs_, clock);
  const std::string unnamed = blobs_->Put("named by nothing").value_or("");
  std::filesystem::last_write_time(FileOf(unnamed),
                                   std::filesystem::file_time_type::min() + std::chrono::hours(1));
  const BlobCollector::Hold hold(collector);
  clock.Advance(kMaxBlobHold - absl::Seconds(1));
  EXPECT_FALSE(hold.IsOver());
  EXPECT_EQ(collector.Collect().value_or(-1), 0);
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(hold.IsOver());
  EXPECT_EQ(collector.Collect().value_or(-1), 1);
}

TEST_F(StoreServiceTest, ABlobThatNothingNamesGoesAnHourAfterItWasLastUsed) {
  FakeClock clock;
  BlobCollector collector(*reader_, *blobs_, clock);
  const std::string unnamed = blobs_->Put("named by nothing").value_or("");
  const auto used = std::chrono::system_clock::from_time_t(absl::ToTimeT(clock.Now()));
  std::filesystem::last_write_time(FileOf(unnamed), std::chrono::file_clock::from_sys(used));
  clock.Advance(kMinUnreferencedAge);
  EXPECT_EQ(collector.Collect().value_or(-1), 0);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(collector.Collect().value_or(-1), 1);
  EXPECT_THAT(Verify(), IsEmpty()) << "what rows name is all there";
}

TEST_F(StoreServiceTest, ABackupTellsWhichBlobsAreMissing) {
  const std::string lost = reader_->ReferencedBlobs().value()[0];
  std::filesystem::remove(FileOf(lost));
  const auto context = Context();
  const auto reader = store_stub_->Backup(context.get(), v1::BackupRequest());
  const Received received = ReadAll(*reader);
  context->TryCancel();
  (void)reader->Finish();
  EXPECT_THAT(received.offer.missing(), testing::ElementsAre(lost));
  EXPECT_EQ(ManifestFromJson(received.manifest)->missing, std::vector<std::string>{lost});
}

TEST_F(StoreServiceTest, ItsSizeIsToldByWhatIsNeeded) {
  blobs_->Put("named by nothing").IgnoreError();
  v1::GetStoreResponse store;
  ASSERT_TRUE(store_stub_->GetStore(Context().get(), v1::GetStoreRequest(), &store).ok());
  EXPECT_GT(store.database_bytes(), 0);
  EXPECT_EQ(store.blobs(), 5);
  EXPECT_EQ(store.reclaimable(), 1);
  EXPECT_EQ(store.reclaimable_bytes(), 16);
  EXPECT_GT(store.free_bytes(), 0);
}

TEST_F(StoreServiceTest, VerifyNamesADamagedBlobAndSetsItAside) {
  EXPECT_THAT(Verify(), IsEmpty());
  const std::string damaged = reader_->ReferencedBlobs().value()[0];
  Damage(FileOf(damaged));
  EXPECT_THAT(Verify(), testing::ElementsAre(HasSubstr(damaged)));
  EXPECT_FALSE(FileExists(FileOf(damaged)));
  EXPECT_THAT(Verify(), testing::ElementsAre(HasSubstr(damaged))) << "it is missing now";
  v1::PushCorpusResponse pushed;
  ASSERT_TRUE(PushCorpus(&pushed).ok());
  EXPECT_THAT(Verify(), IsEmpty()) << "sent again, it is there again";
}

TEST_F(StoreServiceTest, ADamagedBlobIsServedToNobody) {
  const v1::ArtifactFile file = Upload("f", "some bytes");
  Damage(FileOf(file.sha256()));
  grpc::StatusCode code;
  ReadBlob(file.sha256(), &code);
  EXPECT_EQ(code, grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ReadBlob(file.sha256(), &code), "");
  EXPECT_EQ(code, grpc::StatusCode::NOT_FOUND);
  Upload("f", "some bytes");
  EXPECT_EQ(ReadBlob(file.sha256(), &code), "some bytes");
  EXPECT_EQ(code, grpc::StatusCode::OK);
}

TEST_F(StoreServiceTest, AJobWhoseCheckpointIsDamagedStartsWithoutIt) {
  const v1::ArtifactFile file = LoseAttemptWithCheckpoint();
  const v1::Assignment second = Acquire("w").assignment();
  EXPECT_EQ(second.start_step(), 10);
  Damage(FileOf(file.sha256()));
  grpc::StatusCode code;
  ReadBlob(file.sha256(), &code);
  EXPECT_EQ(code, grpc::StatusCode::DATA_LOSS);
  ASSERT_TRUE(Finish("w", second.job(), second.attempt(), v1::JOB_OUTCOME_RELEASED).ok());
  const v1::Assignment third = Acquire("w").assignment();
  EXPECT_EQ(third.start_step(), 0);
  EXPECT_FALSE(third.has_checkpoint());
  ASSERT_TRUE(Report(third.job(), third.attempt(), 1, 20));
  ASSERT_TRUE(Finish("w", third.job(), third.attempt()).ok());
  EXPECT_EQ(GetSweep("one").runs(0).step(), 20);
  EXPECT_THAT(Verify(), IsEmpty());
}

}  // namespace
}  // namespace etude
