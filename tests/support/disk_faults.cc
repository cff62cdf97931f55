// Preloaded into a program under test: counts every call that may change a directory's files, and
// fails one of them or ends the process there. What it is told, in the environment:
//
//   ETUDE_DISK_DIRECTORY  the directory; calls on other files are passed on uncounted
//   ETUDE_DISK_LOG        gets a line a call: its number, name and file
//   ETUDE_DISK_FAULT      "N KIND": what happens at call N (from 1) and, with KIND+, from N on.
//                         kill: SIGKILL before the call. tear: half of a write, then SIGKILL.
//                         cut: the power fails: SIGKILL, and what no sync had covered is undone.
//                         EIO, ENOSPC: the call fails.
//
// Calls of all threads share one count, under one lock. What a memory map writes is not seen: of a
// results store only its -shm file, which holds nothing that must survive.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace {

constexpr mode_t kFileMode = 0600;

std::string TextOf(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

// Calls that bypass what is interposed below.
int RawOpen(const std::string& path, int flags) {
  return static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, kFileMode));
}
ssize_t RawWrite(int descriptor, const void* bytes, std::size_t size) {
  return syscall(SYS_write, descriptor, bytes, size);
}
ssize_t RawWriteAt(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string PathOf(int descriptor) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof(path));
  return size < 0 ? "" : std::string(path, static_cast<std::size_t>(size));
}

std::int64_t SizeOf(int descriptor) {
  struct stat facts {};
  return fstat(descriptor, &facts) == 0 ? facts.st_size : 0;
}

// How to take back what no sync has covered, newest last. A file's bytes wait for a sync of the
// file, its name for one of the directory it is in. A rename waits for its target's directory.
class Unsynced {
 public:
  void Wrote(int descriptor, off_t offset, std::size_t size) {
    const std::int64_t old_size = SizeOf(descriptor);
    Overwrites(descriptor, offset, std::min<std::int64_t>(old_size - offset, size), old_size);
  }
  void Truncated(int descriptor, off_t size) {
    const std::int64_t old_size = SizeOf(descriptor);
    Overwrites(descriptor, size, old_size - size, old_size);
  }
  void Named(const std::string& path, bool is_directory) {
    Add(KeyOf(DirectoryOf(path)),
        [path, is_directory] { syscall(is_directory ? SYS_rmdir : SYS_unlink, path.c_str()); });
  }
  void Unnamed(const std::string& path) {
    const std::string kept = Keep(path);
    if (kept.empty()) return;
    Add(KeyOf(DirectoryOf(path)),
        [path, kept] { syscall(SYS_rename, kept.c_str(), path.c_str()); });
  }
  void Renamed(const std::string& from, const std::string& to) {
    const std::string kept = Keep(to);
    Add(KeyOf(DirectoryOf(to)), [from, to, kept] {
      syscall(SYS_rename, to.c_str(), from.c_str());
      if (!kept.empty()) syscall(SYS_rename, kept.c_str(), to.c_str());
    });
  }
  void Synced(int descriptor) {
    const std::string key = KeyOf(descriptor);
    std::erase_if(undos_, [&key](const Undo& undo) { return undo.key == key; });
  }
  void UndoAll() {
    for (; !undos_.empty(); undos_.pop_back()) undos_.back().run();
  }

 private:
  struct Undo {
    std::string key;
    std::function<void()> run;
  };

  static std::string KeyOf(int descriptor) {
    struct stat facts {};
    fstat(descriptor, &facts);
    return std::to_string(facts.st_dev) + "/" + std::to_string(facts.st_ino);
  }
  static std::string KeyOf(const std::string& directory) {
    struct stat facts {};
    stat(directory.c_str(), &facts);
    return std::to_string(facts.st_dev) + "/" + std::to_string(facts.st_ino);
  }
  void Add(std::string key, std::function<void()> run) {
    undos_.push_back({std::move(key), std::move(run)});
  }
  // A second name for a file that is about to lose its first; empty if there is no such file.
  std::string Keep(const std::string& path) {
    std::string kept = TextOf("ETUDE_DISK_LOG") + ".kept." + std::to_string(++kept_);
    return syscall(SYS_link, path.c_str(), kept.c_str()) == 0 ? kept : "";
  }
  void Overwrites(int descriptor, off_t offset, std::int64_t count, std::int64_t old_size) {
    // The program's own descriptor may not read, and may be closed by then.
    const int own = RawOpen("/proc/self/fd/" + std::to_string(descriptor), O_RDWR);
    std::string old(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), '\0');
    old.resize(
        static_cast<std::size_t>(std::max<ssize_t>(pread(own, old.data(), old.size(), offset), 0)));
    Add(KeyOf(descriptor), [own, old, offset, old_size] {
      RawWriteAt(own, old.data(), old.size(), offset);
      syscall(SYS_ftruncate, own, old_size);
    });
  }

  std::vector<Undo> undos_;
  int kept_ = 0;
};

class Disk {
 public:
  // One call at a time: counts it, and says whether it may go on (0) or which errno it fails with.
  class Call {
   public:
    Call(const char* name, const std::string& path) : disk_(Get()) {
      pthread_mutex_lock(&disk_.mutex_);
      watched_ = disk_.Watches(path);
      if (watched_) disk_.Count(name, path);
    }
    ~Call() { pthread_mutex_unlock(&disk_.mutex_); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    bool watched() const { return watched_; }
    Unsynced* unsynced() { return watched_ && disk_.kind_ == "cut" ? &disk_.unsynced_ : nullptr; }
    // Whether half of this write is to be its end.
    bool tears() const { return watched_ && disk_.Strikes() && disk_.kind_ == "tear"; }
    // Ends the process, or sets errno and returns true, when it is this call's turn.
    bool Fails() {
      if (!watched_ || !disk_.Strikes()) return false;
      if (disk_.kind_ == "cut") disk_.unsynced_.UndoAll();
      if (disk_.kind_ != "EIO" && disk_.kind_ != "ENOSPC") kill(getpid(), SIGKILL);
      errno = disk_.kind_ == "EIO" ? EIO : ENOSPC;
      return true;
    }

   private:
    Disk& disk_;
    bool watched_ = false;
  };

 private:
  Disk() : directory_(TextOf("ETUDE_DISK_DIRECTORY") + "/") {
    log_ = RawOpen(TextOf("ETUDE_DISK_LOG"), O_WRONLY | O_CREAT | O_APPEND);
    char kind[16] = "";
    std::sscanf(TextOf("ETUDE_DISK_FAULT").c_str(), "%ld %15s", &at_, kind);
    kind_ = kind;
    stays_ = kind_.ends_with('+');
    if (stays_) kind_.pop_back();
  }
  static Disk& Get() {
    static Disk& disk = *new Disk;
    return disk;
  }
  bool Watches(const std::string& path) const {
    return directory_.size() > 1 && (path + "/").starts_with(directory_);
  }
  bool Strikes() const { return count_ == at_ || (stays_ && count_ > at_); }
  void Count(const char* name, const std::string& path) {
    const std::string line =
        std::to_string(++count_) + " " + name + " " + path.substr(directory_.size() - 1) + "\n";
    RawWrite(log_, line.data(), line.size());
  }

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  std::string directory_;
  std::string kind_;
  long at_ = 0;
  bool stays_ = false;
  int log_ = -1;
  long count_ = 0;
  Unsynced unsynced_;
};

int OpenFile(const char* path, int flags, mode_t mode) {
  if ((flags & O_CREAT) == 0 || access(path, F_OK) == 0) {
    return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  }
  Disk::Call call("create", path);
  if (call.Fails()) return -1;
  const int descriptor = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (descriptor >= 0 && call.unsynced()) call.unsynced()->Named(path, /*is_directory=*/false);
  return descriptor;
}

// `offset`: -1 for where the descriptor stands.
ssize_t WriteBytes(int descriptor, std::size_t size, off_t offset,
                   const std::function<ssize_t(std::size_t size)>& write) {
  Disk::Call call("write", PathOf(descriptor));
  if (call.tears()) write(size / 2);
  if (call.Fails()) return -1;
  if (call.unsynced()) {
    call.unsynced()->Wrote(descriptor, offset >= 0 ? offset : lseek(descriptor, 0, SEEK_CUR), size);
  }
  return write(size);
}

int Sync(const char* name, long number, int descriptor) {
  Disk::Call call(name, PathOf(descriptor));
  if (call.Fails()) return -1;
  const int result = static_cast<int>(syscall(number, descriptor));
  if (result == 0 && call.unsynced()) call.unsynced()->Synced(descriptor);
  return result;
}

int Truncate(int descriptor, off_t size) {
  Disk::Call call("truncate", PathOf(descriptor));
  if (call.Fails()) return -1;
  if (call.unsynced()) call.unsynced()->Truncated(descriptor, size);
  return static_cast<int>(syscall(SYS_ftruncate, descriptor, size));
}

int Remove(const char* path) {
  if (access(path, F_OK) != 0) return static_cast<int>(syscall(SYS_unlink, path));
  Disk::Call call("unlink", path);
  if (call.Fails()) return -1;
  if (call.unsynced()) call.unsynced()->Unnamed(path);
  return static_cast<int>(syscall(SYS_unlink, path));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return OpenFile(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return OpenFile(path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  return WriteBytes(descriptor, size, -1,
                    [&](std::size_t count) { return RawWrite(descriptor, bytes, count); });
}

ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  return WriteBytes(descriptor, size, offset, [&](std::size_t count) {
    return RawWriteAt(descriptor, bytes, count, offset);
  });
}

ssize_t pwrite64(int descriptor, const void* bytes, std::size_t size, off64_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

int fsync(int descriptor) { return Sync("fsync", SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return Sync("fdatasync", SYS_fdatasync, descriptor); }
int ftruncate(int descriptor, off_t size) noexcept { return Truncate(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) noexcept { return Truncate(descriptor, size); }
int unlink(const char* path) noexcept { return Remove(path); }

int rename(const char* from, const char* to) noexcept {
  Disk::Call call("rename", to);
  if (call.Fails()) return -1;
  if (call.unsynced()) call.unsynced()->Renamed(from, to);
  return static_cast<int>(syscall(SYS_rename, from, to));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (access(path, F_OK) == 0) return static_cast<int>(syscall(SYS_mkdir, path, mode));
  Disk::Call call("mkdir", path);
  if (call.Fails()) return -1;
  const int result = static_cast<int>(syscall(SYS_mkdir, path, mode));
  if (result == 0 && call.unsynced()) call.unsynced()->Named(path, /*is_directory=*/true);
  return result;
}

}  // extern "C"
