#include "tests/bench/machine_facts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "lib/base/clock.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kProbes = 100;
constexpr std::size_t kProbeBytes = 4096;
constexpr double kBytesPerGib = 1 << 30;

struct NamedFileSystem {
  long magic;
  const char* name;
};
constexpr NamedFileSystem kFileSystems[] = {
    {EXT4_SUPER_MAGIC, "ext4"}, {XFS_SUPER_MAGIC, "xfs"},   {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},     {RAMFS_MAGIC, "ramfs"},     {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {NFS_SUPER_MAGIC, "nfs"},   {F2FS_SUPER_MAGIC, "f2fs"},
};

// A file that is closed, and removed, with its scope.
class ProbeFile {
 public:
  explicit ProbeFile(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600)) {}
  ~ProbeFile() {
    if (descriptor_ >= 0) close(descriptor_);
    unlink(path_.c_str());
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  int descriptor() const { return descriptor_; }

  // Writes one block at `offset` and makes it durable; adds how long that took.
  absl::Status Write(off_t offset, int (*sync)(int), std::vector<double>& milliseconds) const {
    const std::string block(kProbeBytes, 'x');
    const absl::Time begin = SystemClock().MonotonicNow();
    const ssize_t written = pwrite(descriptor_, block.data(), block.size(), offset);
    if (written != static_cast<ssize_t>(block.size()) || sync(descriptor_) != 0) {
      return FromErrno(errno, "write " + path_);
    }
    milliseconds.push_back(absl::ToDoubleMilliseconds(SystemClock().MonotonicNow() - begin));
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  const int descriptor_;
};

std::string CpuModel() {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

double LoadOfLastMinute() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

}  // namespace

MachineFacts DescribeThisMachine() {
  MachineFacts facts;
  facts.cpu = CpuModel();
  facts.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo memory {};
  sysinfo(&memory);
  facts.memory_gib = static_cast<double>(memory.totalram) * memory.mem_unit / kBytesPerGib;
  struct utsname system {};
  uname(&system);
  facts.kernel = std::string(system.sysname) + " " + system.release;
  facts.load_1m = LoadOfLastMinute();
  return facts;
}

absl::StatusOr<std::string> FileSystemOf(const std::string& directory) {
  struct statfs facts {};
  if (statfs(directory.c_str(), &facts) != 0) return FromErrno(errno, "statfs " + directory);
  for (const NamedFileSystem& known : kFileSystems) {
    if (known.magic == static_cast<long>(facts.f_type)) return std::string(known.name);
  }
  return "kind " + std::to_string(facts.f_type);
}

bool LivesInMemory(const std::string& file_system) {
  return file_system == "tmpfs" || file_system == "ramfs";
}

absl::Status DiskProbe::Measure() {
  const ProbeFile file(path_);
  if (file.descriptor() < 0) return FromErrno(errno, "open " + path_);
  for (int i = 0; i < kProbes; ++i) {
    RETURN_IF_ERROR(file.Write(static_cast<off_t>(i * kProbeBytes), fsync, fsync_ms_));
  }
  for (int i = 0; i < kProbes; ++i) {
    RETURN_IF_ERROR(file.Write(static_cast<off_t>(i * kProbeBytes), fdatasync, fdatasync_ms_));
  }
  return absl::OkStatus();
}

}  // namespace etude
