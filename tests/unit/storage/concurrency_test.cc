#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "lib/base/hash.h"
#include "storage/blob_store.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using ConcurrencyTest = StoreTest;

TEST_F(ConcurrencyTest, OpenSnapshotDoesNotHoldTheWriter) {
  auto reader = Database::Open(path(), Database::Access::kReadOnly);
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto snapshot = Transaction::Begin(**reader);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  static constexpr char kCount[] = "SELECT count(*) FROM loss_points";
  EXPECT_EQ((*reader)->ReadInteger(kCount).value_or(-1), 0);
  // Enough for a checkpoint, which the snapshot may not hold up either.
  ASSERT_TRUE(Commit({StartOf(job_, 1)}).ok());
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Commit({PointsOf(job_, 1, 1 + i * 100000, (i + 1) * 100000)}).ok());
  }
  EXPECT_EQ((*reader)->ReadInteger(kCount).value_or(-1), 0);
  EXPECT_EQ(Load().points_through.at(0).step, 600000);
}

// Each batch adds 8 points, so any snapshot holds a multiple of 8, in order and without a gap.
TEST_F(ConcurrencyTest, ReadersSeeWholeBatchesWhileTheWriterCommits) {
  ASSERT_TRUE(Commit({StartOf(job_, 1)}).ok());
  const std::unique_ptr<SqliteResultsReader> reader = Reader();
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  const auto read = [&] {
    while (!done) {
      const auto points = reader->Curve(run_.key, {Series::kTrain}, 0, 100000);
      if (!points.ok() || points->size() % 8 != 0) ++wrong;
      if (points.ok() && !points->empty() &&
          points->back().step != static_cast<std::int64_t>(points->size())) {
        ++wrong;
      }
    }
  };
  std::jthread first(read);
  std::jthread second(read);
  for (int batch = 0; batch < 12; ++batch) {
    EXPECT_TRUE(Commit({PointsOf(job_, 1, batch * 8 + 1, batch * 8 + 8)}).ok());
  }
  done = true;
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ConcurrencyTest, TwoThreadsSendingOneBlobMakeOneBlob) {
  auto blobs = BlobStore::Open(directory_.path() + "/blobs");
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  const std::string bytes(300000, 'x');
  const std::string name = Sha256Hex(bytes);
  const auto send = [&] {
    for (;;) {
      const auto facts = (*blobs)->Stat(name);
      if (!facts.ok() || facts->complete) return;
      const std::string_view rest = std::string_view(bytes).substr(facts->bytes, 1000);
      // A refusal means that the other thread was first.
      (*blobs)->Append(name, 300000, facts->bytes, rest).IgnoreError();
    }
  };
  std::jthread first(send);
  std::jthread second(send);
  first.join();
  second.join();
  EXPECT_EQ((*blobs)->Read(name, 0, 1 << 20).value_or(""), bytes);
}

TEST_F(ConcurrencyTest, TwoThreadsPutTheSameBytes) {
  auto blobs = BlobStore::Open(directory_.path() + "/blobs");
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  std::atomic<int> stored = 0;
  const auto put = [&] {
    for (int i = 0; i < 5; ++i) {
      if ((*blobs)->Put("bytes " + std::to_string(i)).ok()) ++stored;
    }
  };
  std::jthread first(put);
  std::jthread second(put);
  first.join();
  second.join();
  EXPECT_EQ(stored, 10);
}

}  // namespace
}  // namespace etude
