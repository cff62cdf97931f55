#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using DiskTest = StoreTest;
using testing::HasSubstr;
using testing::SizeIs;

// No file of this process can grow beyond `bytes` while this lives: a full disk without a mount.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uintmax_t bytes) {
    former_action_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &former_);
    rlimit tight = former_;
    tight.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &tight);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &former_);
    signal(SIGXFSZ, former_action_);
  }

 private:
  rlimit former_{};
  void (*former_action_)(int) = nullptr;
};

TEST_F(DiskTest, FullDiskLosesNothingAndTheSameBatchPassesLater) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 10)}).ok());
  const Change batch = PointsOf(job_, 1, 11, 100000);
  {
    const FileSizeLimit full(std::filesystem::file_size(path() + "-wal") + 50000);
    const absl::Status status = Commit({batch});
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(MessageOf(status), HasSubstr("Free some space"));
    EXPECT_THAT(Curve(), SizeIs(10));
  }
  ASSERT_TRUE(Commit({batch}).ok());
  Reopen();
  EXPECT_EQ(Load().points_through.at(0).step, 100000);
}

TEST_F(DiskTest, DamagedPageIsDataLossAtTheNextStart) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 20000)}).ok());
  store_.reset();  // the last to close moves the WAL into the main file
  const std::uintmax_t bytes = std::filesystem::file_size(path());
  ASSERT_GT(bytes, 200000u);
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(bytes / 8192 / 2 * 8192));
    file << std::string(8192, '\xff');
  }
  const absl::Status status = SqliteResultsStore::Open(path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore"));
}

TEST_F(DiskTest, DamagedPageIsDataLossToAReader) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 20000)}).ok());
  store_.reset();
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 8192 / 2 * 8192);
  const auto reader = SqliteResultsReader::Open(path());
  const absl::Status status =
      reader.ok() ? (*reader)->Curve(run_.key, {}, 0, 100000).status() : reader.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_F(DiskTest, CommittedBatchSurvivesAProcessThatNeverCloses) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 10)}).ok());
  const TemporaryDirectory copy;
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(path() + suffix, copy.path() + "/etude.db" + suffix);
  }
  auto store = SqliteResultsStore::Open(copy.path() + "/etude.db");
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Load()->points_through.at(0).step, 10);
}

}  // namespace
}  // namespace etude
