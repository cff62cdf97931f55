#include "storage/backup_manifest.h"

#include <nlohmann/json.hpp>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormatVersion[] = "1.0";
constexpr std::size_t kNameDigits = 12;  // of the hash, in the database's file name

Json FileToJson(const BackupFile& file) {
  return {{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256}};
}

absl::Status NoManifest(const std::string& why) {
  return DataLoss(std::string(kManifestFile) + ": " + why +
                  "; make the backup again, or use another");
}

absl::StatusOr<BackupFile> FileFromJson(const Json& json, const std::string& database) {
  BackupFile file{json.at("path"), json.at("bytes"), json.at("sha256")};
  if (!IsSha256Hex(file.sha256) || file.bytes < 0) return NoManifest("no hash or size of a file");
  const bool is_database = file.path == database;
  if (file.path != (is_database ? DatabaseFileName(file.sha256) : BlobPath(file.sha256))) {
    return NoManifest("a file is not where its hash says");
  }
  return file;
}

absl::StatusOr<BackupManifest> Parse(const Json& json) {
  if (json.at("format_version") != kFormatVersion) {
    return FailedPrecondition(std::string(kManifestFile) + ": of another version of etude (" +
                              json.at("format_version").get<std::string>() + "). Upgrade etude");
  }
  BackupManifest manifest;
  manifest.software = json.at("software");
  manifest.schema_version = json.at("schema_version");
  absl::Time created;
  std::string error;
  const std::string text = json.at("created");
  if (!absl::ParseTime(absl::RFC3339_full, text, &created, &error)) return NoManifest("no time");
  manifest.created_at_us = ToMicros(created);
  const std::string database = json.at("database");
  for (const Json& one : json.at("files")) {
    ASSIGN_OR_RETURN(BackupFile file, FileFromJson(one, database));
    if (file.path == database) {
      manifest.database = std::move(file);
    } else {
      manifest.blobs.push_back(std::move(file));
    }
  }
  if (manifest.database.path.empty()) return NoManifest("no database");
  for (const Json& one : json.at("missing")) manifest.missing.push_back(one);
  return manifest;
}

}  // namespace

std::string DatabaseFileName(const std::string& sha256) {
  return "etude-" + sha256.substr(0, kNameDigits) + ".db";
}

std::string BlobPath(const std::string& sha256) {
  return "blobs/" + sha256.substr(0, 2) + "/" + sha256.substr(2);
}

std::string ManifestToJson(const BackupManifest& manifest) {
  Json files = Json::array({FileToJson(manifest.database)});
  for (const BackupFile& blob : manifest.blobs) files.push_back(FileToJson(blob));
  const Json json = {{"format_version", kFormatVersion},
                     {"software", manifest.software},
                     {"created", ToIso8601(FromMicros(manifest.created_at_us))},
                     {"schema_version", manifest.schema_version},
                     {"database", manifest.database.path},
                     {"files", files},
                     {"missing", manifest.missing}};
  return json.dump(1) + "\n";
}

absl::StatusOr<BackupManifest> ManifestFromJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return NoManifest("it is not JSON");
  try {  // the packaged library throws on a missing key or another type
    return Parse(json);
  } catch (const Json::exception& error) {
    return NoManifest(error.what());
  }
}

absl::StatusOr<BackupManifest> ReadManifest(const std::string& directory) {
  const std::string path = directory + "/" + kManifestFile;
  if (!FileExists(path)) {
    return NotFound(path + " is not there, so no backup was finished in " + directory +
                    ". To finish it: etude db backup " + directory);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifestBytes));
  absl::StatusOr<BackupManifest> manifest = ManifestFromJson(text);
  if (!manifest.ok()) return Annotate(manifest.status(), directory);
  return manifest;
}

}  // namespace etude
