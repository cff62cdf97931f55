#include "storage/backup.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/time/civil_time.h"
#include "gmock/gmock.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "storage/blob_store.h"
#include "storage/migrations.h"
#include "storage/snapshot.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const absl::Time kNow = absl::FromCivil(absl::CivilDay(2026, 11, 24), absl::UTCTimeZone());

// Changes one byte in the middle of a file.
void Flip(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(middle);
  file.put(byte);
}

class SnapshotTest : public StoreTest {
 protected:
  absl::StatusOr<std::unique_ptr<Snapshot>> Take(
      Database::CopyProgress go_on = [](auto, auto) { return true; },
      std::int64_t min_free_bytes = 0) {
    return Snapshot::Take({path(), min_free_bytes, std::move(go_on)});
  }
  std::int64_t PointsIn(const Snapshot& snapshot) {
    auto copy = Database::Open(snapshot.path(), Database::Access::kReadOnly);
    return copy.ok() ? (*copy)->ReadInteger("SELECT count(*) FROM loss_points").value_or(-1) : -2;
  }
};

TEST_F(SnapshotTest, IsAWholeStoreInOneFile) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 100)}).ok());
  std::string file;
  {
    const auto snapshot = Take();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    file = (*snapshot)->path();
    EXPECT_EQ(PointsIn(**snapshot), 100);
    EXPECT_FALSE(FileExists(file + "-wal"));
    EXPECT_FALSE(FileExists(file + "-shm"));
    EXPECT_EQ((*snapshot)->sha256(), Sha256HexOfFile(file).value_or(""));
    EXPECT_EQ((*snapshot)->schema_version(), static_cast<int>(Migrations().size()));
  }
  EXPECT_FALSE(FileExists(file));
}

TEST_F(SnapshotTest, IsOneMomentWhateverIsCommittedMeanwhile) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 300'000)}).ok());
  int slices = 0;
  const auto snapshot = Take([&](std::int64_t, std::int64_t) {
    ++slices;
    const std::int64_t first = 300'000 + 1000 * slices;
    return Commit({PointsOf(job_, 1, first, first + 999)}).ok();
  });
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_GT(slices, 1);
  EXPECT_EQ(PointsIn(**snapshot), 300'000);
}

TEST_F(SnapshotTest, StopsWhenItIsToldTo) {
  EXPECT_EQ(Take([](auto, auto) { return false; }).status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::vector<std::filesystem::path>(
                  std::filesystem::directory_iterator(directory_.path()), {}),
              SizeIs(4))
      << "the store, its log and its shared memory, and the lock";
}

TEST_F(SnapshotTest, NeedsItsSpaceAndWhatMustStayFree) {
  const absl::Status status = Take([](auto, auto) { return true; }, std::int64_t{1} << 60).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(status), HasSubstr("MiB are free"));
}

TEST_F(SnapshotTest, OfADamagedStoreThereIsNone) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 20'000)}).ok());
  Reopen();
  Flip(path());
  const absl::Status status = Take().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore"));
}

TEST_F(SnapshotTest, NamesEachBlobOnceWithItsSize) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 10), CheckpointAt(job_, 1, 10)}).ok());
  const auto snapshot = Take();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  std::vector<std::string> named;
  for (const NamedBlob& blob : (*snapshot)->blobs()) named.push_back(blob.sha256);
  EXPECT_EQ(named, Reader()->ReferencedBlobs().value());
  EXPECT_THAT(named, Not(IsEmpty()));
}

TEST_F(SnapshotTest, OneThatADeadProcessLeftIsRemoved) {
  const std::string left = directory_.path() + "/snapshot.1.1";
  std::ofstream(left) << "half";
  RemoveOldSnapshots(directory_.path());
  EXPECT_FALSE(FileExists(left));
  EXPECT_TRUE(FileExists(path()));
}

TEST(BackupManifestTest, ReadsWhatItWrote) {
  BackupManifest manifest{.software = "0.1.0", .created_at_us = 1'764'000'000'000'000};
  manifest.schema_version = 4;
  manifest.database = {DatabaseFileName(Hex('d')), 8192, Hex('d')};
  manifest.blobs = {{BlobPath(Hex('a')), 3, Hex('a')}};
  manifest.missing = {Hex('b')};
  const auto read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ManifestToJson(*read), ManifestToJson(manifest));
  EXPECT_EQ(read->blobs[0].path, "blobs/aa/" + std::string(62, 'a'));
}

TEST(BackupManifestTest, NamesNoFileElsewhere) {
  BackupManifest manifest;
  manifest.database = {DatabaseFileName(Hex('d')), 1, Hex('d')};
  manifest.blobs = {{"../../etc/passwd", 3, Hex('a')}};
  for (const std::string& text :
       {ManifestToJson(manifest), std::string("{}"), std::string("not")}) {
    EXPECT_EQ(ManifestFromJson(text).status().code(), absl::StatusCode::kDataLoss);
  }
}

// A backup of a store with one run that trains, and every blob that it names.
class BackupTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_TRUE(
        Commit({WorkerChanged{MakeWorker()}, StartOf(job_, 1), PointsOf(job_, 1, 1, 30'000)}).ok());
    const std::string bytes = "weights";
    CheckpointAdded checkpoint = CheckpointAt(job_, 1, 20);
    checkpoint.checkpoint.files = {{"model.safetensors", Sha256Hex(bytes), 7}};
    ASSERT_TRUE(Commit({checkpoint}).ok());
    Write();
  }

  std::string backup() const { return directory_.path() + "/backup"; }
  std::string state() const { return directory_.path() + "/restored"; }
  std::string blob() const { return backup() + "/" + BlobPath(Sha256Hex("weights")); }
  std::string database() const { return backup() + "/" + manifest_.database.path; }

  void Write() {
    std::filesystem::remove_all(backup());
    auto snapshot = Snapshot::Take({path(), 0, [](auto, auto) { return true; }});
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    manifest_ = {.software = "test", .created_at_us = ToMicros(kNow), .schema_version = 4};
    manifest_.database = {DatabaseFileName((*snapshot)->sha256()), (*snapshot)->bytes(),
                          (*snapshot)->sha256()};
    std::filesystem::create_directories(std::filesystem::path(blob()).parent_path());
    std::filesystem::copy_file((*snapshot)->path(), database());
    std::ofstream(blob()) << "weights";
    for (const NamedBlob& named : (*snapshot)->blobs()) {
      if (named.sha256 == Sha256Hex("weights")) {
        manifest_.blobs.push_back({BlobPath(named.sha256), 7, named.sha256});
      } else {
        manifest_.missing.push_back(named.sha256);  // of the builders' made-up corpus
      }
    }
    WriteManifest();
  }
  void WriteManifest() {
    ASSERT_TRUE(WriteFileAtomically(backup() + "/manifest.json", ManifestToJson(manifest_)).ok());
  }
  std::vector<std::string> Damage() {
    const auto check = CheckBackup(backup());
    EXPECT_TRUE(check.ok()) << check.status();
    return check.ok() ? check->damage : std::vector<std::string>();
  }
  absl::StatusOr<Restored> Restore(bool replace = false, absl::Time now = kNow) {
    return RestoreBackup({backup(), state(), replace}, now);
  }

  BackupManifest manifest_;
};

TEST_F(BackupTest, OneThatIsWholeHasNoDamage) {
  EXPECT_THAT(Damage(), IsEmpty());
  const auto check = CheckBackup(backup());
  EXPECT_EQ(check->notes.size(), manifest_.missing.size());
  EXPECT_EQ(check->bytes, manifest_.database.bytes + 7);
}

TEST_F(BackupTest, EveryKindOfDamageIsNamed) {
  const auto expect = [&](const std::string& file, const std::string& what) {
    EXPECT_THAT(Damage(), ElementsAre(testing::AllOf(HasSubstr(file), HasSubstr(what))));
    Write();
  };
  Flip(blob());
  expect(BlobPath(Sha256Hex("weights")), "SHA-256");
  std::filesystem::resize_file(blob(), 6);
  expect(BlobPath(Sha256Hex("weights")), "has 6 bytes, not 7");
  std::filesystem::remove(blob());
  expect(BlobPath(Sha256Hex("weights")), "is missing");
  Flip(database());
  expect(manifest_.database.path, "SHA-256");
  manifest_.blobs.clear();
  std::filesystem::remove(blob());
  WriteManifest();
  expect("blob " + Sha256Hex("weights"), "the backup lacks it");
}

TEST_F(BackupTest, FilesOfOthersAreNoted) {
  std::ofstream(backup() + "/notes.txt") << "mine";
  EXPECT_THAT(Damage(), IsEmpty());
  EXPECT_THAT(CheckBackup(backup())->notes, testing::Contains(HasSubstr("notes.txt")));
}

TEST_F(BackupTest, WithoutAManifestThereIsNone) {
  std::filesystem::remove(backup() + "/manifest.json");
  const absl::Status status = CheckBackup(backup()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db backup"));
}

TEST_F(BackupTest, RestoreMakesAStateDirectoryWithTheSameCurve) {
  const std::vector<LossPoint> before = Curve({}, 0, 100'000);
  const auto restored = Restore();
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->moved_to, "");
  struct stat facts {};
  ASSERT_EQ(stat(state().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 077, 0u);
  EXPECT_EQ(ReadFile(state() + "/" + BlobPath(Sha256Hex("weights"))).value_or(""), "weights");
  auto store = SqliteResultsStore::Open(state() + "/etude.db");
  ASSERT_TRUE(store.ok()) << store.status();
  const StoredState stored = (*store)->Load().value();
  EXPECT_EQ(stored.attempts_above, restored->attempts_above);
  EXPECT_THAT(stored.live_attempts, SizeIs(1));
  auto reader = SqliteResultsReader::Open(state() + "/etude.db");
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::vector<LossPoint> after = (*reader)->Curve(run_.key, {}, 0, 100'000).value();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_EQ(after.back().step, before.back().step);
}

TEST_F(BackupTest, ResultsThatAreThereStayUnlessTheyAreToBeReplaced) {
  ASSERT_TRUE(Restore().ok());
  std::ofstream(state() + "/token") << "etude_mine";
  const absl::Status refused = Restore().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(refused), HasSubstr("--replace"));
  const auto restored = Restore(/*replace=*/true);
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->moved_to, state() + ".before-20261124T000000Z");
  EXPECT_TRUE(FileExists(restored->moved_to + "/etude.db"));
  EXPECT_EQ(ReadFile(state() + "/token").value_or(""), "etude_mine");
  EXPECT_EQ(Restore(true)->moved_to, state() + ".before-20261124T000000Z.2");
}

TEST_F(BackupTest, ADirectoryInUseIsRefused) {
  std::filesystem::create_directory(state());
  const auto lock = StateLock::Take(state());
  ASSERT_TRUE(lock.ok());
  const absl::Status status = Restore(true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("kill"));
}

TEST_F(BackupTest, AnEmptyDirectoryIsFilled) {
  std::filesystem::create_directory(state());
  const auto restored = Restore();
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->moved_to, "");
  EXPECT_TRUE(FileExists(state() + "/etude.db"));
}

TEST_F(BackupTest, OfADamagedOneNothingIsRestored) {
  ASSERT_TRUE(Restore().ok());
  Flip(blob());
  const absl::Status status = Restore(true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db verify"));
  EXPECT_EQ(ReadFile(state() + "/" + BlobPath(Sha256Hex("weights"))).value_or(""), "weights");
}

// Attempts of the time before, also of a restored store that was lost itself.
TEST_F(BackupTest, EachRestoreNumbersItsAttemptsAboveAllBefore) {
  const int first = Restore()->attempts_above;
  const int second = Restore(true, kNow + absl::Minutes(5))->attempts_above;
  EXPECT_EQ(second, first + 300);
  EXPECT_GT(first, kAttemptsPerRestore);
  EXPECT_EQ(AttemptsAbove(kNow - absl::Hours(24 * 3650), first), first + kAttemptsPerRestore);
  EXPECT_GT(AttemptsAbove(kNow + absl::Hours(24 * 36500), first), first);
}

}  // namespace
}  // namespace etude
