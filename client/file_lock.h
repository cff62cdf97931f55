// One process at a time.
#ifndef ETUDE_CLIENT_FILE_LOCK_H_
#define ETUDE_CLIENT_FILE_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace etude {

// Held until it goes, or its process does.
class FileLock {
 public:
  // Makes `path` if need be; the file stays. kUnavailable: another process held it for `limit`.
  static absl::StatusOr<FileLock> Take(const std::string& path, absl::Duration limit, Clock& clock);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_FILE_LOCK_H_
