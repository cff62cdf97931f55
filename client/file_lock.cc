#include "client/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr unsigned kPrivateMode = 0600;
constexpr absl::Duration kTryEvery = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, absl::Duration limit,
                                        Clock& clock) {
  FileLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateMode));
  if (lock.descriptor_ < 0) return FromErrno(errno, "open " + path);
  const absl::Time deadline = clock.MonotonicNow() + limit;
  while (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return FromErrno(errno, "lock " + path);
    if (clock.MonotonicNow() >= deadline) {
      return Unavailable(path + " is held by another process");
    }
    clock.SleepFor(kTryEvery);
  }
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace etude
