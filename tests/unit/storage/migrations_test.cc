#include "storage/migrations.h"

#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;
using Access = Database::Access;

constexpr char kVersion[] = "PRAGMA user_version";
constexpr char kTables[] = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
constexpr char kNewTables[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'added_later'";

class MigrationsTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    database_.reset();
    auto opened = Database::Open(path(), Access::kReadWrite);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  std::string path() const { return directory_.path() + "/etude.db"; }
  std::int64_t Number(const char* sql) { return database_->ReadInteger(sql).value_or(-1); }
  // All steps of this program and those of a later one.
  std::vector<const char*> With(std::vector<const char*> later) {
    std::vector<const char*> steps(Migrations().begin(), Migrations().end());
    steps.insert(steps.end(), later.begin(), later.end());
    return steps;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Database> database_;
};

TEST_F(MigrationsTest, EveryOlderVersionComesUpToDate) {
  for (std::size_t version = 0; version <= Migrations().size(); ++version) {
    const TemporaryDirectory directory;
    auto old = Database::Open(directory.path() + "/etude.db", Access::kReadWrite);
    ASSERT_TRUE(old.ok()) << old.status();
    ASSERT_TRUE(Migrate(**old, Migrations().first(version)).ok());
    EXPECT_EQ((*old)->ReadInteger(kVersion).value_or(-1), static_cast<std::int64_t>(version));
    old->reset();
    auto store = SqliteResultsStore::Open(directory.path() + "/etude.db");
    ASSERT_TRUE(store.ok()) << "from version " << version << ": " << store.status();
    const std::vector<Change> changes = {WorkerChanged{MakeWorker()}};
    EXPECT_TRUE((*store)->Commit(changes).ok());
  }
}

TEST_F(MigrationsTest, Version1HasItsTables) {
  ASSERT_TRUE(Migrate(*database_, Migrations().first(1)).ok());
  EXPECT_EQ(Number(kTables), 14);
  EXPECT_EQ(Number(kVersion), 1);
}

TEST_F(MigrationsTest, UpgradeKeepsTheRows) {
  ASSERT_TRUE(Migrate(*database_).ok());
  ASSERT_TRUE(database_->Execute("INSERT INTO loss_points VALUES (1, 1, 1, 7, 0.5)").ok());
  const auto steps = With({"CREATE TABLE added_later (a INTEGER) STRICT"});
  ASSERT_TRUE(Migrate(*database_, steps).ok());
  EXPECT_EQ(Number(kNewTables), 1);
  EXPECT_EQ(Number("SELECT step FROM loss_points"), 7);
}

TEST_F(MigrationsTest, SweepsOfVersion1HoldNothingOut) {
  ASSERT_TRUE(Migrate(*database_, Migrations().first(1)).ok());
  ASSERT_TRUE(database_
                  ->Execute("INSERT INTO corpora VALUES ('c', 37, 1, 1, 1, 'char', 1.0);"
                            "INSERT INTO sweeps VALUES (1, 's', 'old', 'c', '', '{}', 5, 1.0, "
                            "'active', '', 0, 0);"
                            "INSERT INTO runs (key, config_json, state, reason, created_at_us, "
                            "finished_at_us, has_result) VALUES ('r', '{}', 'queued', '', 0, 0, 0);"
                            "INSERT INTO sweep_runs VALUES ('s', 0, 'r')")
                  .ok());
  ASSERT_TRUE(Migrate(*database_).ok());
  EXPECT_EQ(Number("SELECT count(*) FROM sweep_runs"), 1);
  EXPECT_EQ(Number("SELECT held_out FROM sweep_runs"), 0);
}

TEST_F(MigrationsTest, SweepsAndWorkersOfVersion2AreAsNobodyTurnedThem) {
  ASSERT_TRUE(Migrate(*database_, Migrations().first(2)).ok());
  ASSERT_TRUE(database_
                  ->Execute("INSERT INTO corpora VALUES ('c', 37, 1, 1, 1, 'char', 1.0);"
                            "INSERT INTO sweeps VALUES (1, 's', 'old', 'c', '', '{}', 5, 1.0, "
                            "'active', '', 0, 0);"
                            "INSERT INTO workers VALUES ('w', 'box', 'cpu', '', '', 1, 1, 0, "
                            "'offline', '', 0, 0)")
                  .ok());
  ASSERT_TRUE(Migrate(*database_).ok());
  EXPECT_EQ(Number("SELECT paused + priority FROM sweeps"), 0);
  EXPECT_EQ(Number("SELECT weight = 1 FROM sweeps"), 1);
  EXPECT_EQ(Number("SELECT drained FROM workers"), 0);
}

TEST_F(MigrationsTest, ResumeCheckpointsOfVersion4StayWithJobsThatAreNotOver) {
  ASSERT_TRUE(Migrate(*database_, Migrations().first(4)).ok());
  ASSERT_TRUE(
      database_
          ->Execute("INSERT INTO runs (key, config_json, state, reason, created_at_us, "
                    "finished_at_us, has_result) VALUES ('r', '{}', 'queued', '', 0, 0, 0);"
                    "INSERT INTO jobs VALUES (1, 'over', 'r', 0, 9, 'succeeded', 1, 0, '', NULL);"
                    "INSERT INTO jobs VALUES (2, 'trains', 'r', 0, 9, 'leased', 1, 0, '', NULL);"
                    "INSERT INTO attempts VALUES (1, 1, 'w', 0, 'succeeded', '', 0, 0, '');"
                    "INSERT INTO attempts VALUES (2, 1, 'w', 0, NULL, '', 0, 0, '');"
                    "INSERT INTO checkpoints VALUES (1, 'resume', 1, 5, 0);"
                    "INSERT INTO checkpoints VALUES (1, 'best', 1, 5, 0);"
                    "INSERT INTO checkpoints VALUES (2, 'resume', 1, 5, 0);"
                    "INSERT INTO checkpoint_files VALUES (1, 'resume', 0, 'm', 'aa', 1)")
          .ok());
  ASSERT_TRUE(Migrate(*database_).ok());
  EXPECT_EQ(Number("SELECT count(*) FROM checkpoints"), 2);
  EXPECT_EQ(Number("SELECT count(*) FROM checkpoints WHERE job = 1 AND kind = 'best'"), 1);
  EXPECT_EQ(Number("SELECT count(*) FROM checkpoint_files"), 0);
  EXPECT_EQ(Number("SELECT count(*) FROM restores"), 0);
}

TEST_F(MigrationsTest, Version6RemembersTheJobsWhosePointsHaveToGo) {
  ASSERT_TRUE(Migrate(*database_, Migrations().first(6)).ok());
  ASSERT_TRUE(database_->Execute("INSERT INTO deleted_jobs VALUES (7)").ok());
  ASSERT_TRUE(Migrate(*database_).ok());
  EXPECT_EQ(Number("SELECT job FROM deleted_jobs"), 7);
  EXPECT_EQ(Number("SELECT count(*) FROM deleted_runs"), 0);
}

TEST_F(MigrationsTest, FailingStepLeavesTheOldVersion) {
  ASSERT_TRUE(Migrate(*database_).ok());
  const auto steps = With({"CREATE TABLE added_later (a INTEGER) STRICT", "CREATE NONSENSE"});
  const absl::Status status = Migrate(*database_, steps);
  EXPECT_THAT(MessageOf(status), HasSubstr("version " + std::to_string(steps.size())));
  EXPECT_EQ(Number(kNewTables), 0);
  EXPECT_EQ(Number(kVersion), static_cast<std::int64_t>(Migrations().size()));
  EXPECT_TRUE(Migrate(*database_).ok());
}

TEST_F(MigrationsTest, NewerStoreIsRefusedAndSaysUpgrade) {
  ASSERT_TRUE(Migrate(*database_, With({"CREATE TABLE added_later (a INTEGER) STRICT"})).ok());
  const absl::Status status = Migrate(*database_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("Upgrade etude"));
  EXPECT_EQ(SqliteResultsReader::Open(path()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Number(kNewTables), 1);
}

TEST_F(MigrationsTest, ReaderRefusesAnOlderStore) {
  const absl::Status status = SqliteResultsReader::Open(path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("etude up"));
}

TEST_F(MigrationsTest, AnotherProgramsDatabaseIsLeftAlone) {
  ASSERT_TRUE(database_->Execute("CREATE TABLE theirs (a)").ok());
  EXPECT_EQ(Migrate(*database_).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Number(kTables), 1);
}

}  // namespace
}  // namespace etude
