#include "storage/sqlite.h"

#include <cmath>
#include <fstream>

#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;
using Access = Database::Access;

constexpr char kInsert[] = "INSERT INTO t (a, b) VALUES (?, ?)";
constexpr char kSelect[] = "SELECT a, b FROM t ORDER BY a";
constexpr char kCount[] = "SELECT count(*) FROM t";

class SqliteTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open(path(), Access::kReadWrite);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
    ASSERT_TRUE(database_->Execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b ANY) STRICT").ok());
  }
  std::string path() const { return directory_.path() + "/file.db"; }
  template <typename... Values>
  absl::Status Insert(const Values&... values) {
    ASSIGN_OR_RETURN(Statement insert, database_->Prepare(kInsert));
    return insert.Bind(values...).Run();
  }
  std::int64_t Number(const char* sql) { return database_->ReadInteger(sql).value_or(-1); }

  TemporaryDirectory directory_;
  std::unique_ptr<Database> database_;
};

TEST_F(SqliteTest, PragmasAreAsDocumented) {
  EXPECT_EQ(Number("PRAGMA page_size"), 8192);
  EXPECT_EQ(Number("PRAGMA synchronous"), 2);
  EXPECT_EQ(Number("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(Number("PRAGMA trusted_schema"), 0);
  EXPECT_EQ(Number("PRAGMA cell_size_check"), 1);
  EXPECT_EQ(Number("PRAGMA wal_autocheckpoint"), 0);
}

TEST_F(SqliteTest, ValuesComeBackAsTheyWereBound) {
  ASSERT_TRUE(Insert(1, std::int64_t{1} << 62).ok());
  ASSERT_TRUE(Insert(2, std::string("a\0b", 3)).ok());
  ASSERT_TRUE(Insert(3, std::nullopt).ok());
  ASSERT_TRUE(Insert(4, NAN).ok());
  ASSERT_TRUE(Insert(5, std::optional<std::string>()).ok());
  ASSERT_TRUE(Insert(6, std::string_view()).ok());
  auto rows = database_->Prepare(kSelect);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_TRUE(*rows->Next());
  EXPECT_EQ(rows->Integer(1), std::int64_t{1} << 62);
  ASSERT_TRUE(*rows->Next());
  EXPECT_EQ(rows->Text(1), std::string("a\0b", 3));
  for (int i = 3; i <= 5; ++i) {
    ASSERT_TRUE(*rows->Next());
    EXPECT_TRUE(rows->IsNull(1) && std::isnan(rows->Real(1))) << i;
  }
  ASSERT_TRUE(*rows->Next());
  EXPECT_FALSE(rows->IsNull(1));
  EXPECT_FALSE(*rows->Next());
}

TEST_F(SqliteTest, TransactionThatIsNotCommittedLeavesNothing) {
  {
    auto transaction = Transaction::Begin(*database_);
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    ASSERT_TRUE(Insert(1, 1).ok());
  }
  EXPECT_FALSE(database_->in_transaction());
  EXPECT_EQ(Number(kCount), 0);
}

TEST_F(SqliteTest, OneStatementMayBeInUseTwice) {
  ASSERT_TRUE(Insert(1, 10).ok() && Insert(2, 20).ok());
  auto outer = database_->Prepare(kSelect);
  ASSERT_TRUE(*outer->Next());
  auto inner = database_->Prepare(kSelect);
  ASSERT_TRUE(*inner->Next() && *inner->Next());
  EXPECT_EQ(inner->Integer(1), 20);
  EXPECT_EQ(outer->Integer(1), 10);
}

TEST_F(SqliteTest, ConstraintIsAFailedPrecondition) {
  ASSERT_TRUE(Insert(1, 1).ok());
  const absl::Status status = Insert(1, 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("t.a"));
}

TEST_F(SqliteTest, WrongSqlIsOurBug) {
  EXPECT_EQ(database_->Execute("SELEC 1").code(), absl::StatusCode::kInternal);
}

TEST_F(SqliteTest, SecondWriterIsToldToSendAgain) {
  auto second = Database::Open(path(), Access::kReadWrite);
  ASSERT_TRUE(second.ok()) << second.status();
  auto held = Transaction::Begin(*database_);
  ASSERT_TRUE(held.ok()) << held.status();
  const absl::Status status = Transaction::Begin(**second).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("fuser " + path()));
}

TEST_F(SqliteTest, ReaderCannotWrite) {
  auto reader = Database::Open(path(), Access::kReadOnly);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Execute("DELETE FROM t").code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(SqliteTest, FileThatIsNotThereIsNotFound) {
  EXPECT_EQ(Database::Open(directory_.path() + "/no.db", Access::kReadOnly).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Database::Open(directory_.path() + "/no/no.db", Access::kReadWrite).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SqliteTest, FileOfAnotherKindIsDataLossWithTheNextCommand) {
  const std::string other = directory_.path() + "/other.db";
  std::ofstream(other) << std::string(20000, 'x');
  const absl::Status status = Database::Open(other, Access::kReadWrite).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("etude db restore"));
}

TEST_F(SqliteTest, FullDiskIsResourceExhaustedAndPasses) {
  ASSERT_TRUE(database_->Execute("PRAGMA max_page_count = 3").ok());
  const std::string large(100000, 'x');
  {
    auto transaction = Transaction::Begin(*database_);
    ASSERT_TRUE(Insert(1, 1).ok());
    const absl::Status status = Insert(2, large);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
  EXPECT_EQ(Number(kCount), 0);
  ASSERT_TRUE(database_->Execute("PRAGMA max_page_count = 1000").ok());
  EXPECT_TRUE(Insert(2, large).ok());
}

TEST_F(SqliteTest, CheckpointComesWhenTheWalIsLong) {
  const std::int64_t before = database_->bytes();
  ASSERT_TRUE(Insert(1, std::string(100000, 'x')).ok());
  ASSERT_TRUE(database_->CheckpointIfDue().ok());
  EXPECT_EQ(database_->bytes(), before);
  ASSERT_TRUE(Insert(2, std::string(9 << 20, 'x')).ok());
  ASSERT_TRUE(database_->CheckpointIfDue().ok());
  EXPECT_GT(database_->bytes(), 9 << 20);
}

}  // namespace
}  // namespace etude
