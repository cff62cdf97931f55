// What `etude corpus convert` did with each file, as lines of JSON.
#ifndef ETUDE_CLIENT_CONVERT_MANIFEST_H_
#define ETUDE_CLIENT_CONVERT_MANIFEST_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr char kConvertManifestName[] = "manifest.ndjson";

enum class ConvertStatus {
  kConverted,
  kSalvaged,   // what a damaged file still held
  kDuplicate,  // byte for byte a file before it
  kFailed,
};
inline constexpr ConvertStatus kConvertStatuses[] = {
    ConvertStatus::kConverted, ConvertStatus::kSalvaged, ConvertStatus::kDuplicate,
    ConvertStatus::kFailed};
std::string_view ConvertStatusName(ConvertStatus status);  // "converted", ...

// One source file. What a failed one and a duplicate have no use for is left out of its line.
struct ConvertedFile {
  std::string path;    // below SRC, '/' between; bytes that are not UTF-8 are U+FFFD
  std::string sha256;  // empty: it could not be read
  ConvertStatus status = ConvertStatus::kFailed;
  std::string reason;        // MidiConversion::reason, or "unreadable"
  std::string duplicate_of;  // a path
  std::string recipe;        // of what was asked for; another makes the line stale
  std::int64_t notes_in = 0;
  std::int64_t notes_out = 0;
  double f1 = 1;                  // of pitched notes
  std::optional<double> drum_f1;  // nullopt: no drums
  double duration_f1 = 1;         // of pitched notes, lengths compared too
  int grid = 0;                   // steps per quarter
  bool performed = false;
  std::string key;
  std::string meter;
  double grid_confidence = 0;
  double key_confidence = 0;
  double meter_confidence = 0;
  std::int64_t abc_bytes = 0;
  double ms = 0;  // of this run or the one that made it; no part of what is compared

  bool HasAbc() const {
    return status == ConvertStatus::kConverted || status == ConvertStatus::kSalvaged;
  }
};

// One line, its newline included.
std::string ConvertedFileLine(const ConvertedFile& file);
// nullopt: no such line; a torn one, for example.
std::optional<ConvertedFile> ParseConvertedFile(std::string_view line);

// By path, the last line of each; lines that cannot be read are left out. Empty when there is no
// file.
absl::StatusOr<std::map<std::string, ConvertedFile>> ReadConvertManifest(const std::string& path);

}  // namespace etude

#endif  // ETUDE_CLIENT_CONVERT_MANIFEST_H_
