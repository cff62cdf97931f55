// ATTEMPT_DIR/points.log: what training produced, in order, written by the trainer and tailed by
// the agent. The log is also the spool: it keeps what the coordinator has not acknowledged yet.
//
// A record is u32 length, u32 CRC-32C, payload (little-endian; both of the payload). The first byte
// of a payload is its type: 1 = loss points (u8 series, i64 step, f64 value each), 2 = checkpoint,
// 3 = done, 4 = numerics (these three JSON). All points of steps <= s come before the checkpoint
// of step s.
#ifndef ETUDE_WORKER_POINTS_LOG_H_
#define ETUDE_WORKER_POINTS_LOG_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/scaling/job.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"

namespace etude {

inline constexpr std::size_t kMaxPointsPerRecord = 4096;
inline constexpr std::int64_t kMaxRecordBytes = std::int64_t{1} << 20;
inline constexpr absl::Duration kLongestUnflushed = absl::Milliseconds(200);

struct PointsRecord {
  std::vector<LossPoint> points;
  friend bool operator==(const PointsRecord&, const PointsRecord&) = default;
};

// A checkpoint that is complete and durable in `dir`, a path relative to the attempt's directory.
struct CheckpointRecord {
  CheckpointKind kind = CheckpointKind::kResume;
  std::int64_t step = 0;
  std::string dir;
  std::vector<ArtifactFile> files;
  friend bool operator==(const CheckpointRecord&, const CheckpointRecord&) = default;
};

// The last record: how training ended.
struct DoneRecord {
  JobOutcome outcome = JobOutcome::kSucceeded;
  std::string reason;
  std::int64_t step = 0;
  std::optional<RunResult> result;  // with kSucceeded
  friend bool operator==(const DoneRecord&, const DoneRecord&) = default;
};

// What the bits of this attempt depend on beside its config: JSON {"build","cpu","device",...}.
struct NumericsRecord {
  std::string json;
  friend bool operator==(const NumericsRecord&, const NumericsRecord&) = default;
};

using LogRecord = std::variant<PointsRecord, CheckpointRecord, DoneRecord, NumericsRecord>;

// Appends to a log, which it makes if there is none. Not thread-safe. Every error is the file
// system's (kResourceExhausted: the disk is full) and leaves at most a torn tail.
class PointsLogWriter {
 public:
  static absl::StatusOr<PointsLogWriter> Open(const std::string& path, Clock& clock);
  ~PointsLogWriter();  // flushes, as far as it can
  PointsLogWriter(PointsLogWriter&&) noexcept;
  PointsLogWriter& operator=(PointsLogWriter&&) = delete;

  // Buffered, for at most kLongestUnflushed of this writer's calls' time.
  absl::Status Append(std::span<const LossPoint> points);
  // Durable on return, with everything before it.
  absl::Status Append(const CheckpointRecord& checkpoint);
  absl::Status Append(const DoneRecord& done);
  // Visible to readers on return.
  absl::Status Append(const NumericsRecord& numerics);
  absl::Status Flush();

 private:
  PointsLogWriter(std::string path, int fd, Clock& clock);
  void Frame(std::string_view payload);
  absl::Status Sync();

  std::string path_;
  int fd_;
  Clock* clock_;
  std::string buffer_;
  absl::Time last_flush_;
};

// Reads a log that may still grow. Not thread-safe.
class PointsLogReader {
 public:
  // A log that does not exist yet is an empty one. `offset` is 0 or the end of a record.
  explicit PointsLogReader(std::string path, std::int64_t offset = 0);
  ~PointsLogReader();
  PointsLogReader(PointsLogReader&&) noexcept;
  PointsLogReader& operator=(PointsLogReader&&) noexcept;

  // The next record; nullopt when there is no whole one yet, which a torn tail never becomes.
  // kDataLoss: bytes before the end are damaged, and nothing after them can be read.
  absl::StatusOr<std::optional<LogRecord>> Next();
  // Where the next record begins.
  std::int64_t offset() const { return offset_; }

 private:
  absl::StatusOr<bool> ReadAt(std::int64_t offset, std::size_t count, std::string& bytes) const;
  absl::Status Damaged(const std::string& what) const;
  absl::StatusOr<bool> RestIsZero(std::int64_t size) const;

  std::string path_;
  int fd_ = -1;
  std::int64_t offset_ = 0;
};

}  // namespace etude

#endif  // ETUDE_WORKER_POINTS_LOG_H_
