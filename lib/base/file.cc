#include "lib/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "lib/base/status.h"

namespace etude {
namespace {

// Closes its descriptor when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno(errno, "write " + path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

// Always a file of its own: root must not follow a link that the directory's owner put there.
// `owner`: whose it will be; nullptr: the caller's.
absl::Status WriteAndSync(const std::string& path, std::string_view bytes, unsigned mode,
                          const struct stat* owner) {
  unlink(path.c_str());  // left by a process that died, which had the same number
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (file.get() < 0) return FromErrno(errno, "create " + path);
  if (owner != nullptr && fchown(file.get(), owner->st_uid, owner->st_gid) != 0) {
    return FromErrno(errno, "give " + path + " to the owner of what it replaces");
  }
  if (fchmod(file.get(), mode) != 0) return FromErrno(errno, "chmod " + path);
  RETURN_IF_ERROR(WriteAll(file.get(), bytes, path));
  if (fsync(file.get()) != 0) return FromErrno(errno, "fsync " + path);
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::int64_t max_bytes) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FromErrno(errno, "open " + path);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FromErrno(errno, "stat " + path);
  if (S_ISDIR(facts.st_mode))
    return InvalidArgument("open " + path + ": it is a directory, not a file");
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FromErrno(errno, "read " + path);
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (static_cast<std::int64_t>(bytes.size()) > max_bytes) {
      return InvalidArgument("read " + path + ": larger than the limit of " +
                             std::to_string(max_bytes) + " bytes");
    }
  }
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, unsigned mode) {
  struct stat facts {};
  const bool there = stat(path.c_str(), &facts) == 0;
  if (there && !S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
    return InvalidArgument("write " + path + ": it is a device or a pipe, which a rename would " +
                           "replace; name a file");
  }
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  // What root writes for another user stays that user's.
  const bool others = there && geteuid() == 0 && facts.st_uid != 0;
  absl::Status status = WriteAndSync(temporary, bytes, mode, others ? &facts : nullptr);
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = FromErrno(errno, "rename " + temporary + " to " + path);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncDirectory(ParentOf(path));
}

absl::Status MakeDirectories(const std::string& path, unsigned mode) {
  if (path.empty() || std::filesystem::is_directory(path)) return absl::OkStatus();
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (parent != path) RETURN_IF_ERROR(MakeDirectories(parent));
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return FromErrno(errno, "create directory " + path);
  if (!std::filesystem::is_directory(path)) {
    return InvalidArgument("create directory " + path + ": a file of that name is in the way");
  }
  return absl::OkStatus();
}

absl::Status SyncFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FromErrno(errno, "open " + path);
  if (fsync(file.get()) != 0) return FromErrno(errno, "fsync " + path);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return FromErrno(errno, "open directory " + path);
  if (fsync(directory.get()) != 0) return FromErrno(errno, "fsync directory " + path);
  return absl::OkStatus();
}

bool FileExists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

bool IsSafeFileName(std::string_view name) {
  if (name.empty() || name.size() > 128 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace etude
