#include "client/backup_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::HasSubstr;

class BackupDirectoryTest : public testing::Test {
 protected:
  std::string path() const { return directory_->path() + "/backup"; }
  static BackupOffer Offer(const std::string& database, const std::vector<std::string>& blobs) {
    BackupOffer offer;
    const std::string hash = Sha256Hex(database);
    offer.database = {"etude-" + hash.substr(0, 12) + ".db", hash, std::ssize(database)};
    for (const std::string& blob : blobs) {
      offer.blobs.push_back({"", Sha256Hex(blob), std::ssize(blob)});
    }
    offer.manifest = "manifest of " + database;
    return offer;
  }
  // Writes a whole backup.
  absl::Status Write(const std::string& database, const std::vector<std::string>& blobs) {
    const BackupOffer offer = Offer(database, blobs);
    ASSIGN_OR_RETURN(BackupDirectory directory, BackupDirectory::Open(path(), clock_));
    RETURN_IF_ERROR(directory.Begin(offer));
    RETURN_IF_ERROR(directory.AppendToDatabase(database));
    RETURN_IF_ERROR(directory.EndDatabase());
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      ASSIGN_OR_RETURN(const bool there, directory.Has(offer.blobs[i]));
      if (there) continue;
      ASSIGN_OR_RETURN(const std::string file, directory.PathOf(offer.blobs[i]));
      RETURN_IF_ERROR(WriteFileAtomically(file, blobs[i]));
      ++written_;
    }
    return directory.Finish(offer);
  }
  std::string Manifest() const { return ReadFile(path() + "/manifest.json").value_or("none"); }
  std::string BlobFile(const std::string& blob) const {
    const std::string hash = Sha256Hex(blob);
    return path() + "/blobs/" + hash.substr(0, 2) + "/" + hash.substr(2);
  }

  std::unique_ptr<TemporaryDirectory> directory_ =
      TemporaryDirectory::Make(MakeEnvironment({})).value();
  FakeClock clock_;
  int written_ = 0;
};

TEST_F(BackupDirectoryTest, ALaterBackupFetchesOnlyWhatIsNewAndDropsWhatIsOld) {
  ASSERT_TRUE(Write("one", {"a", "b"}).ok());
  EXPECT_EQ(Manifest(), "manifest of one");
  EXPECT_EQ(written_, 2);
  ASSERT_TRUE(Write("two", {"b", "c"}).ok());
  EXPECT_EQ(Manifest(), "manifest of two");
  EXPECT_EQ(written_, 3);
  EXPECT_FALSE(FileExists(BlobFile("a")));
  EXPECT_FALSE(FileExists(path() + "/" + Offer("one", {}).database.name));
  EXPECT_EQ(ReadFile(path() + "/" + Offer("two", {}).database.name).value_or(""), "two");
}

TEST_F(BackupDirectoryTest, UntilItIsFinishedTheFormerOneStays) {
  ASSERT_TRUE(Write("one", {"a"}).ok());
  const BackupOffer offer = Offer("two", {"b"});
  auto directory = BackupDirectory::Open(path(), clock_);
  ASSERT_TRUE(directory.ok()) << directory.status();
  ASSERT_TRUE(directory->Begin(offer).ok());
  ASSERT_TRUE(directory->AppendToDatabase("two").ok());
  ASSERT_TRUE(directory->EndDatabase().ok());
  EXPECT_EQ(Manifest(), "manifest of one");
  EXPECT_EQ(ReadFile(path() + "/" + Offer("one", {}).database.name).value_or(""), "one");
  EXPECT_TRUE(FileExists(BlobFile("a")));
}

TEST_F(BackupDirectoryTest, AFileWithOtherBytesIsFetchedAgain) {
  ASSERT_TRUE(Write("one", {"a"}).ok());
  ASSERT_TRUE(WriteFileAtomically(BlobFile("a"), "?").ok());
  ASSERT_TRUE(Write("one", {"a"}).ok());
  EXPECT_EQ(written_, 2);
  EXPECT_EQ(ReadFile(BlobFile("a")).value_or(""), "a");
}

TEST_F(BackupDirectoryTest, ADatabaseWithAnotherHashIsDropped) {
  auto directory = BackupDirectory::Open(path(), clock_);
  ASSERT_TRUE(directory.ok());
  ASSERT_TRUE(directory->Begin(Offer("one", {})).ok());
  ASSERT_TRUE(directory->AppendToDatabase("other").ok());
  EXPECT_EQ(directory->EndDatabase().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Manifest(), "none");
}

TEST_F(BackupDirectoryTest, ADatabaseCannotBeNamedElsewhere) {
  auto directory = BackupDirectory::Open(path(), clock_);
  ASSERT_TRUE(directory.ok());
  BackupOffer offer = Offer("one", {});
  for (const std::string name : {"../etude.db", "etude-/../../../x.db", "etude.db", ""}) {
    offer.database.name = name;
    EXPECT_EQ(directory->Begin(offer).code(), absl::StatusCode::kDataLoss) << name;
  }
}

TEST_F(BackupDirectoryTest, ADirectoryWithOtherThingsIsLeftAlone) {
  ASSERT_TRUE(MakeDirectories(path()).ok());
  ASSERT_TRUE(WriteFileAtomically(path() + "/thesis.tex", "mine").ok());
  const absl::Status status = Write("one", {"a"});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(status), HasSubstr("thesis.tex"));
  EXPECT_FALSE(FileExists(path() + "/lock"));
}

TEST_F(BackupDirectoryTest, TwoAtOnceAreRefused) {
  const auto first = BackupDirectory::Open(path(), clock_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(BackupDirectory::Open(path(), clock_).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace etude
