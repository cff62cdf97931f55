#include "client/tar_gz.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

// Source: POSIX.1-2001, pax, "ustar Interchange Format".
constexpr std::size_t kBlock = 512;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::int64_t kMaxLongNameBytes = 4096;
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxComponentBytes = 255;
constexpr unsigned kGzBuffer = 1U << 18;
constexpr char kPlainFile = '0';
constexpr char kOldPlainFile = '\0';
constexpr char kGnuLongName = 'L';

using Block = std::array<char, kBlock>;

std::string_view Field(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view field(block.data() + at, size);
  return field.substr(0, std::min(field.find('\0'), size));
}

// nullopt: not octal.
std::optional<std::int64_t> Octal(std::string_view field) {
  std::int64_t value = 0;
  bool any = false;
  for (const char c : field) {
    if (c == ' ') continue;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');  // twelve digits at most
    any = true;
  }
  return any ? std::optional(value) : std::nullopt;
}

bool HasItsChecksum(const Block& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kChecksumAt && i < kChecksumAt + kChecksumBytes;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return Octal(Field(block, kChecksumAt, kChecksumBytes)) == sum;
}

struct Entry {
  std::string path;
  char type = kPlainFile;
  std::int64_t size = 0;
};

// The path without "." components; nullopt: it is absolute, climbs, or has bytes that no honest
// path has.
std::optional<std::string> SafePath(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes || path.front() == '/') return std::nullopt;
  const bool odd = std::ranges::any_of(
      path, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; });
  if (odd) return std::nullopt;
  std::string safe;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(path.size(), slash + 1));
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > kMaxComponentBytes) return std::nullopt;
    safe.append(safe.empty() ? "" : "/").append(part);
  }
  return safe;
}

class TarReader {
 public:
  TarReader(const std::string& archive, const std::string& dir, const TarLimits& limits)
      : archive_(archive), dir_(dir), limits_(limits), file_(nullptr, gzclose) {}

  absl::Status Open() {
    file_.reset(gzopen(archive_.c_str(), "rbe"));
    if (file_ == nullptr) return FromErrno(errno, "open " + archive_);
    gzbuffer(file_.get(), kGzBuffer);
    return absl::OkStatus();
  }

  // False at the end of the archive.
  absl::StatusOr<bool> NextEntry(Entry& entry) {
    std::string long_name;
    for (;;) {
      Block block{};
      RETURN_IF_ERROR(Read(block.data(), kBlock));
      if (gzdirect(file_.get()) == 1) return Damaged("is not gzip");
      if (std::ranges::all_of(block, [](char c) { return c == 0; })) return false;
      if (!HasItsChecksum(block)) return Damaged("has a header with a wrong checksum");
      const auto size = Octal(Field(block, 124, 12));
      if (!size) return Damaged("has a file without a size");
      entry = {.path = std::string(Field(block, 0, 100)), .type = block[156], .size = *size};
      if (Field(block, 257, 5) == "ustar" && !Field(block, 345, 155).empty()) {
        entry.path = std::string(Field(block, 345, 155)) + "/" + entry.path;
      }
      if (!long_name.empty()) entry.path = std::exchange(long_name, {});
      if (++entries_ > limits_.entries) return TooMuch("entries", limits_.entries);
      if (entry.type != kGnuLongName) return true;
      if (entry.size > kMaxLongNameBytes) return Damaged("has an endless name");
      ASSIGN_OR_RETURN(long_name, ReadContent(entry.size));
      long_name.resize(std::min(long_name.find('\0'), long_name.size()));
    }
  }

  absl::StatusOr<std::string> ReadContent(std::int64_t size) {
    if (size > limits_.file_bytes) return TooMuch("bytes in one file", limits_.file_bytes);
    std::string content(static_cast<std::size_t>(size), '\0');
    RETURN_IF_ERROR(Read(content.data(), content.size()));
    RETURN_IF_ERROR(Skip(Padding(size)));
    return content;
  }
  absl::Status SkipContent(std::int64_t size) { return Skip(size + Padding(size)); }

  // False: there is a file of that name.
  absl::StatusOr<bool> Write(const std::string& path, std::string_view content) {
    const fs::path target = fs::path(dir_) / path;
    if (target.parent_path() != made_) {
      made_ = target.parent_path();
      RETURN_IF_ERROR(MakeDirectories(made_.string()));
    }
    const int fd = open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) return false;
    if (fd < 0) return FromErrno(errno, "create " + target.string());
    while (!content.empty()) {
      const ssize_t count = write(fd, content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        const int error = errno;
        close(fd);
        return FromErrno(error, "write " + target.string());
      }
      content.remove_prefix(static_cast<std::size_t>(count));
    }
    close(fd);
    return true;
  }

  absl::Status Damaged(std::string_view what) const {
    return DataLoss(fmt::format("{} {}", archive_, what));
  }
  absl::Status TooMuch(std::string_view what, std::int64_t limit) const {
    return ResourceExhausted(fmt::format("{} holds more than {} {}", archive_, limit, what));
  }

 private:
  static std::int64_t Padding(std::int64_t size) {
    const auto block = static_cast<std::int64_t>(kBlock);
    return (block - size % block) % block;
  }
  absl::Status Read(char* to, std::size_t size) {
    while (size > 0) {
      const int count =
          gzread(file_.get(), to, static_cast<unsigned>(std::min<std::size_t>(size, 1U << 20)));
      if (count < 0) return Damaged("is not whole, or is not gzip");
      if (count == 0) return Damaged("ends too early");
      to += count;
      size -= static_cast<std::size_t>(count);
    }
    return absl::OkStatus();
  }
  absl::Status Skip(std::int64_t size) {
    Block block{};
    while (size > 0) {
      const auto part = static_cast<std::size_t>(std::min<std::int64_t>(size, kBlock));
      RETURN_IF_ERROR(Read(block.data(), part));
      size -= static_cast<std::int64_t>(part);
    }
    return absl::OkStatus();
  }

  const std::string& archive_;
  const std::string& dir_;
  const TarLimits& limits_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  fs::path made_;  // the last directory
  std::int64_t entries_ = 0;
};

}  // namespace

absl::StatusOr<TarReport> UnpackTarGz(const std::string& archive, const std::string& dir,
                                      const std::function<bool(const std::string&)>& wanted,
                                      const TarLimits& limits) {
  TarReader reader(archive, dir, limits);
  RETURN_IF_ERROR(reader.Open());
  TarReport report;
  Entry entry;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, reader.NextEntry(entry));
    if (!more) return report;
    const bool plain = entry.type == kPlainFile || entry.type == kOldPlainFile;
    const std::optional<std::string> path = SafePath(entry.path);
    if (plain && !path) return reader.Damaged("has a file whose path would leave the directory");
    if (!plain || path->empty() || !wanted(*path)) {
      RETURN_IF_ERROR(reader.SkipContent(entry.size));
      report.skipped += plain ? 1 : 0;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string content, reader.ReadContent(entry.size));
    if (report.bytes + entry.size > limits.total_bytes) {
      return reader.TooMuch("bytes of files", limits.total_bytes);
    }
    ASSIGN_OR_RETURN(const bool written, reader.Write(*path, content));
    report.files += written ? 1 : 0;
    report.skipped += written ? 0 : 1;
    report.bytes += written ? entry.size : 0;
  }
}

}  // namespace etude
