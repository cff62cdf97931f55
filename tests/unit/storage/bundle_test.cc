// A bundle read from a store, as rows and back; and rows that somebody has changed.
#include "storage/bundle.h"

#include <gmock/gmock.h>

#include <limits>

#include "lib/base/hash.h"
#include "storage/bundle_rows.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1000;

class BundleTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    SweepAdded added = MakeSweep({begun_, done_}, "moves");
    added.sweep.resolved_json = "{\"corpus\":\"" + Hex('c') + "\",\"limits\":{},\"runs\":[" +
                                RunConfigToJson(begun_.config) + "," +
                                RunConfigToJson(done_.config) + "]}";
    id_ = added.sweep.id = SweepId(Sha256Hex(added.sweep.resolved_json));
    const JobId first = FirstJob(begun_);
    const JobId second = FirstJob(done_);
    RunResult result;
    result.val_loss = 0.1 + 0.2;
    result.test_loss = std::numeric_limits<double>::quiet_NaN();
    result.weights_sha256 = Hex('9');
    PointsAdded odd{second,
                    1,
                    {{Series::kGradNorm, 7, std::numeric_limits<double>::infinity()},
                     {Series::kGradNorm, 8, std::numeric_limits<double>::quiet_NaN()},
                     {Series::kGradNorm, 9, -1e-300}}};
    Job ended = MakeJob(second, done_.key, 0, JobState::kSucceeded, 1);
    ASSERT_TRUE(
        Commit({added, StartOf(first, 1), PointsOf(first, 1, 1, 60), CheckpointAt(first, 1, 50),
                CheckpointAt(first, 1, 40, CheckpointKind::kBranch),
                JobChanged{MakeJob(first, begun_.key, 0, JobState::kLeased, 1)},
                RunChanged{begun_.key, RunState::kRunning, "", std::nullopt, 0}, StartOf(second, 1),
                PointsOf(second, 1, 1, 100), odd,
                CheckpointAt(second, 1, 100, CheckpointKind::kLast), EndOf(second, 1),
                JobChanged{ended}, RunChanged{done_.key, RunState::kSucceeded, "", result, 9}})
            .ok());
  }
  absl::StatusOr<Bundle> Read() {
    const auto database = Database::Open(path(), Database::Access::kReadOnly).value();
    return ReadBundle(*database, id_, kNow);
  }
  std::string Rows() { return BundleToRows(Read().value(), "test"); }
  // What is said of the rows with `from` replaced by `to`, once.
  absl::Status Changed(const std::string& from, const std::string& to) {
    std::string rows = Rows();
    const std::size_t at = rows.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at == std::string::npos) return absl::OkStatus();
    return BundleFromRows(rows.replace(at, from.size(), to)).status();
  }
  void ExpectRefused(const std::string& from, const std::string& to) {
    EXPECT_EQ(Changed(from, to).code(), absl::StatusCode::kDataLoss) << from << " -> " << to;
  }

  const Run begun_ = MakeRun(11);
  const Run done_ = MakeRun(12);
  SweepId id_;
};

TEST_F(BundleTest, ItIsTheSameAfterItWasRows) {
  const std::string rows = Rows();
  const absl::StatusOr<Bundle> bundle = BundleFromRows(rows);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(BundleToRows(*bundle, "test"), rows);
  EXPECT_EQ(bundle->runs[1].result->val_loss, 0.1 + 0.2) << "bit for bit";
  const std::vector<LossPoint>& points = bundle->jobs[1].attempts[0].points;
  ASSERT_EQ(points.size(), 103u);
  EXPECT_EQ(points[100].value, std::numeric_limits<double>::infinity());
  EXPECT_NE(points[101].value, points[101].value);
  EXPECT_EQ(points[102].value, -1e-300);
}

TEST_F(BundleTest, WhatRunsIsGivenBack) {
  const Bundle bundle = Read().value();
  EXPECT_EQ(bundle.runs[0].state, RunState::kQueued);
  EXPECT_EQ(bundle.jobs[0].job.state, JobState::kQueued);
  EXPECT_EQ(bundle.jobs[0].attempts[0].attempt.outcome, JobOutcome::kReleased);
  EXPECT_EQ(bundle.jobs[0].attempts[0].attempt.ended_at_us, kNow);
  EXPECT_EQ(bundle.jobs[0].checkpoints.size(), 2u);
}

TEST_F(BundleTest, ASweepThatIsNotThereIsNotFound) {
  id_ = SweepId(Hex('0'));
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BundleTest, EveryCutAndEveryLineThatIsMissingIsNoticed) {
  const std::string rows = Rows();
  for (std::size_t at = 0; at < rows.size(); at += 97) {
    EXPECT_FALSE(BundleFromRows(rows.substr(0, at)).ok()) << at;
  }
  std::size_t begin = 0;
  for (std::size_t end = rows.find('\n'); end != std::string::npos;
       begin = end + 1, end = rows.find('\n', begin)) {
    const std::string line = rows.substr(begin, end - begin);
    // Points and checkpoints may be few: what has none is trained again.
    if (line.find("\"points\"") != std::string::npos) continue;
    if (line.find("\"checkpoint\"") != std::string::npos) continue;
    const std::string without = rows.substr(0, begin) + rows.substr(end + 1);
    if (line.find(begun_.key.text()) != std::string::npos &&
        line.find("\"segment\"") != std::string::npos) {
      continue;  // it began, and begins anew
    }
    EXPECT_FALSE(BundleFromRows(without).ok()) << line.substr(0, 80);
  }
}

TEST_F(BundleTest, RowsThatContradictTheirHashesAreRefused) {
  ExpectRefused("\"id\":\"" + id_.text(), "\"id\":\"" + Hex('b'));
  ExpectRefused("\\\"seed\\\":11", "\\\"seed\\\":13");
  ExpectRefused("{\"row\":\"run\",\"key\":\"" + begun_.key.text(),
                "{\"row\":\"run\",\"key\":\"" + done_.key.text());
  ExpectRefused("\"runs\":[\"" + begun_.key.text(), "\"runs\":[\"" + done_.key.text());
  ExpectRefused("\"corpus\":\"" + Hex('c'), "\"corpus\":\"" + Hex('d'));
}

TEST_F(BundleTest, RowsThatContradictEachOtherAreRefused) {
  ExpectRefused("\"state\":\"queued\"", "\"state\":\"running\"");
  ExpectRefused("\"state\":\"queued\"", "\"state\":\"succeeded\"");
  ExpectRefused("\"state\":\"queued\"", "\"state\":\"sleeping\"");
  ExpectRefused("\"to\":100", "\"to\":101");
  ExpectRefused("\"from\":0", "\"from\":1");
  ExpectRefused("\"number\":1", "\"number\":0");
  ExpectRefused("\"number\":1", "\"number\":2147483648");
  ExpectRefused("\"attempt\":1", "\"attempt\":2");
  ExpectRefused("\"steps\":[1,2", "\"steps\":[2,1");
  ExpectRefused("\"steps\":[1,2", "\"steps\":[-1,2");
  ExpectRefused("\"steps\":[1,2", "\"steps\":[1.5,2");
  ExpectRefused("\"steps\":[1,", "\"steps\":[");
  ExpectRefused("\"series\":\"train\"", "\"series\":\"fun\"");
  ExpectRefused("\"parent\":\"\"", "\"parent\":\"" + FirstJob(done_).text() + "\"");
  ExpectRefused("\"weight\":1.0", "\"weight\":1e9");
  ExpectRefused("\"bytes\":", "\"bytes\":-");
  ExpectRefused("{\"row\":\"end\"}", "{\"row\":\"end\"}\n{\"row\":\"end\"}");
  ExpectRefused("{\"row\":\"end\"}", "{\"row\":\"trailer\"}");
}

TEST_F(BundleTest, NoFileNameLeavesItsDirectory) {
  for (const std::string evil : {"../x", "/etc/passwd", "a/b", "..", "", "a\\\\b", "x\\u0000"}) {
    ExpectRefused("\"name\":\"train.npy\"", "\"name\":\"" + evil + "\"");
  }
  ExpectRefused("\"sha256\":\"" + Hex('1'), "\"sha256\":\"../" + Hex('1').substr(3));
}

TEST_F(BundleTest, ALaterFormatIsRefusedForWhatItIs) {
  const absl::Status status = Changed("\"format_version\":\"1.0\"", "\"format_version\":\"2.0\"");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("Upgrade"));
}

TEST_F(BundleTest, NoTextHarmsItsReader) {
  EXPECT_FALSE(BundleFromRows("").ok());
  EXPECT_FALSE(BundleFromRows("\n").ok());
  EXPECT_FALSE(BundleFromRows("[]\n").ok());
  EXPECT_FALSE(BundleFromRows(std::string(1 << 20, '[') + "\n").ok());
  EXPECT_FALSE(BundleFromRows("{\"row\":" + std::string(1 << 20, '{') + "\n").ok());
  const std::string rows = Rows();
  std::uint64_t state = 7;
  for (int round = 0; round < 3000; ++round) {
    std::string changed = rows;
    for (int i = 0; i < 3; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      changed[(state >> 20) % changed.size()] = static_cast<char>(state >> 56);
    }
    const absl::StatusOr<Bundle> read = BundleFromRows(changed);
    EXPECT_TRUE(!read.ok() || CheckBundle(*read).ok());
  }
}

}  // namespace
}  // namespace etude
