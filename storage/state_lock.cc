#include "storage/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

// The process id in the lock file; empty when its owner has not written it yet.
std::string OwnerOf(int descriptor) {
  char buffer[32];
  const ssize_t count = pread(descriptor, buffer, sizeof(buffer), 0);
  const std::string text(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
  return text.substr(0, text.find_first_not_of("0123456789"));
}

absl::Status InUse(const std::string& directory, const std::string& owner) {
  const std::string who = owner.empty() ? "another process" : "process " + owner;
  const std::string stop =
      owner.empty() ? "etude up's terminal with Ctrl-C" : "it with: kill " + owner;
  return FailedPrecondition("state directory " + directory + " is in use by the coordinator of " +
                            who + ". Stop " + stop + ", or choose another: etude up --state DIR");
}

absl::Status WriteOwner(int descriptor, const std::string& path) {
  const std::string owner = std::to_string(getpid()) + "\n";
  const auto size = static_cast<ssize_t>(owner.size());
  if (pwrite(descriptor, owner.data(), owner.size(), 0) != size) {
    return FromErrno(errno, "write " + path);
  }
  if (ftruncate(descriptor, size) != 0) return FromErrno(errno, "truncate " + path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StateLock> StateLock::Take(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return FromErrno(errno, "open " + path);
  StateLock lock(descriptor);
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return InUse(directory, OwnerOf(descriptor));
    if (errno != EINTR) return FromErrno(errno, "lock " + path);
  }
  RETURN_IF_ERROR(WriteOwner(descriptor, path));
  return lock;
}

StateLock::StateLock(StateLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

StateLock::~StateLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace etude
