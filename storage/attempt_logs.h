// What the trainers of running attempts have written so far, for people who look on. Kept in files
// and never synced: it is no promise, and gives way to everything else. What an attempt uploads at
// its end takes its place.
#ifndef ETUDE_STORAGE_ATTEMPT_LOGS_H_
#define ETUDE_STORAGE_ATTEMPT_LOGS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/scaling/ids.h"

namespace etude {

// Thread-safe; calls may wait for the disk.
class AttemptLogs {
 public:
  struct Limits {
    std::int64_t segment_bytes = std::int64_t{1} << 20;
    std::int64_t attempt_bytes = std::int64_t{8} << 20;  // of one log; its oldest segments go
    std::int64_t total_bytes = std::int64_t{512} << 20;  // of all; the log longest untouched goes
  };

  // Makes `directory` if need be, and takes up what an earlier process left in it.
  static absl::StatusOr<std::unique_ptr<AttemptLogs>> Open(const std::string& directory,
                                                           const Limits& limits);

  // Adds `text`, which is at `offset` of the attempt's log, and returns where the next should
  // begin. What is there already is skipped; what lies between is missing for good.
  // kInvalidArgument: the job is no file name, or a number is out of range. Other errors are the
  // disk's; nothing was added.
  absl::StatusOr<std::int64_t> Append(const JobId& job, int attempt, std::int64_t offset,
                                      std::string_view text);

  struct Part {
    std::int64_t offset = 0;  // of its first byte: later than was asked for if that is not kept
    std::string text;         // empty: there is no more yet
  };
  // At most `max_bytes` from `offset` on. Empty for a log that is not there.
  absl::StatusOr<Part> Read(const JobId& job, int attempt, std::int64_t offset,
                            std::int64_t max_bytes);

  void Remove(const JobId& job, int attempt);
  // Removes the logs last written before `cutoff`; how many.
  int Collect(absl::Time cutoff);

 private:
  using Key = std::pair<std::string, int>;  // job, attempt
  struct Log {
    std::map<std::int64_t, std::int64_t> segments;  // bytes, by the offset of the first
    std::int64_t bytes = 0;
    std::int64_t used = 0;  // larger is later
    absl::Time written_at;
  };

  AttemptLogs(std::string directory, const Limits& limits)
      : directory_(std::move(directory)), limits_(limits) {}
  std::string PathOf(const Key& key, std::int64_t offset) const;
  void TakeUp(const std::string& name, std::int64_t bytes, absl::Time written_at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropSegment(const Key& key, Log& log, std::int64_t offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropLog(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const Limits limits_;
  Mutex mutex_;  // also held while a file is written or read
  std::map<Key, Log> logs_ ABSL_GUARDED_BY(mutex_);
  std::int64_t total_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_ATTEMPT_LOGS_H_
