#include "storage/blob_store.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;

class BlobStoreTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    blobs_.reset();
    auto opened = BlobStore::Open(root());
    ASSERT_TRUE(opened.ok()) << opened.status();
    blobs_ = *std::move(opened);
  }
  std::string root() const { return directory_.path() + "/state/blobs"; }
  std::string FileOf(const std::string& name) const {
    return root() + "/" + name.substr(0, 2) + "/" + name.substr(2);
  }
  std::string Partial(const std::string& name) const { return root() + "/partial/" + name; }
  std::int64_t Received(const std::string& name) {
    const auto facts = blobs_->Stat(name);
    return facts.ok() && !facts->complete ? facts->bytes : -1;
  }
  bool Complete(const std::string& name) {
    const auto facts = blobs_->Stat(name);
    return facts.ok() && facts->complete;
  }
  // Makes a file look two hours old.
  static void Age(const std::string& path) {
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(path, now - std::chrono::hours(2));
  }
  absl::Time HourAgo() { return SystemClock().Now() - absl::Hours(1); }

  TemporaryDirectory directory_;
  std::unique_ptr<BlobStore> blobs_;
};

TEST_F(BlobStoreTest, PutNamesBytesByTheirSha256) {
  // echo -n abc | sha256sum
  const std::string name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(blobs_->Put("abc").value_or(""), name);
  EXPECT_EQ(blobs_->Put("abc").value_or(""), name);
  EXPECT_EQ(blobs_->Read(name, 0, 10).value_or(""), "abc");
  EXPECT_EQ(blobs_->Read(name, 1, 1).value_or(""), "b");
  EXPECT_EQ(blobs_->Read(name, 3, 10).value_or("?"), "");
  EXPECT_TRUE(std::filesystem::exists(FileOf(name)));
}

TEST_F(BlobStoreTest, ChunksMakeABlob) {
  const std::string name = Sha256Hex("hello, world");
  EXPECT_EQ(Received(name), 0);
  ASSERT_TRUE(blobs_->Append(name, 12, 0, "hello").ok());
  EXPECT_EQ(Received(name), 5);
  EXPECT_EQ(blobs_->Read(name, 0, 5).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(blobs_->Append(name, 12, 5, ", world").ok());
  EXPECT_TRUE(Complete(name));
  EXPECT_EQ(blobs_->Stat(name)->bytes, 12);
  EXPECT_EQ(blobs_->Read(name, 0, 100).value_or(""), "hello, world");
  EXPECT_FALSE(std::filesystem::exists(Partial(name)));
}

TEST_F(BlobStoreTest, EmptyBlobIsComplete) {
  const std::string name = Sha256Hex("");
  ASSERT_TRUE(blobs_->Append(name, 0, 0, "").ok());
  EXPECT_TRUE(Complete(name));
  EXPECT_EQ(blobs_->Read(name, 0, 5).value_or("?"), "");
}

TEST_F(BlobStoreTest, WrongOffsetIsRefusedAndKeepsWhatIsThere) {
  const std::string name = Sha256Hex("hello, world");
  ASSERT_TRUE(blobs_->Append(name, 12, 0, "hello").ok());
  for (const std::int64_t offset : {0, 3, 6}) {
    const absl::Status status = blobs_->Append(name, 12, offset, "x");
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(MessageOf(status), HasSubstr("5 bytes are here"));
  }
  ASSERT_TRUE(blobs_->Append(name, 12, 5, ", world").ok());
  EXPECT_TRUE(Complete(name));
}

TEST_F(BlobStoreTest, UploadGoesOnAfterARestart) {
  const std::string bytes(3 << 20, 'z');
  const std::string name = Sha256Hex(bytes);
  for (std::int64_t offset = 0; offset < std::ssize(bytes); offset += 1000001) {
    Reopen();
    ASSERT_EQ(Received(name), offset);
    const std::string chunk = bytes.substr(static_cast<std::size_t>(offset), 1000001);
    ASSERT_TRUE(blobs_->Append(name, std::ssize(bytes), offset, chunk).ok());
  }
  EXPECT_EQ(blobs_->Read(name, 0, 4 << 20).value_or(""), bytes);
}

TEST_F(BlobStoreTest, BytesWithAnotherHashAreDropped) {
  const std::string name = Sha256Hex("hello");
  ASSERT_TRUE(blobs_->Append(name, 5, 0, "hel").ok());
  const absl::Status status = blobs_->Append(name, 5, 3, "p!");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Received(name), 0);
  ASSERT_TRUE(blobs_->Append(name, 5, 0, "hello").ok());
  EXPECT_TRUE(Complete(name));
}

TEST_F(BlobStoreTest, DamageBetweenRestartsIsFound) {
  const std::string name = Sha256Hex("hello, world");
  ASSERT_TRUE(blobs_->Append(name, 12, 0, "hello").ok());
  Reopen();
  std::ofstream(Partial(name)) << "jello";
  EXPECT_EQ(blobs_->Append(name, 12, 5, ", world").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Received(name), 0);
}

TEST_F(BlobStoreTest, CompleteBlobIgnoresFurtherBytes) {
  const std::string name = blobs_->Put("hello").value_or("");
  EXPECT_TRUE(blobs_->Append(name, 5, 0, "jello").ok());
  EXPECT_EQ(blobs_->Read(name, 0, 9).value_or(""), "hello");
}

TEST_F(BlobStoreTest, WholeBytesLeftByACrashAreCompletedByAnEmptyAppend) {
  const std::string name = Sha256Hex("hello");
  std::ofstream(Partial(name)) << "hello";
  EXPECT_EQ(Received(name), 5);
  ASSERT_TRUE(blobs_->Append(name, 5, 5, "").ok());
  EXPECT_TRUE(Complete(name));
}

TEST_F(BlobStoreTest, MoreThanTheTotalIsDropped) {
  const std::string name = Sha256Hex("hello");
  ASSERT_TRUE(blobs_->Append(name, 100, 0, "hello, hello").ok());
  EXPECT_EQ(blobs_->Append(name, 5, 5, "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Received(name), 0);
}

TEST_F(BlobStoreTest, NamesThatLeaveTheDirectoryAreRefused) {
  for (const std::string& name : {std::string("../../etc/passwd"), std::string(), Hex('A'),
                                  std::string(63, 'a'), std::string(62, 'a') + "/."}) {
    EXPECT_EQ(blobs_->Stat(name).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(blobs_->Append(name, 1, 0, "x").code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(blobs_->Read(name, 0, 1).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(BlobStoreTest, BytesBeyondTheTotalAreRefused) {
  EXPECT_EQ(blobs_->Append(Hex('a'), 3, 0, "four").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(blobs_->Append(Hex('a'), -1, 0, "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(blobs_->Append(Hex('a'), 3, -1, "").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BlobStoreTest, CollectSparesReferencedAndYoungOnes) {
  const std::string referenced = blobs_->Put("referenced").value_or("");
  const std::string young = blobs_->Put("young").value_or("");
  const std::string old = blobs_->Put("old").value_or("");
  const std::string stale = Sha256Hex("never finished");
  ASSERT_TRUE(blobs_->Append(stale, 14, 0, "never").ok());
  Age(FileOf(referenced));
  Age(FileOf(old));
  Age(Partial(stale));
  EXPECT_EQ(blobs_->Collect({referenced}, HourAgo()).value_or(-1), 2);
  EXPECT_TRUE(Complete(referenced) && Complete(young));
  EXPECT_FALSE(Complete(old));
  EXPECT_EQ(Received(stale), 0);
  ASSERT_TRUE(blobs_->Append(stale, 14, 0, "never finished").ok());
}

TEST_F(BlobStoreTest, CollectSparesWhatSomebodyWasJustToldIsThere) {
  const std::string name = blobs_->Put("asked for").value_or("");
  Age(FileOf(name));
  EXPECT_TRUE(Complete(name));
  EXPECT_EQ(blobs_->Collect({}, HourAgo()).value_or(-1), 0);
  EXPECT_TRUE(Complete(name));
}

TEST_F(BlobStoreTest, ADamagedBlobIsSetAsideAndMayBeSentAgain) {
  const std::string name = blobs_->Put("hello").value_or("");
  EXPECT_TRUE(blobs_->Check(name).ok());
  std::ofstream(FileOf(name)) << "jello";
  EXPECT_EQ(blobs_->Check(name).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(blobs_->Check(name).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(blobs_->Read(name, 0, 5).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Received(name), 0);
  ASSERT_TRUE(blobs_->Append(name, 5, 0, "hello").ok());
  EXPECT_EQ(blobs_->Read(name, 0, 5).value_or(""), "hello");
}

TEST_F(BlobStoreTest, WhatWasSetAsideIsCollectedThoughARowNamesIt) {
  const std::string name = blobs_->Put("hello").value_or("");
  ASSERT_TRUE(blobs_->SetAside(name).ok());
  EXPECT_EQ(blobs_->Collect({name}, HourAgo()).value_or(-1), 0) << "it is looked at for an hour";
  Age(root() + "/damaged/" + name);
  EXPECT_EQ(blobs_->Collect({name}, HourAgo()).value_or(-1), 1);
}

TEST_F(BlobStoreTest, MeasureTellsWhatIsNamedFromWhatIsNot) {
  const std::string named = blobs_->Put("named").value_or("");
  blobs_->Put("other one").IgnoreError();
  const std::string damaged = blobs_->Put("damaged").value_or("");
  ASSERT_TRUE(blobs_->SetAside(damaged).ok());
  ASSERT_TRUE(blobs_->Append(Sha256Hex("never finished"), 14, 0, "never").ok());
  const auto usage = blobs_->Measure({named, damaged});
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->named, 1);
  EXPECT_EQ(usage->named_bytes, 5);
  EXPECT_EQ(usage->others, 3);
  EXPECT_EQ(usage->other_bytes, 9 + 7 + 5);
}

TEST_F(BlobStoreTest, CollectLeavesFilesThatAreNotBlobs) {
  std::filesystem::create_directories(root() + "/ab");
  std::ofstream(root() + "/ab/notes.txt") << "mine";
  Age(root() + "/ab/notes.txt");
  EXPECT_EQ(blobs_->Collect({}, HourAgo()).value_or(-1), 0);
  EXPECT_TRUE(std::filesystem::exists(root() + "/ab/notes.txt"));
}

// More uploads at once than the store keeps hashes of: each still ends well.
TEST_F(BlobStoreTest, ManyUploadsSideBySide) {
  const auto bytes_of = [](int i) { return "upload number " + std::to_string(i); };
  for (int part = 0; part < 2; ++part) {
    for (int i = 0; i < 100; ++i) {
      const std::string bytes = bytes_of(i);
      const std::string piece = part == 0 ? bytes.substr(0, 4) : bytes.substr(4);
      ASSERT_TRUE(blobs_->Append(Sha256Hex(bytes), std::ssize(bytes), part * 4, piece).ok()) << i;
    }
  }
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Complete(Sha256Hex(bytes_of(i)))) << i;
}

}  // namespace
}  // namespace etude
