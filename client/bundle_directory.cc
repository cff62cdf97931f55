#include "client/bundle_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "client/blob_tree.h"
#include "client/display_text.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kFormatVersion[] = "1.0";
constexpr int kMaxDepth = 4;  // of brackets
constexpr std::size_t kMaxFiles = std::size_t{1} << 20;
absl::Status NoManifest(const std::string& why) {
  return WithHint(DataLoss(std::string(kBundleManifestFile) + ": " + why),
                  "etude export SWEEP --to bundle DIR     (make it again)");
}

absl::Status Damaged(const std::string& path, const std::string& why) {
  return WithHint(
      DataLoss(path + " " + why + "; nothing was imported"),
      "etude export SWEEP --to bundle DIR     (into the same directory: it fetches what "
      "is missing)");
}

Json FileToJson(const std::string& path, const ArtifactFile& file) {
  return {{"path", path}, {"bytes", file.bytes}, {"sha256", file.sha256}};
}

absl::Status TakeFile(const Json& json, BundleManifest& manifest) {
  const std::string path = json.at("path");
  ArtifactFile file;
  file.sha256 = json.at("sha256");
  if (!json.at("bytes").is_number_unsigned()) return NoManifest("a file without a size");
  file.bytes = json.at("bytes");
  if (!IsSha256Hex(file.sha256) || file.bytes < 0) return NoManifest("a file without a hash");
  if (path == kBundleRowsFile && manifest.rows.sha256.empty()) {
    file.name = kBundleRowsFile;
    manifest.rows = std::move(file);
    return absl::OkStatus();
  }
  if (path != BlobTreePath(file)) {
    return NoManifest("the file " + Printable(path) + " does not lie where its hash says");
  }
  if (manifest.blobs.size() == kMaxFiles) return NoManifest("too many files");
  manifest.blobs.push_back(std::move(file));
  return absl::OkStatus();
}

absl::StatusOr<BundleManifest> Parse(const Json& json) {
  if (json.contains("database")) {
    return NoManifest("it is a backup's, not a bundle's: etude db restore DIR");
  }
  const std::string version = json.at("format_version");
  if (version != kFormatVersion) {
    return WithHint(InvalidArgument(fmt::format("the bundle has format {}, and this etude reads {}",
                                                Printable(version), kFormatVersion)),
                    "upgrade etude; etude --version shows this one");
  }
  BundleManifest manifest;
  manifest.software = json.at("software");
  manifest.sweep = SweepId(json.at("sweep").get<std::string>());
  manifest.name = json.at("name");
  if (!IsSha256Hex(manifest.sweep.text())) return NoManifest("it names no sweep");
  absl::Time created;
  std::string error;
  const std::string text = json.at("created");
  if (!absl::ParseTime(absl::RFC3339_full, text, &created, &error)) return NoManifest("no time");
  manifest.created_at_us = ToMicros(created);
  if (!json.at("files").is_array()) return NoManifest("\"files\" is no list");
  for (const Json& one : json.at("files")) RETURN_IF_ERROR(TakeFile(one, manifest));
  if (manifest.rows.sha256.empty()) return NoManifest("it names no rows.ndjson");
  return manifest;
}

// The manifest's paths are of our own making, but a directory on the way, or the file, may be a
// link that leads out.
absl::Status CheckPlain(const std::string& directory, const std::string& path, std::int64_t bytes) {
  struct stat facts {};
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = directory + "/" + path.substr(0, slash);
    if (lstat(parent.c_str(), &facts) != 0) return Damaged(parent, "is missing");
    if (!S_ISDIR(facts.st_mode)) return Damaged(parent, "is no directory of the bundle");
  }
  const std::string whole = directory + "/" + path;
  if (lstat(whole.c_str(), &facts) != 0) return Damaged(whole, "is missing");
  if (!S_ISREG(facts.st_mode)) return Damaged(whole, "is no regular file");
  if (facts.st_size != bytes) {
    return Damaged(whole, fmt::format("has {} bytes, not {}", facts.st_size, bytes));
  }
  return absl::OkStatus();
}

absl::Status CheckFile(const std::string& directory, const std::string& path,
                       const ArtifactFile& file) {
  RETURN_IF_ERROR(CheckPlain(directory, path, file.bytes));
  const std::string whole = directory + "/" + path;
  const absl::StatusOr<std::string> found = Sha256HexOfFile(whole);
  if (!found.ok()) return OfLocalFile(found.status());
  return *found == file.sha256 ? absl::OkStatus() : Damaged(whole, "has another SHA-256");
}

// A path in the directory that only an export writes.
bool IsOfBundle(const std::string& path) {
  return IsOfBlobTree(path, kBundleManifestFile) || WithoutPartSuffix(path) == kBundleRowsFile;
}

}  // namespace

std::string BundleManifestToJson(const BundleManifest& manifest) {
  Json files = Json::array({FileToJson(kBundleRowsFile, manifest.rows)});
  for (const ArtifactFile& blob : manifest.blobs) {
    files.push_back(FileToJson(BlobTreePath(blob), blob));
  }
  const Json json = {{"format_version", kFormatVersion},
                     {"software", manifest.software},
                     {"created", ToIso8601(FromMicros(manifest.created_at_us))},
                     {"sweep", manifest.sweep.text()},
                     {"name", manifest.name},
                     {"files", files}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<BundleManifest> BundleManifestFromJson(std::string_view text) {
  const Json json = Json::parse(
      text, [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; },
      /*allow_exceptions=*/false);
  if (!json.is_object()) return NoManifest("it is not a JSON object");
  try {  // the packaged library throws on a missing key or another type
    return Parse(json);
  } catch (const Json::exception& error) {
    return NoManifest(error.what());
  }
}

absl::StatusOr<BundleManifest> VerifyBundle(const std::string& directory,
                                            const BundleProgress& progress) {
  const std::string path = directory + "/" + kBundleManifestFile;
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) {
    return WithHint(NotFound(path + " is not there, so no bundle was finished in " + directory),
                    "etude export SWEEP --to bundle DIR");
  }
  if (!S_ISREG(facts.st_mode)) return Damaged(path, "is no regular file");
  if (facts.st_size > kMaxBundleManifestBytes) return Damaged(path, "is too large");
  absl::StatusOr<std::string> text = ReadFile(path, kMaxBundleManifestBytes);
  if (!text.ok()) return OfLocalFile(text.status());
  ASSIGN_OR_RETURN(BundleManifest manifest, BundleManifestFromJson(*text));
  std::int64_t read = 0;
  RETURN_IF_ERROR(CheckFile(directory, kBundleRowsFile, manifest.rows));
  for (const ArtifactFile& blob : manifest.blobs) {
    RETURN_IF_ERROR(CheckFile(directory, BlobTreePath(blob), blob));
    read += blob.bytes;
    if (progress) progress(read);
  }
  return manifest;
}

absl::StatusOr<BundleDirectory> BundleDirectory::Open(const std::string& path, Clock& clock) {
  RETURN_IF_ERROR(MakeDirectories(path));
  for (const std::string& file : BlobTree(path).Files()) {
    if (IsOfBundle(file)) continue;
    return WithHint(
        AlreadyExists(fmt::format("{} holds {}, which is not of a bundle", path, Printable(file))),
        "choose another directory");
  }
  absl::StatusOr<FileLock> lock = FileLock::Take(path + "/" + kTreeLockFile, kTreeLockLimit, clock);
  if (!lock.ok()) return FailedPrecondition("another etude is writing " + path + "; let it end");
  return BundleDirectory(path, *std::move(lock));
}

std::string BundleDirectory::RowsPart() const {
  return path_ + "/" + kBundleRowsFile + std::string(kPartSuffix);
}

absl::Status BundleDirectory::Begin(const BundleOffer& offer) {
  rows_ = offer.rows;
  RETURN_IF_ERROR(BlobTree(path_).CheckRoom("the bundle", rows_.bytes, offer.blobs));
  part_.open(RowsPart(), std::ios::binary | std::ios::trunc);
  return part_ ? absl::OkStatus() : FromErrno(errno, "create " + RowsPart());
}

absl::Status BundleDirectory::AppendToRows(std::string_view bytes) {
  hash_.Update(bytes);
  part_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return part_ ? absl::OkStatus() : FromErrno(errno, "write " + RowsPart());
}

absl::Status BundleDirectory::EndRows() {
  part_.close();
  if (!part_) return FromErrno(errno, "write " + RowsPart());
  if (hash_.HexDigest() != rows_.sha256) {
    unlink(RowsPart().c_str());
    return DataLoss(
        "the rows came with another hash than the coordinator named; repeat the same "
        "command");
  }
  return SyncFile(RowsPart());
}

absl::StatusOr<std::string> BundleDirectory::PathOf(const ArtifactFile& blob) {
  return BlobTree(path_).PathOf(blob);
}

absl::StatusOr<bool> BundleDirectory::Has(const ArtifactFile& blob) {
  return BlobTree(path_).Has(blob);
}

absl::Status BundleDirectory::Finish(const BundleOffer& offer, std::int64_t now_us) {
  const BundleManifest manifest{.software = offer.software,
                                .created_at_us = now_us,
                                .sweep = offer.sweep,
                                .name = offer.name,
                                .rows = offer.rows,
                                .blobs = offer.blobs};
  const std::string rows = path_ + "/" + kBundleRowsFile;
  if (std::rename(RowsPart().c_str(), rows.c_str()) != 0) return FromErrno(errno, "rename " + rows);
  RETURN_IF_ERROR(SyncDirectory(path_));
  RETURN_IF_ERROR(
      WriteFileAtomically(path_ + "/" + kBundleManifestFile, BundleManifestToJson(manifest)));
  return BlobTree(path_).RemoveOthers({kBundleManifestFile, kBundleRowsFile}, manifest.blobs,
                                      IsOfBundle);
}

}  // namespace etude
