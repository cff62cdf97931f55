#include "client/convert_manifest.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

std::optional<ConvertStatus> StatusFromName(std::string_view name) {
  for (const ConvertStatus status : kConvertStatuses) {
    if (name == ConvertStatusName(status)) return status;
  }
  return std::nullopt;
}

// Leaves `field` as it is unless the line has a value of its kind.
template <typename T>
bool Take(const Json& json, const char* key, T& field) {
  const auto found = json.find(key);
  if (found == json.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return false;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!found->is_boolean()) return false;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!found->is_number()) return false;
  } else {
    if (!found->is_number_integer()) return false;
  }
  field = found->get<T>();
  return true;
}

void TakeResults(const Json& json, ConvertedFile& file) {
  Take(json, "notes_out", file.notes_out);
  Take(json, "f1", file.f1);
  if (double drum_f1 = 0; Take(json, "drum_f1", drum_f1)) file.drum_f1 = drum_f1;
  Take(json, "duration_f1", file.duration_f1);
  Take(json, "grid", file.grid);
  Take(json, "performed", file.performed);
  Take(json, "key", file.key);
  Take(json, "meter", file.meter);
  if (const auto confidence = json.find("confidence"); confidence != json.end()) {
    Take(*confidence, "grid", file.grid_confidence);
    Take(*confidence, "key", file.key_confidence);
    Take(*confidence, "meter", file.meter_confidence);
  }
  Take(json, "abc_bytes", file.abc_bytes);
}

}  // namespace

std::string_view ConvertStatusName(ConvertStatus status) {
  switch (status) {
    case ConvertStatus::kConverted:
      return "converted";
    case ConvertStatus::kSalvaged:
      return "salvaged";
    case ConvertStatus::kDuplicate:
      return "duplicate";
    case ConvertStatus::kFailed:
      return "failed";
  }
  return "";
}

std::string ConvertedFileLine(const ConvertedFile& file) {
  Json json = {{"path", file.path},
               {"sha256", file.sha256},
               {"status", ConvertStatusName(file.status)},
               {"reason", file.reason}};
  if (file.status == ConvertStatus::kDuplicate) json["duplicate_of"] = file.duplicate_of;
  json["recipe"] = file.recipe;
  if (file.status != ConvertStatus::kDuplicate) json["notes_in"] = file.notes_in;
  if (file.HasAbc()) {
    json["notes_out"] = file.notes_out;
    json["f1"] = file.f1;
    json["drum_f1"] = file.drum_f1 ? Json(*file.drum_f1) : Json();
    json["duration_f1"] = file.duration_f1;
    json["grid"] = file.grid;
    json["performed"] = file.performed;
    json["key"] = file.key;
    json["meter"] = file.meter;
    json["confidence"] = {{"grid", file.grid_confidence},
                          {"key", file.key_confidence},
                          {"meter", file.meter_confidence}};
    json["abc_bytes"] = file.abc_bytes;
  }
  json["ms"] = file.ms;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<ConvertedFile> ParseConvertedFile(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  ConvertedFile file;
  std::string status;
  if (!Take(json, "path", file.path) || !Take(json, "sha256", file.sha256) ||
      !Take(json, "status", status)) {
    return std::nullopt;
  }
  const std::optional<ConvertStatus> known = StatusFromName(status);
  if (!known) return std::nullopt;
  file.status = *known;
  Take(json, "reason", file.reason);
  Take(json, "duplicate_of", file.duplicate_of);
  Take(json, "recipe", file.recipe);
  Take(json, "notes_in", file.notes_in);
  TakeResults(json, file);
  Take(json, "ms", file.ms);
  return file;
}

absl::StatusOr<std::map<std::string, ConvertedFile>> ReadConvertManifest(const std::string& path) {
  std::map<std::string, ConvertedFile> files;
  std::ifstream in(path, std::ios::binary);
  if (!in && FileExists(path)) return InvalidArgument("read " + path + ": it cannot be opened");
  for (std::string line; std::getline(in, line);) {
    if (in.eof()) break;  // no newline: the writer was cut off
    std::optional<ConvertedFile> file = ParseConvertedFile(line);
    if (!file) continue;
    std::string key = file->path;
    files.insert_or_assign(std::move(key), *std::move(file));
  }
  return files;
}

}  // namespace etude
