#include "client/fetched_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr char kSourceFile[] = "SOURCE.json";
constexpr std::int64_t kMaxSourceJsonBytes = std::int64_t{8} << 20;
constexpr std::int64_t kMaxListedFileBytes = std::int64_t{64} << 20;

std::string SourceJson(const FetchRequest& request, const FetchedTree& tree,
                       const std::string& digest) {
  nlohmann::ordered_json root;
  root["format_version"] = "1.0";
  root["source"] = request.source;
  for (const auto& [key, value] : tree.origin) root[key] = value;
  root["digest"] = digest;
  root["licence_notes"] = tree.licence_notes;
  root["unlisted_files"] = tree.unlisted_files;
  root["unlisted_bytes"] = tree.unlisted_bytes;
  auto& list = root["files"] = nlohmann::ordered_json::array();
  for (const FetchedFile& file : tree.files) {
    list.push_back({{"file", file.path}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return root.dump(1) + "\n";
}

FetchReport MakeReport(const FetchedTree& tree) {
  FetchReport report{.files = tree.unlisted_files, .bytes = tree.unlisted_bytes};
  for (const FetchedFile& file : tree.files) {
    if (!file.path.ends_with(".txt")) ++report.files;
    report.bytes += file.bytes;
  }
  report.licence_notes = tree.licence_notes;
  return report;
}

std::int64_t NumberOf(const nlohmann::json& root, const char* key) {
  const auto found = root.find(key);
  return found != root.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

// The tree as SOURCE.json tells it, with the digests that the files have now. nullopt: it tells
// nothing sensible, or a file is gone.
std::optional<FetchedTree> ReadTree(const nlohmann::json& root, const fs::path& dir) {
  FetchedTree tree;
  tree.unlisted_files = NumberOf(root, "unlisted_files");
  tree.unlisted_bytes = NumberOf(root, "unlisted_bytes");
  if (const auto notes = root.find("licence_notes"); notes != root.end() && notes->is_array()) {
    for (const auto& note : *notes) {
      if (note.is_string()) tree.licence_notes.push_back(note.get<std::string>());
    }
  }
  const auto files = root.find("files");
  if (files == root.end() || !files->is_array()) return std::nullopt;
  for (const auto& file : *files) {
    if (!file.is_object() || !file.contains("file") || !file["file"].is_string()) {
      return std::nullopt;
    }
    const auto path = file["file"].get<std::string>();
    const auto bytes = ReadFile((dir / path).string(), kMaxListedFileBytes);
    if (!bytes.ok()) return std::nullopt;
    tree.files.push_back({.path = path,
                          .sha256 = Sha256Hex(*bytes),
                          .bytes = static_cast<std::int64_t>(bytes->size())});
  }
  return tree;
}

// Small files by the ten thousand are made durable together.
absl::Status SyncFileSystemOf(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FromErrno(errno, "open directory " + path.string());
  const int result = syncfs(fd);
  const int error = errno;
  close(fd);
  return result == 0 ? absl::OkStatus() : FromErrno(error, "sync " + path.string());
}

}  // namespace

std::string FetchRequest::RetryCommand() const {
  return fmt::format("etude corpus fetch {} {}", source, dir.string());
}

absl::StatusOr<ScratchDirectory> ScratchDirectory::Beside(const fs::path& path) {
  if (path.has_parent_path()) RETURN_IF_ERROR(MakeDirectories(path.parent_path().string()));
  std::string name = path.string() + ".tmp.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return FromErrno(errno, "create directory " + name);
  return ScratchDirectory(name);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

std::string DigestOf(std::vector<FetchedFile>& files) {
  std::sort(files.begin(), files.end(),
            [](const FetchedFile& a, const FetchedFile& b) { return a.path < b.path; });
  Sha256 digest;
  for (const FetchedFile& file : files) digest.Update(file.sha256 + "  " + file.path + "\n");
  return digest.HexDigest();
}

absl::StatusOr<std::optional<FetchReport>> CheckFetched(const FetchRequest& request,
                                                        const std::string& digest) {
  const fs::path& dir = request.dir;
  std::error_code error;
  if (!fs::exists(dir, error) || (fs::is_directory(dir, error) && fs::is_empty(dir, error))) {
    return std::optional<FetchReport>();
  }
  const std::string remove =
      fmt::format("choose another DIR, or remove it with: rm -r {}", dir.string());
  const auto bytes = ReadFile((dir / kSourceFile).string(), kMaxSourceJsonBytes);
  if (!bytes.ok()) {
    return AlreadyExists(
        fmt::format("{} is not empty and was not fetched; {}", dir.string(), remove));
  }
  const auto root = nlohmann::json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  const auto has = [&](const char* key, const std::string& value) {
    return root.is_object() && root.contains(key) && root[key] == value;
  };
  if (!has("source", request.source)) {
    return AlreadyExists(fmt::format("{} holds another source; {}", dir.string(), remove));
  }
  std::optional<FetchedTree> tree = ReadTree(root, dir);
  const std::string now = tree ? DigestOf(tree->files) : "";
  if (!has("digest", now) || (!digest.empty() && now != digest)) {
    return DataLoss(fmt::format(
        "{}: its files are not those of {} any more; remove them with: rm -r {}, then type: {}",
        dir.string(), request.source, dir.string(), request.RetryCommand()));
  }
  FetchReport report = MakeReport(*tree);
  report.already_complete = true;
  return std::optional<FetchReport>(std::move(report));
}

absl::StatusOr<FetchReport> PublishFetched(const FetchRequest& request, FetchedTree tree,
                                           const fs::path& result) {
  const std::string digest = DigestOf(tree.files);
  const fs::path& dir = request.dir;
  RETURN_IF_ERROR(
      WriteFileAtomically((result / kSourceFile).string(), SourceJson(request, tree, digest)));
  RETURN_IF_ERROR(SyncFileSystemOf(result));
  if (std::rename(result.c_str(), dir.c_str()) != 0) {
    return FromErrno(errno, fmt::format("rename {} to {}", result.string(), dir.string()));
  }
  RETURN_IF_ERROR(SyncDirectory(dir.has_parent_path() ? dir.parent_path().string() : "."));
  return MakeReport(tree);
}

}  // namespace etude
