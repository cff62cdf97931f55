#include "worker/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <fstream>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::int64_t kMaxIdBytes = 256;

std::string CpuModel() {
  std::ifstream facts("/proc/cpuinfo");
  std::string line;
  while (std::getline(facts, line)) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::int64_t MemoryBytes() {
  const std::int64_t all =
      static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  std::int64_t bytes = 0;
  return limit >> bytes ? std::min(all, bytes) : all;  // "max" is no number
}

}  // namespace

std::string HostName() {
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  std::string name;
  for (const char* c = host; *c != '\0' && name.size() < 64; ++c) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(*c)) != 0 || *c == '.' || *c == '_' || *c == '-';
    if (plain) name += *c;
  }
  return IsSafeFileName(name) ? name : "worker";
}

Worker DescribeMachine() {
  Worker worker;
  worker.host = HostName();
  worker.cpu = CpuModel();
  worker.memory_bytes = MemoryBytes();
  return worker;
}

absl::StatusOr<WorkerId> LoadWorkerId(const std::string& state_dir, const std::string& name) {
  const std::string path = state_dir + "/worker-id";
  absl::StatusOr<std::string> text = ReadFile(path, kMaxIdBytes);
  if (text.ok()) {
    const std::string id = text->substr(0, text->find('\n'));
    if (!IsSafeFileName(id) || id.size() > kMaxWorkerIdBytes) {
      return InvalidArgument(path + " does not hold an id; remove it and start again");
    }
    return WorkerId(id);
  }
  if (!absl::IsNotFound(text.status())) return text.status();
  std::uint32_t chance = 0;
  if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance)) {
    return FromErrno(errno, "ask for random bytes");
  }
  const std::string id = fmt::format("{}-{:06x}", name, chance & 0xffffff);
  RETURN_IF_ERROR(WriteFileAtomically(path, id + "\n"));
  return WorkerId(id);
}

absl::Status LockStateDir(const std::string& state_dir) {
  const std::string path = state_dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return FromErrno(errno, "open " + path);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  const int error = errno;
  close(fd);
  if (error != EWOULDBLOCK) return FromErrno(error, "lock " + path);
  return AlreadyExists("another worker runs in " + state_dir +
                       "; stop it, or give this one another directory with --state");
}

}  // namespace etude
