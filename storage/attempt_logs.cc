#include "storage/attempt_logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kOwnerOnlyDirectory = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::int64_t kMaxOffset = std::int64_t{1} << 50;

template <typename Number>
std::optional<Number> NumberOf(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// Where it ends.
std::int64_t EndOf(const std::map<std::int64_t, std::int64_t>& segments) {
  return segments.empty() ? 0 : segments.rbegin()->first + segments.rbegin()->second;
}

// All of it or nothing.
absl::Status AppendToFile(const std::string& path, std::int64_t size, std::string_view text) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kFileMode);
  if (descriptor < 0) return FromErrno(errno, "open " + path);
  absl::Status status;
  std::size_t done = 0;
  while (status.ok() && done < text.size()) {
    const ssize_t count = pwrite(descriptor, text.data() + done, text.size() - done,
                                 static_cast<off_t>(size) + static_cast<off_t>(done));
    if (count < 0 && errno != EINTR) status = FromErrno(errno, "write " + path);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
  if (!status.ok() && ftruncate(descriptor, static_cast<off_t>(size)) != 0) {
    status = FromErrno(errno, "truncate " + path);
  }
  close(descriptor);
  return status;
}

absl::StatusOr<std::string> ReadFileAt(const std::string& path, std::int64_t at,
                                       std::int64_t bytes) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FromErrno(errno, "open " + path);
  std::string text(static_cast<std::size_t>(bytes), '\0');
  const ssize_t count = pread(descriptor, text.data(), text.size(), static_cast<off_t>(at));
  const int error = errno;
  close(descriptor);
  if (count < 0) return FromErrno(error, "read " + path);
  text.resize(static_cast<std::size_t>(count));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AttemptLogs>> AttemptLogs::Open(const std::string& directory,
                                                               const Limits& limits) {
  RETURN_IF_ERROR(MakeDirectories(directory, kOwnerOnlyDirectory));
  std::unique_ptr<AttemptLogs> logs(new AttemptLogs(directory, limits));
  struct Found {
    std::string name;
    struct stat facts {};
  };
  std::vector<Found> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    Found one{entry->path().filename().string(), {}};
    if (stat(entry->path().c_str(), &one.facts) == 0) found.push_back(std::move(one));
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.facts.st_mtim.tv_sec < b.facts.st_mtim.tv_sec;
  });
  const MutexLock lock(logs->mutex_);
  for (const Found& one : found) {
    logs->TakeUp(one.name, static_cast<std::int64_t>(one.facts.st_size),
                 absl::FromUnixSeconds(one.facts.st_mtim.tv_sec));
  }
  return logs;
}

// JOB.ATTEMPT.OFFSET; the job may have dots of its own. What is called otherwise is left alone.
void AttemptLogs::TakeUp(const std::string& name, std::int64_t bytes, absl::Time written_at) {
  const std::size_t last = name.rfind('.');
  if (last == std::string::npos || last == 0) return;
  const std::size_t middle = name.rfind('.', last - 1);
  if (middle == std::string::npos || middle == 0) return;
  const auto offset = NumberOf<std::int64_t>(name.substr(last + 1));
  const auto attempt = NumberOf<int>(name.substr(middle + 1, last - middle - 1));
  if (!offset || !attempt) return;
  Log& log = logs_[{name.substr(0, middle), *attempt}];
  log.segments[*offset] = bytes;
  log.bytes += bytes;
  log.used = ++uses_;
  log.written_at = std::max(log.written_at, written_at);
  total_bytes_ += bytes;
}

std::string AttemptLogs::PathOf(const Key& key, std::int64_t offset) const {
  return directory_ + "/" + key.first + "." + std::to_string(key.second) + "." +
         std::to_string(offset);
}

absl::StatusOr<std::int64_t> AttemptLogs::Append(const JobId& job, int attempt, std::int64_t offset,
                                                 std::string_view text) {
  if (!IsSafeFileName(job.text()) || attempt < 0 || offset < 0 || offset > kMaxOffset) {
    return InvalidArgument("a log's job, attempt or offset is not one");
  }
  const Key key(job.text(), attempt);
  const MutexLock lock(mutex_);
  const auto known = logs_.find(key);
  const std::int64_t end = known == logs_.end() ? 0 : EndOf(known->second.segments);
  if (offset < end) {
    const std::int64_t there = std::min(end - offset, static_cast<std::int64_t>(text.size()));
    text.remove_prefix(static_cast<std::size_t>(there));
    offset += there;
  }
  if (text.empty()) return std::max(offset, end);
  Log& log = logs_[key];
  const bool anew = log.segments.empty() || offset > end ||
                    log.segments.rbegin()->second >= limits_.segment_bytes;
  const std::int64_t segment = anew ? offset : log.segments.rbegin()->first;
  const std::int64_t size = anew ? 0 : log.segments.rbegin()->second;
  if (const absl::Status written = AppendToFile(PathOf(key, segment), size, text); !written.ok()) {
    if (log.segments.empty()) logs_.erase(key);
    return written;
  }
  const auto bytes = static_cast<std::int64_t>(text.size());
  log.segments[segment] = size + bytes;
  log.bytes += bytes;
  log.used = ++uses_;
  log.written_at = SystemClock().Now();
  total_bytes_ += bytes;
  MakeRoom(key);
  return offset + bytes;
}

// The newest segment of the log that was written last stays, however large.
void AttemptLogs::MakeRoom(const Key& key) {
  Log& log = logs_.at(key);
  while (log.bytes > limits_.attempt_bytes && log.segments.size() > 1) {
    DropSegment(key, log, log.segments.begin()->first);
  }
  while (total_bytes_ > limits_.total_bytes && logs_.size() > 1) {
    const auto oldest = std::min_element(
        logs_.begin(), logs_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    DropLog(Key(oldest->first));
  }
}

void AttemptLogs::DropSegment(const Key& key, Log& log, std::int64_t offset) {
  unlink(PathOf(key, offset).c_str());
  const auto segment = log.segments.find(offset);
  log.bytes -= segment->second;
  total_bytes_ -= segment->second;
  log.segments.erase(segment);
}

void AttemptLogs::DropLog(const Key& key) {
  const auto log = logs_.find(key);
  if (log == logs_.end()) return;
  while (!log->second.segments.empty()) {
    DropSegment(key, log->second, log->second.segments.begin()->first);
  }
  logs_.erase(log);
}

absl::StatusOr<AttemptLogs::Part> AttemptLogs::Read(const JobId& job, int attempt,
                                                    std::int64_t offset, std::int64_t max_bytes) {
  const Key key(job.text(), attempt);
  const MutexLock lock(mutex_);
  const auto log = logs_.find(key);
  if (log == logs_.end()) return Part{offset, ""};
  const auto& segments = log->second.segments;
  auto segment = segments.upper_bound(offset);
  const bool within = segment != segments.begin() &&
                      std::prev(segment)->first + std::prev(segment)->second > offset;
  if (within) --segment;
  if (segment == segments.end()) return Part{offset, ""};
  const std::int64_t at = within ? offset - segment->first : 0;
  ASSIGN_OR_RETURN(std::string text, ReadFileAt(PathOf(key, segment->first), at,
                                                std::min(max_bytes, segment->second - at)));
  return Part{segment->first + at, std::move(text)};
}

void AttemptLogs::Remove(const JobId& job, int attempt) {
  const MutexLock lock(mutex_);
  DropLog({job.text(), attempt});
}

int AttemptLogs::Collect(absl::Time cutoff) {
  const MutexLock lock(mutex_);
  std::vector<Key> old;
  for (const auto& [key, log] : logs_) {
    if (log.written_at < cutoff) old.push_back(key);
  }
  for (const Key& key : old) DropLog(key);
  return static_cast<int>(old.size());
}

}  // namespace etude
