#include "storage/state_disk.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "lib/base/status.h"

namespace etude {
namespace {

struct NetworkFileSystem {
  std::uint32_t magic;  // statfs(2)
  const char* name;
};
constexpr NetworkFileSystem kNetworkFileSystems[] = {
    {0x6969, "NFS"},      {0xFF534D42, "CIFS"},   {0xFE534D42, "SMB"},  {0x517B, "SMB"},
    {0x00C36400, "Ceph"}, {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"}, {0x5346414F, "AFS"},
    {0x01021997, "9P"},   {0x7461636F, "OCFS2"},  {0x01161970, "GFS2"}};
constexpr std::int64_t kMib = std::int64_t{1} << 20;

}  // namespace

std::string NetworkFileSystemOf(const std::string& directory) {
  struct statfs facts {};
  if (statfs(directory.c_str(), &facts) != 0) return "";
  for (const NetworkFileSystem& known : kNetworkFileSystems) {
    if (static_cast<std::uint32_t>(facts.f_type) == known.magic) return known.name;
  }
  return "";
}

absl::StatusOr<std::int64_t> FreeBytesOf(const std::string& directory) {
  struct statvfs facts {};
  if (statvfs(directory.c_str(), &facts) != 0) return FromErrno(errno, "statvfs " + directory);
  return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
}

std::int64_t BytesUnder(const std::string& directory) {
  namespace fs = std::filesystem;
  std::int64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

absl::Status FreeSpaceStore::CheckSpace() const {
  const absl::StatusOr<std::int64_t> free_bytes = FreeBytesOf(directory_);
  if (!free_bytes.ok() || *free_bytes >= min_free_bytes_) return absl::OkStatus();
  return ResourceExhausted(std::to_string(*free_bytes / kMib) + " MiB are free in " + directory_ +
                           ", and min_free_mib = " + std::to_string(min_free_bytes_ / kMib) +
                           " are wanted");
}

absl::Status FreeSpaceStore::Commit(std::span<const Change> changes) {
  RETURN_IF_ERROR(CheckSpace());
  return store_.Commit(changes);
}

}  // namespace etude
