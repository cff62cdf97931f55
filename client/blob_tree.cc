#include "client/blob_tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "client/display_text.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlobs = "blobs/";
constexpr std::size_t kBlobPathChars = kBlobs.size() + 64 + 1;  // SHA-256 in hex, and a slash in it

bool IsBlobPath(const std::string& path) {
  if (!path.starts_with(kBlobs) || path.size() != kBlobPathChars) return false;
  return IsSha256Hex(path.substr(kBlobs.size(), 2) + path.substr(kBlobs.size() + 3));
}

}  // namespace

std::string BlobTreePath(const ArtifactFile& blob) {
  return std::string(kBlobs) + blob.sha256.substr(0, 2) + "/" + blob.sha256.substr(2);
}

std::string WithoutPartSuffix(const std::string& path) {
  return path.ends_with(kPartSuffix) ? path.substr(0, path.size() - kPartSuffix.size()) : path;
}

bool IsOfBlobTree(const std::string& path, std::string_view manifest) {
  const std::string whole = WithoutPartSuffix(path);
  return whole == kTreeLockFile || whole == manifest ||
         whole.starts_with(std::string(manifest) + ".tmp.") || IsBlobPath(whole);
}

std::vector<std::string> BlobTree::Files() const {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator i(path_, error), end; !error && i != end;
       i.increment(error)) {
    if (i->is_directory(error)) continue;
    files.push_back(i->path().lexically_relative(path_).generic_string());
  }
  return files;
}

absl::Status BlobTree::CheckRoom(const std::string& what, std::int64_t bytes,
                                 const std::vector<ArtifactFile>& blobs) const {
  std::int64_t needed = bytes + kSpareTreeBytes;
  for (const ArtifactFile& blob : blobs) {
    if (!FileExists(path_ + "/" + BlobTreePath(blob))) needed += blob.bytes;
  }
  std::error_code error;
  const fs::space_info space = fs::space(path_, error);
  if (error || static_cast<std::int64_t>(space.available) >= needed) return absl::OkStatus();
  return ResourceExhausted(fmt::format("{} takes {} in {}, where {} are free", what,
                                       BytesText(static_cast<double>(needed)), path_,
                                       BytesText(static_cast<double>(space.available))));
}

absl::StatusOr<std::string> BlobTree::PathOf(const ArtifactFile& blob) const {
  std::string path = path_ + "/" + BlobTreePath(blob);
  const std::string parent = fs::path(path).parent_path().string();
  if (FileExists(parent)) return path;
  RETURN_IF_ERROR(MakeDirectories(parent));
  RETURN_IF_ERROR(SyncDirectory(path_ + "/blobs"));
  return path;
}

absl::StatusOr<bool> BlobTree::Has(const ArtifactFile& blob) const {
  const std::string path = path_ + "/" + BlobTreePath(blob);
  if (!FileExists(path)) return false;
  ASSIGN_OR_RETURN(const std::string found, Sha256HexOfFile(path));
  if (found == blob.sha256) return true;
  if (unlink(path.c_str()) != 0) return FromErrno(errno, "remove " + path);
  return false;
}

absl::Status BlobTree::RemoveOthers(std::set<std::string> kept,
                                    const std::vector<ArtifactFile>& blobs,
                                    bool (*is_ours)(const std::string& path)) const {
  kept.insert(kTreeLockFile);
  for (const ArtifactFile& blob : blobs) kept.insert(BlobTreePath(blob));
  for (const std::string& file : Files()) {
    if (kept.contains(file) || !is_ours(file)) continue;
    if (unlink((path_ + "/" + file).c_str()) != 0) return FromErrno(errno, "remove " + file);
  }
  return absl::OkStatus();
}

}  // namespace etude
