#include "worker/points_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "worker/log_record.h"

namespace etude {
namespace {

static_assert(std::endian::native == std::endian::little, "the log is little-endian");

constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kFlushBytes = 64 << 10;

absl::StatusOr<std::int64_t> SizeOf(int fd, const std::string& path) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0) return FromErrno(errno, "stat " + path);
  return static_cast<std::int64_t>(facts.st_size);
}

}  // namespace

// Writing.

absl::StatusOr<PointsLogWriter> PointsLogWriter::Open(const std::string& path, Clock& clock) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return FromErrno(errno, "open " + path);
  return PointsLogWriter(path, fd, clock);
}

PointsLogWriter::PointsLogWriter(std::string path, int fd, Clock& clock)
    : path_(std::move(path)), fd_(fd), clock_(&clock), last_flush_(clock.MonotonicNow()) {}

PointsLogWriter::PointsLogWriter(PointsLogWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      clock_(other.clock_),
      buffer_(std::move(other.buffer_)),
      last_flush_(other.last_flush_) {}

PointsLogWriter::~PointsLogWriter() {
  if (fd_ < 0) return;
  Flush().IgnoreError();
  close(fd_);
}

void PointsLogWriter::Frame(std::string_view payload) {
  ENSURE(static_cast<std::int64_t>(payload.size()) <= kMaxRecordBytes);
  const std::uint32_t header[2] = {static_cast<std::uint32_t>(payload.size()), Crc32c(payload)};
  static_assert(sizeof(header) == kHeaderBytes);
  buffer_.append(reinterpret_cast<const char*>(header), sizeof(header));
  buffer_.append(payload);
}

absl::Status PointsLogWriter::Append(std::span<const LossPoint> points) {
  for (; !points.empty(); points = points.subspan(std::min(points.size(), kMaxPointsPerRecord))) {
    Frame(EncodePoints(points.first(std::min(points.size(), kMaxPointsPerRecord))));
  }
  const bool due = clock_->MonotonicNow() - last_flush_ >= kLongestUnflushed;
  return due || buffer_.size() >= kFlushBytes ? Flush() : absl::OkStatus();
}

absl::Status PointsLogWriter::Append(const CheckpointRecord& checkpoint) {
  RETURN_IF_ERROR(Sync());  // the checkpoint is on disk already: its points must not come later
  Frame(EncodeRecord(checkpoint));
  return Sync();
}

absl::Status PointsLogWriter::Append(const DoneRecord& done) {
  Frame(EncodeRecord(done));
  return Sync();
}

absl::Status PointsLogWriter::Append(const NumericsRecord& numerics) {
  Frame(EncodeRecord(numerics));
  return Flush();
}

absl::Status PointsLogWriter::Flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t put = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      buffer_.erase(0, done);
      return FromErrno(errno, "write " + path_);
    }
    done += static_cast<std::size_t>(put);
  }
  buffer_.clear();
  last_flush_ = clock_->MonotonicNow();
  return absl::OkStatus();
}

absl::Status PointsLogWriter::Sync() {
  RETURN_IF_ERROR(Flush());
  return fdatasync(fd_) == 0 ? absl::OkStatus() : FromErrno(errno, "sync " + path_);
}

// Reading.

PointsLogReader::PointsLogReader(std::string path, std::int64_t offset)
    : path_(std::move(path)), offset_(offset) {}

PointsLogReader::~PointsLogReader() {
  if (fd_ >= 0) close(fd_);
}

PointsLogReader::PointsLogReader(PointsLogReader&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), offset_(other.offset_) {}

PointsLogReader& PointsLogReader::operator=(PointsLogReader&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(offset_, other.offset_);
  return *this;
}

absl::Status PointsLogReader::Damaged(const std::string& what) const {
  return DataLoss(path_ + " is damaged at byte " + std::to_string(offset_) + ": " + what);
}

// False: the file ends before `count` bytes.
absl::StatusOr<bool> PointsLogReader::ReadAt(std::int64_t offset, std::size_t count,
                                             std::string& bytes) const {
  bytes.resize(count);
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got =
        pread(fd_, bytes.data() + done, count - done, offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno, "read " + path_);
    if (got == 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

// A crash of the machine may leave a tail of zeros where appended bytes were to go.
absl::StatusOr<bool> PointsLogReader::RestIsZero(std::int64_t size) const {
  std::string bytes;
  const std::int64_t count = std::min(size - offset_, kMaxRecordBytes);
  ASSIGN_OR_RETURN(const bool whole, ReadAt(offset_, static_cast<std::size_t>(count), bytes));
  return whole && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

absl::StatusOr<std::optional<LogRecord>> PointsLogReader::Next() {
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0 && errno == ENOENT) return std::nullopt;
    if (fd_ < 0) return FromErrno(errno, "open " + path_);
  }
  std::string bytes;
  ASSIGN_OR_RETURN(const bool has_header, ReadAt(offset_, kHeaderBytes, bytes));
  if (!has_header) return std::nullopt;
  std::uint32_t header[2];
  std::memcpy(header, bytes.data(), sizeof(header));
  const std::int64_t length = header[0];
  if (length == 0 || length > kMaxRecordBytes) {
    ASSIGN_OR_RETURN(const std::int64_t size, SizeOf(fd_, path_));
    ASSIGN_OR_RETURN(const bool zero, RestIsZero(size));
    if (zero) return std::nullopt;
    return Damaged("a record of " + std::to_string(length) + " bytes");
  }
  ASSIGN_OR_RETURN(const bool whole,
                   ReadAt(offset_ + static_cast<std::int64_t>(kHeaderBytes), header[0], bytes));
  if (!whole) return std::nullopt;
  const std::int64_t end = offset_ + static_cast<std::int64_t>(kHeaderBytes) + length;
  if (Crc32c(bytes) != header[1]) {
    ASSIGN_OR_RETURN(const std::int64_t size, SizeOf(fd_, path_));
    if (end >= size) return std::nullopt;  // torn, or not all there yet
    return Damaged("checksum mismatch");
  }
  absl::StatusOr<LogRecord> record = DecodeRecord(bytes);
  if (!record.ok()) return Damaged(MessageOf(record.status()));
  offset_ = end;
  return std::optional<LogRecord>(*std::move(record));
}

}  // namespace etude
