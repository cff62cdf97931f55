#include "worker/points_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/random.h"
#include "tests/support/fake_clock.h"

namespace etude {
namespace {

class PointsLogTest : public testing::Test {
 protected:
  PointsLogTest() { std::filesystem::remove(path_); }

  PointsLogWriter Open() {
    auto writer = PointsLogWriter::Open(path_, clock_);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  static std::vector<LossPoint> Points(std::int64_t from, std::int64_t to) {
    std::vector<LossPoint> points;
    for (std::int64_t step = from; step <= to; ++step) {
      points.push_back({Series::kTrain, step, 1.0 / static_cast<double>(step)});
    }
    return points;
  }
  static CheckpointRecord Checkpoint(std::int64_t step) {
    return {CheckpointKind::kResume,
            step,
            "checkpoints/step-00000003",
            {{"model.safetensors", Sha256Hex("m"), 1}}};
  }
  static DoneRecord Success(std::int64_t step) {
    RunResult result;
    result.val_loss = 0.1 + 0.2;  // not representable shortly
    result.weights_sha256 = Sha256Hex("w");
    return {JobOutcome::kSucceeded, "", step, result};
  }
  // One of each, in the order of a real log.
  void WriteWholeLog() {
    PointsLogWriter writer = Open();
    ASSERT_TRUE(writer.Append(NumericsRecord{R"({"build":"x"})"}).ok());
    ASSERT_TRUE(writer.Append(Points(1, 3)).ok());
    ASSERT_TRUE(writer.Append(Checkpoint(3)).ok());
    ASSERT_TRUE(writer.Append(Points(4, 5)).ok());
    ASSERT_TRUE(writer.Append(Success(5)).ok());
  }
  // Everything that can be read, and how reading ended.
  static absl::Status ReadAll(PointsLogReader& reader, std::vector<LogRecord>& records) {
    for (;;) {
      auto record = reader.Next();
      if (!record.ok()) return record.status();
      if (!*record) return absl::OkStatus();
      records.push_back(**std::move(record));
    }
  }
  std::vector<LogRecord> Records() {
    PointsLogReader reader(path_);
    std::vector<LogRecord> records;
    EXPECT_TRUE(ReadAll(reader, records).ok());
    return records;
  }
  std::string Bytes() { return *ReadFile(path_); }
  void SetBytes(const std::string& bytes) { ASSERT_TRUE(WriteFileAtomically(path_, bytes).ok()); }

  FakeClock clock_;
  std::string path_ = testing::TempDir() + "points_log_test." + std::to_string(getpid());
};

TEST_F(PointsLogTest, EverythingComesBackInOrder) {
  WriteWholeLog();
  const std::vector<LogRecord> records = Records();
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(std::get<NumericsRecord>(records[0]).json, R"({"build":"x"})");
  EXPECT_EQ(std::get<PointsRecord>(records[1]).points, Points(1, 3));
  EXPECT_EQ(std::get<CheckpointRecord>(records[2]), Checkpoint(3));
  EXPECT_EQ(std::get<PointsRecord>(records[3]).points, Points(4, 5));
  EXPECT_EQ(std::get<DoneRecord>(records[4]), Success(5));
}

TEST_F(PointsLogTest, FramingIsLengthThenCrc32cOfThePayload) {
  {
    PointsLogWriter writer = Open();
    ASSERT_TRUE(writer.Append(Points(1, 1)).ok());
  }
  const std::string bytes = Bytes();
  ASSERT_EQ(bytes.size(), 8u + 1 + 17);
  std::uint32_t header[2];
  std::memcpy(header, bytes.data(), 8);
  EXPECT_EQ(header[0], 18u);
  EXPECT_EQ(header[1], Crc32c(std::string_view(bytes).substr(8)));
}

TEST_F(PointsLogTest, ValuesThatAreNotFiniteSurvive) {
  const std::vector<LossPoint> points = {
      {Series::kTrain, 1, std::numeric_limits<double>::infinity()},
      {Series::kGradNorm, 1, std::nan("")}};
  {
    PointsLogWriter writer = Open();
    ASSERT_TRUE(writer.Append(points).ok());
  }
  const auto back = std::get<PointsRecord>(Records().at(0)).points;
  EXPECT_TRUE(std::isinf(back.at(0).value));
  EXPECT_TRUE(std::isnan(back.at(1).value));
}

TEST_F(PointsLogTest, MorePointsThanARecordHoldsAreSplit) {
  {
    PointsLogWriter writer = Open();
    ASSERT_TRUE(writer.Append(Points(1, 10'000)).ok());
  }
  std::vector<LossPoint> all;
  for (const LogRecord& record : Records()) {
    const auto& points = std::get<PointsRecord>(record).points;
    EXPECT_LE(points.size(), kMaxPointsPerRecord);
    all.insert(all.end(), points.begin(), points.end());
  }
  EXPECT_EQ(all, Points(1, 10'000));
}

TEST_F(PointsLogTest, PointsAreHeldBackForAtMostTheLimit) {
  PointsLogWriter writer = Open();
  ASSERT_TRUE(writer.Append(Points(1, 1)).ok());
  EXPECT_TRUE(Records().empty());
  clock_.Advance(kLongestUnflushed);
  ASSERT_TRUE(writer.Append(Points(2, 2)).ok());
  EXPECT_EQ(Records().size(), 2u);
}

TEST_F(PointsLogTest, ACheckpointTakesThePointsBeforeItAlong) {
  PointsLogWriter writer = Open();
  ASSERT_TRUE(writer.Append(Points(1, 3)).ok());
  ASSERT_TRUE(writer.Append(Checkpoint(3)).ok());
  EXPECT_EQ(Records().size(), 2u);
}

TEST_F(PointsLogTest, AReaderGoesOnFromAnOffset) {
  WriteWholeLog();
  PointsLogReader first(path_);
  ASSERT_TRUE(first.Next().ok());
  ASSERT_TRUE(first.Next().ok());
  PointsLogReader second(path_, first.offset());
  std::vector<LogRecord> rest;
  ASSERT_TRUE(ReadAll(second, rest).ok());
  ASSERT_EQ(rest.size(), 3u);
  EXPECT_EQ(std::get<CheckpointRecord>(rest[0]), Checkpoint(3));
}

TEST_F(PointsLogTest, ATornTailIsWaitedForAndThenRead) {
  WriteWholeLog();
  const std::string whole = Bytes();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    SetBytes(whole.substr(0, cut));
    PointsLogReader reader(path_);
    std::vector<LogRecord> records;
    EXPECT_TRUE(ReadAll(reader, records).ok()) << "cut at " << cut;
    EXPECT_LT(records.size(), 5u);
    PointsLogReader resumed(path_, reader.offset());
    SetBytes(whole);
    ASSERT_TRUE(ReadAll(resumed, records).ok());
    ASSERT_EQ(records.size(), 5u) << "cut at " << cut;
  }
}

TEST_F(PointsLogTest, ALogThatIsNotThereYetIsEmpty) { EXPECT_TRUE(Records().empty()); }

TEST_F(PointsLogTest, ABadChecksumBeforeTheEndIsDataLoss) {
  WriteWholeLog();
  std::string bytes = Bytes();
  bytes[12] = static_cast<char>(bytes[12] ^ 1);
  SetBytes(bytes);
  PointsLogReader reader(path_);
  std::vector<LogRecord> records;
  EXPECT_EQ(ReadAll(reader, records).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(records.empty());
}

TEST_F(PointsLogTest, ATailOfZerosIsATornTail) {
  WriteWholeLog();
  SetBytes(Bytes() + std::string(100, '\0'));
  EXPECT_EQ(Records().size(), 5u);
}

TEST_F(PointsLogTest, ACheckpointOutsideTheAttemptIsRefused) {
  CheckpointRecord record = Checkpoint(3);
  record.dir = "checkpoints/../../other";
  {
    PointsLogWriter writer = Open();
    ASSERT_TRUE(writer.Append(record).ok());
    ASSERT_TRUE(writer.Append(Points(4, 4)).ok());
  }
  PointsLogReader reader(path_);
  EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kDataLoss);
}

// Whatever happens to the bytes, what is read is a beginning of what was written.
TEST_F(PointsLogTest, MutationsNeverMakeAWrongRecord) {
  WriteWholeLog();
  const std::string whole = Bytes();
  const std::vector<LogRecord> truth = Records();
  int damaged = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const CounterRandom random(3, RandomStream::kSampling, i);
    std::string mutant = whole;
    if (random.Below(0, 4) == 0) mutant.resize(random.Below(1, whole.size()));
    for (std::uint64_t flips = 0; flips <= random.Below(2, 3) && !mutant.empty(); ++flips) {
      mutant[random.Below(10 + flips, mutant.size())] =
          static_cast<char>(random.Below(20 + flips, 256));
    }
    SetBytes(mutant);
    PointsLogReader reader(path_);
    std::vector<LogRecord> records;
    damaged += ReadAll(reader, records).ok() ? 0 : 1;
    ASSERT_LE(records.size(), truth.size());
    for (std::size_t r = 0; r < records.size(); ++r) ASSERT_TRUE(records[r] == truth[r]) << i;
  }
  EXPECT_GT(damaged, 500);
}

}  // namespace
}  // namespace etude
