// Bytes that change on the disk are noticed before anybody is told what they say.
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "storage/sqlite_page_check.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kPageBytes = 8192;
constexpr std::int64_t kFrameBytes = 24 + kPageBytes;
constexpr std::int64_t kWalHeaderBytes = 32;

class DamageTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 2000)}).ok());
  }

  static void Flip(const std::string& file, std::int64_t offset, int bit = 0) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(offset);
    const char byte = static_cast<char>(bytes.get() ^ (1 << bit));
    bytes.seekp(offset);
    bytes.put(byte);
  }
  // The root page of a table or an index, from 1.
  std::int64_t RootOf(const std::string& name) {
    auto database = Database::Open(path(), Database::Access::kReadOnly);
    EXPECT_TRUE(database.ok()) << database.status();
    auto rows = (*database)->Prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?");
    EXPECT_TRUE(rows->Bind(name).Next().value_or(false)) << name;
    return rows->Integer(0);
  }
  void ExpectRefused(const std::string& what) {
    const absl::Status status = SqliteResultsStore::Open(path()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what << ": " << status;
    EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore DIR --replace")) << what;
  }
};

TEST_F(DamageTest, OneBitAnywhereInTheFileIsRefusedAtTheNextStart) {
  store_.reset();
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(path()));
  ASSERT_GT(bytes, 20 * kPageBytes);
  const TemporaryDirectory whole;
  std::filesystem::copy_file(path(), whole.path() + "/etude.db");
  int refused = 0;
  for (std::int64_t page = 0; page < bytes / kPageBytes; ++page) {
    // Its head, a cell or free space, and the checksum itself.
    for (const std::int64_t within : {std::int64_t{40}, std::int64_t{5000}, kPageBytes - 3}) {
      Flip(path(), page * kPageBytes + within, static_cast<int>(page % 8));
      ExpectRefused("page " + std::to_string(page + 1) + " byte " + std::to_string(within));
      std::filesystem::copy_file(whole.path() + "/etude.db", path(),
                                 std::filesystem::copy_options::overwrite_existing);
      ++refused;
    }
  }
  EXPECT_GT(refused, 60);
  EXPECT_TRUE(SqliteResultsStore::Open(path()).ok());
}

TEST_F(DamageTest, ADamagedHeaderIsRefused) {
  store_.reset();
  for (const std::int64_t at : {0, 16, 20, 24, 60, 100}) {
    Flip(path(), at);
    EXPECT_FALSE(SqliteResultsStore::Open(path()).ok()) << "byte " << at;
    Flip(path(), at);
  }
  EXPECT_TRUE(SqliteResultsStore::Open(path()).ok());
}

// Of a store too large to be read at its start.
TEST_F(DamageTest, AReaderIsToldInsteadOfServed) {
  Reopen();  // so that all is in the main file
  const std::int64_t points = RootOf("loss_points");
  const std::int64_t index = RootOf("sqlite_autoindex_runs_1");
  Flip(path(), (index - 1) * kPageBytes + kPageBytes - 100);
  EXPECT_EQ(Reader()->FindRun(run_.key.text()).status().code(), absl::StatusCode::kDataLoss);
  Flip(path(), (index - 1) * kPageBytes + kPageBytes - 100);
  Flip(path(), (points - 1) * kPageBytes + kPageBytes - 100);
  const absl::Status status = Reader()->Curve(run_.key, {}, 0, 10'000).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore"));
}

TEST_F(DamageTest, FindDamageNamesTheTable) {
  Reopen();
  Flip(path(), (RootOf("loss_points") - 1) * kPageBytes + kPageBytes - 100);
  auto database = Database::Open(path(), Database::Access::kReadOnly);
  ASSERT_TRUE(database.ok());
  const auto damage = (*database)->FindDamage([] { return true; });
  ASSERT_TRUE(damage.ok()) << damage.status();
  EXPECT_THAT(*damage, testing::Contains(HasSubstr("loss_points")));
}

TEST_F(DamageTest, FindDamageNamesRowsWithoutWhatTheyName) {
  {
    auto database = Database::Open(path(), Database::Access::kReadOnly);
    EXPECT_THAT(*(*database)->FindDamage([] { return true; }), testing::IsEmpty());
  }
  store_.reset();
  auto database = Database::Open(path(), Database::Access::kReadWrite);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE((*database)
                  ->Execute("PRAGMA foreign_keys = 0; "
                            "INSERT INTO corpus_names VALUES ('lost', 'nowhere', 0)")
                  .ok());
  EXPECT_THAT(*(*database)->FindDamage([] { return true; }),
              testing::ElementsAre(HasSubstr("corpus_names")));
}

// A process that was killed, with several commits in its log.
class LogDamageTest : public DamageTest {
 protected:
  void SetUp() override {
    DamageTest::SetUp();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(Commit({PointsOf(job_, 1, 2001 + 10 * i, 2010 + 10 * i)}).ok());
    }
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(path() + suffix, killed() + suffix);
    }
    frames_ = (static_cast<std::int64_t>(std::filesystem::file_size(killed() + "-wal")) -
               kWalHeaderBytes) /
              kFrameBytes;
    ASSERT_GT(frames_, 8);
  }
  std::string killed() const { return copy_.path() + "/etude.db"; }
  std::int64_t StepsIn(const std::string& file) {
    auto store = SqliteResultsStore::Open(file);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? (*store)->Load()->points_through.at(0).step : -1;
  }

  TemporaryDirectory copy_;
  std::int64_t frames_ = 0;
};

TEST_F(LogDamageTest, AWholeLogIsReadToItsEnd) {
  EXPECT_TRUE(CheckWriteAheadLog(killed()).ok());
  EXPECT_EQ(StepsIn(killed()), 2050);
}

TEST_F(LogDamageTest, DamageBeforeAnAcknowledgedCommitIsRefused) {
  for (const std::int64_t frame : {std::int64_t{0}, frames_ / 2, frames_ * 3 / 4}) {
    const std::int64_t at = kWalHeaderBytes + frame * kFrameBytes + 1000;
    Flip(killed() + "-wal", at);
    const absl::Status status = SqliteResultsStore::Open(killed()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << "frame " << frame + 1;
    EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore"));
    Flip(killed() + "-wal", at);
  }
  Flip(killed() + "-wal", 17);  // a salt in the header
  EXPECT_EQ(SqliteResultsStore::Open(killed()).status().code(), absl::StatusCode::kDataLoss);
}

// What a power cut leaves: the last transaction was never acknowledged.
TEST_F(LogDamageTest, ATornEndIsNoDamage) {
  const auto bytes = std::filesystem::file_size(killed() + "-wal");
  std::filesystem::resize_file(killed() + "-wal", bytes - 100);
  EXPECT_EQ(StepsIn(killed()), 2040);
}

TEST_F(LogDamageTest, AStartBeginsANewLog) {
  EXPECT_EQ(StepsIn(killed()), 2050);
  auto store = SqliteResultsStore::Open(killed());
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(std::filesystem::file_size(killed() + "-wal"), 0u);
}

TEST_F(DamageTest, AHeaderThatDeniesTheChecksumsIsRefused) {
  store_.reset();
  Flip(path(), 20, 3);  // 8 bytes reserved, now 0: as in a file made before there were any
  ExpectRefused("byte 20");
}

}  // namespace
}  // namespace etude
