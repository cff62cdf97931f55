#include "client/bundle_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/blob_tree.h"
#include "client/failure.h"
#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

class BundleDirectoryTest : public testing::Test {
 protected:
  std::string path() const { return directory_->path() + "/bundle"; }
  static BundleOffer Offer(const std::string& rows, const std::vector<std::string>& blobs) {
    BundleOffer offer;
    offer.sweep = SweepId(std::string(64, 'a'));
    offer.name = "first";
    offer.software = "etude 0.1.0";
    offer.rows = {kBundleRowsFile, Sha256Hex(rows), std::ssize(rows)};
    for (const std::string& blob : blobs) {
      offer.blobs.push_back({"", Sha256Hex(blob), std::ssize(blob)});
    }
    return offer;
  }
  absl::Status Write(const std::string& rows, const std::vector<std::string>& blobs) {
    const BundleOffer offer = Offer(rows, blobs);
    ASSIGN_OR_RETURN(BundleDirectory directory, BundleDirectory::Open(path(), clock_));
    RETURN_IF_ERROR(directory.Begin(offer));
    RETURN_IF_ERROR(directory.AppendToRows(rows));
    RETURN_IF_ERROR(directory.EndRows());
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      ASSIGN_OR_RETURN(const bool there, directory.Has(offer.blobs[i]));
      if (there) continue;
      ASSIGN_OR_RETURN(const std::string file, directory.PathOf(offer.blobs[i]));
      RETURN_IF_ERROR(WriteFileAtomically(file, blobs[i]));
      ++written_;
    }
    return directory.Finish(offer, 1'700'000'000'000'000);
  }
  std::string BlobFile(const std::string& blob) const {
    return path() + "/" + BlobTreePath({"", Sha256Hex(blob), 0});
  }
  absl::Status Verified() const { return VerifyBundle(path(), nullptr).status(); }
  // Of the manifest with `from` replaced by `to`.
  absl::Status WithManifest(const std::string& from, const std::string& to) const {
    const std::string file = path() + "/manifest.json";
    const std::string whole = ReadFile(file).value();
    std::string text = whole;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_TRUE(WriteFileAtomically(file, text.replace(at, from.size(), to)).ok());
    absl::Status status = Verified();
    EXPECT_TRUE(WriteFileAtomically(file, whole).ok());
    return status;
  }
  static void ExpectDamaged(const absl::Status& status, const std::string& why) {
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kDataLoss) << status;
    EXPECT_THAT(MessageOf(status), HasSubstr(why));
  }

  std::unique_ptr<TemporaryDirectory> directory_ =
      TemporaryDirectory::Make(MakeEnvironment({})).value();
  FakeClock clock_;
  int written_ = 0;
};

TEST_F(BundleDirectoryTest, WhatIsWrittenVerifiesAndALaterExportFetchesOnlyWhatIsNew) {
  ASSERT_TRUE(Write("rows", {"a", "b"}).ok());
  const absl::StatusOr<BundleManifest> manifest = VerifyBundle(path(), nullptr);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name, "first");
  EXPECT_EQ(manifest->blobs.size(), 2u);
  ASSERT_TRUE(Write("others", {"b", "c"}).ok());
  EXPECT_EQ(written_, 3);
  EXPECT_FALSE(FileExists(BlobFile("a")));
  EXPECT_TRUE(Verified().ok());
}

TEST_F(BundleDirectoryTest, NobodyElsesFilesAreTouched) {
  ASSERT_TRUE(MakeDirectories(path()).ok());
  ASSERT_TRUE(WriteFileAtomically(path() + "/thesis.tex", "mine").ok());
  EXPECT_EQ(ExitCodeOf(Write("rows", {})), ExitCode::kConflict);
  EXPECT_FALSE(FileExists(path() + "/rows.ndjson"));
}

TEST_F(BundleDirectoryTest, WithoutAManifestThereIsNoBundle) {
  EXPECT_EQ(ExitCodeOf(Verified()), ExitCode::kNotFound);
  ASSERT_TRUE(Write("rows", {"a"}).ok());
  fs::remove(path() + "/manifest.json");
  EXPECT_EQ(ExitCodeOf(Verified()), ExitCode::kNotFound);
}

TEST_F(BundleDirectoryTest, AnotherByteOrSizeOrAMissingFileIsDamage) {
  ASSERT_TRUE(Write("rows", {"a"}).ok());
  ASSERT_TRUE(WriteFileAtomically(BlobFile("a"), "b").ok());
  ExpectDamaged(Verified(), "another SHA-256");
  ASSERT_TRUE(WriteFileAtomically(BlobFile("a"), "aa").ok());
  ExpectDamaged(Verified(), "has 2 bytes, not 1");
  fs::remove(BlobFile("a"));
  ExpectDamaged(Verified(), "is missing");
  ASSERT_TRUE(WriteFileAtomically(BlobFile("a"), "a").ok());
  ASSERT_TRUE(WriteFileAtomically(path() + "/rows.ndjson", "rowS").ok());
  ExpectDamaged(Verified(), "another SHA-256");
}

TEST_F(BundleDirectoryTest, ALinkIsNoFileOfTheBundleWhereverItLeads) {
  ASSERT_TRUE(Write("rows", {"a"}).ok());
  const std::string outside = directory_->path() + "/outside";
  ASSERT_TRUE(WriteFileAtomically(outside, "a").ok());
  fs::remove(BlobFile("a"));
  fs::create_symlink(outside, BlobFile("a"));
  ExpectDamaged(Verified(), "no regular file");
  fs::remove(BlobFile("a"));
  ASSERT_TRUE(WriteFileAtomically(BlobFile("a"), "a").ok());
  fs::rename(path() + "/blobs", directory_->path() + "/blobs");
  fs::create_directory_symlink(directory_->path() + "/blobs", path() + "/blobs");
  ExpectDamaged(Verified(), "no directory of the bundle");
  fs::rename(path() + "/manifest.json", outside);
  fs::create_symlink(outside, path() + "/manifest.json");
  ExpectDamaged(Verified(), "no regular file");
}

TEST_F(BundleDirectoryTest, AManifestMayNameNoPathButItsOwn) {
  ASSERT_TRUE(Write("rows", {"a"}).ok());
  const std::string blob = BlobTreePath({"", Sha256Hex("a"), 0});
  for (const std::string evil : {"/etc/passwd", "../outside", "blobs/../../outside", "blobs\\\\ab",
                                 "blobs/%2e%2e/x", "", "blobs/ab/\\u0000", "rows.ndjson"}) {
    ExpectDamaged(WithManifest("\"" + blob + "\"", "\"" + evil + "\""), "manifest.json");
  }
  ExpectDamaged(WithManifest(Sha256Hex("a"), "../" + Sha256Hex("a").substr(3)), "hash");
  ExpectDamaged(WithManifest("\"bytes\": 1", "\"bytes\": -1"), "size");
  ExpectDamaged(WithManifest("\"bytes\": 1", "\"bytes\": 1e99"), "size");
  ExpectDamaged(WithManifest("\"bytes\": 1", "\"bytes\": 18446744073709551615"), "hash");
}

TEST_F(BundleDirectoryTest, AManifestOfSomethingElseSaysWhat) {
  ASSERT_TRUE(Write("rows", {"a"}).ok());
  const absl::Status later = WithManifest("\"1.0\"", "\"2.0\"");
  EXPECT_EQ(ExitCodeOf(later), ExitCode::kUsage);
  EXPECT_THAT(FailureText(later), HasSubstr("upgrade etude"));
  ExpectDamaged(WithManifest("\"software\"", "\"database\": \"x\", \"software\""), "backup");
  ExpectDamaged(WithManifest("\"name\"", "\"nom\""), "name");
  ExpectDamaged(WithManifest("{", "["), "not a JSON object");
  ExpectDamaged(WithManifest("\"rows.ndjson\"", "\"rows.json\""), "manifest.json");
  const std::string deep(100000, '[');
  ExpectDamaged(BundleManifestFromJson("{\"files\":" + deep).status(), "not a JSON object");
}

TEST_F(BundleDirectoryTest, RowsThatCameDamagedAreDropped) {
  absl::StatusOr<BundleDirectory> directory = BundleDirectory::Open(path(), clock_);
  ASSERT_TRUE(directory.ok());
  ASSERT_TRUE(directory->Begin(Offer("rows", {})).ok());
  ASSERT_TRUE(directory->AppendToRows("rowS").ok());
  EXPECT_EQ(ExitCodeOf(directory->EndRows()), ExitCode::kDataLoss);
  EXPECT_FALSE(FileExists(path() + "/rows.ndjson.part"));
}

}  // namespace
}  // namespace etude
