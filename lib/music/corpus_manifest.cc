#include "lib/music/corpus_manifest.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr char kFormatVersion[] = "1.0";
constexpr std::int64_t kMaxCount = std::numeric_limits<std::int64_t>::max();

struct CountName {
  const char* name;
  std::int64_t BuildCounts::*count;
};
constexpr CountName kCountNames[] = {
    {"files", &BuildCounts::files},
    {"tunes_found", &BuildCounts::tunes_found},
    {"dropped_no_key", &BuildCounts::dropped_no_key},
    {"dropped_no_music", &BuildCounts::dropped_no_music},
    {"dropped_too_long", &BuildCounts::dropped_too_long},
    {"duplicates_removed", &BuildCounts::duplicates_removed},
    {"over_max_tokens", &BuildCounts::over_max_tokens},
    {"tunes_kept", &BuildCounts::tunes_kept},
    {"version_groups", &BuildCounts::version_groups},
    {"chars_before", &BuildCounts::chars_before},
    {"chars_after", &BuildCounts::chars_after},
};

struct MusicCountName {
  const char* name;
  std::optional<std::int64_t> SplitCounts::*count;
};
constexpr MusicCountName kMusicCounts[] = {{"notes", &SplitCounts::notes},
                                           {"beats", &SplitCounts::beats},
                                           {"header_tokens", &SplitCounts::header_tokens}};

template <typename Value>
ordered_json OrNull(const std::optional<Value>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json SplitToJson(const CorpusManifest& manifest) {
  ordered_json split = {
      {"rule", manifest.split_rule}, {"shares_percent", nullptr}, {"seed", OrNull(manifest.seed)}};
  if (manifest.shares) {
    split["shares_percent"] = {manifest.shares->train, manifest.shares->val, manifest.shares->test};
  }
  for (const Split which : kSplits) {
    const SplitCounts& counts = manifest.split(which);
    ordered_json& written = split[std::string(SplitName(which))];
    written = {{"tokens", counts.tokens},
               {"documents", OrNull(counts.documents)},
               {"unknown_tokens", counts.unknown_tokens}};
    for (const auto& [name, count] : kMusicCounts) {
      if (counts.*count) written[name] = *(counts.*count);
    }
  }
  return split;
}

// Reads values out of a JSON tree that may hold anything; the first that is wrong is remembered and
// named.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}
  absl::Status status() const { return status_; }

  const json& Member(const json& object, const std::string& key, json::value_t type) {
    static const json kEmptyObject = json::object();
    static const json kEmptyArray = json::array();
    const json& fallback = type == json::value_t::array ? kEmptyArray : kEmptyObject;
    const auto found = object.find(key);
    if (found != object.end() && found->type() == type) return *found;
    Fail(key);
    return fallback;
  }
  std::string Text(const json& object, const std::string& key) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_string()) return found->get<std::string>();
    Fail(key);
    return {};
  }
  double Real(const json& object, const std::string& key) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_number()) return found->get<double>();
    Fail(key);
    return 0;
  }
  bool Truth(const json& object, const std::string& key) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_boolean()) return found->get<bool>();
    Fail(key);
    return false;
  }
  std::int64_t Count(const json& object, const std::string& key, std::int64_t max = kMaxCount) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_number_unsigned()) {
      const auto value = found->get<std::uint64_t>();
      if (value <= static_cast<std::uint64_t>(max)) return static_cast<std::int64_t>(value);
    }
    Fail(key);
    return 0;
  }
  std::optional<std::int64_t> CountOrNull(const json& object, const std::string& key,
                                          std::int64_t max = kMaxCount) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_null()) return std::nullopt;
    return Count(object, key, max);
  }
  std::string Digest(const json& object, const std::string& key) {
    std::string digest = Text(object, key);
    if (!IsSha256Hex(digest)) Fail(key);
    return digest;
  }
  void Fail(const std::string& key) {
    if (!status_.ok()) return;
    status_ = DataLoss(fmt::format(
        "{}: '{}' is missing or wrong; make the corpus again with: etude corpus build SRC DST",
        where_, key));
  }

 private:
  std::string where_;
  absl::Status status_;
};

void ReadSplit(const json& root, Reader& reader, CorpusManifest& manifest) {
  const json& split = reader.Member(root, "split", json::value_t::object);
  manifest.split_rule = reader.Text(split, "rule");
  const auto shares = split.find("shares_percent");
  if (shares != split.end() && shares->is_array() && shares->size() == 3 &&
      (*shares)[0].is_number() && (*shares)[1].is_number() && (*shares)[2].is_number()) {
    manifest.shares = SplitShares{(*shares)[0].get<double>(), (*shares)[1].get<double>(),
                                  (*shares)[2].get<double>()};
  } else if (shares == split.end() || !shares->is_null()) {
    reader.Fail("shares_percent");
  }
  const auto seed = split.find("seed");
  if (seed != split.end() && seed->is_number_unsigned()) {
    manifest.seed = seed->get<std::uint64_t>();
  } else if (seed == split.end() || !seed->is_null()) {
    reader.Fail("seed");
  }
  for (const Split which : kSplits) {
    const json& counts = reader.Member(split, std::string(SplitName(which)), json::value_t::object);
    manifest.split(which) = {.tokens = reader.Count(counts, "tokens"),
                             .documents = reader.CountOrNull(counts, "documents"),
                             .unknown_tokens = reader.Count(counts, "unknown_tokens")};
    for (const auto& [name, count] : kMusicCounts) {
      if (counts.contains(name)) manifest.split(which).*count = reader.Count(counts, name);
    }
  }
}

void ReadFiles(const json& root, Reader& reader, CorpusManifest& manifest) {
  for (const json& item : reader.Member(root, "sources", json::value_t::array)) {
    manifest.sources.push_back({.file = reader.Text(item, "file"),
                                .sha256 = reader.Digest(item, "sha256"),
                                .bytes = reader.Count(item, "bytes")});
  }
  for (const json& item : reader.Member(root, "files", json::value_t::array)) {
    manifest.files.push_back({.name = reader.Text(item, "name"),
                              .sha256 = reader.Digest(item, "sha256"),
                              .bytes = reader.Count(item, "bytes")});
  }
  std::vector<std::string> expected;
  for (const Split split : kSplits) expected.push_back(SplitFile(split));
  expected.push_back(kVocabFile);
  if (manifest.files.size() == expected.size() + 1) expected.push_back(kHeadersFile);
  bool complete = manifest.files.size() == expected.size();
  for (std::size_t i = 0; complete && i < expected.size(); ++i) {
    complete = manifest.files[i].name == expected[i];
  }
  if (!complete) reader.Fail("files");
}

void ReadMeasures(const json& root, Reader& reader, CorpusManifest& manifest) {
  if (root.contains("leakage")) {
    const json& leakage = reader.Member(root, "leakage", json::value_t::object);
    manifest.leakage = Leakage{.gram = static_cast<int>(reader.Count(leakage, "gram", 1024)),
                               .val = reader.Real(leakage, "val"),
                               .test = reader.Real(leakage, "test")};
  }
  if (root.contains("augmentation")) {
    const json& made = reader.Member(root, "augmentation", json::value_t::object);
    manifest.augmentation =
        Augmentation{.transpose = static_cast<int>(reader.Count(made, "transpose", 127)),
                     .documents = reader.Count(made, "derived_documents"),
                     .tokens = reader.Count(made, "derived_tokens"),
                     .skipped = reader.Count(made, "skipped")};
  }
  if (root.contains("round_trip")) {
    const json& trip = reader.Member(root, "round_trip", json::value_t::object);
    manifest.round_trip = RoundTripCounts{.notes = reader.Count(trip, "notes"),
                                          .kept = reader.Count(trip, "kept"),
                                          .ranked = reader.Truth(trip, "ranked")};
  }
}

// What an older corpus does not have is left out, so that its bytes stay what they were.
void WriteMeasures(const CorpusManifest& manifest, ordered_json& root) {
  if (const auto& leakage = manifest.leakage) {
    root["leakage"] = {{"gram", leakage->gram}, {"val", leakage->val}, {"test", leakage->test}};
  }
  if (const auto& made = manifest.augmentation) {
    const std::int64_t all = manifest.split(Split::kTrain).tokens;
    root["augmentation"] = {{"transpose", made->transpose},
                            {"derived_documents", made->documents},
                            {"derived_tokens", made->tokens},
                            {"unique_tokens", all - made->tokens},
                            {"skipped", made->skipped}};
  }
  if (const auto& trip = manifest.round_trip) {
    root["round_trip"] = {{"notes", trip->notes}, {"kept", trip->kept}, {"ranked", trip->ranked}};
  }
}

}  // namespace

std::string ManifestToJson(const CorpusManifest& manifest) {
  ordered_json root;
  root["format_version"] = kFormatVersion;
  root["tokenizer"] = manifest.tokenizer;
  root["vocab"] = manifest.vocab;
  root["doc_token"] = OrNull(manifest.doc_token);
  root["chars_per_token"] = manifest.chars_per_token;
  ordered_json& counts = root["counts"] = ordered_json::object();
  for (const auto& [name, count] : kCountNames) counts[name] = manifest.counts.*count;
  root["split"] = SplitToJson(manifest);
  WriteMeasures(manifest, root);
  ordered_json& files = root["files"] = ordered_json::array();
  for (const ArtifactFile& file : manifest.files) {
    files.push_back({{"name", file.name}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  root["licence_notes"] = manifest.licence_notes;
  ordered_json& sources = root["sources"] = ordered_json::array();
  for (const CorpusSource& source : manifest.sources) {
    sources.push_back({{"file", source.file}, {"sha256", source.sha256}, {"bytes", source.bytes}});
  }
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<CorpusManifest> ManifestFromJson(std::string_view text, const std::string& where) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  Reader reader(where);
  if (!root.is_object()) {
    return DataLoss(fmt::format(
        "{}: not a JSON object; make the corpus again with: etude corpus build SRC DST", where));
  }
  if (reader.Text(root, "format_version") != kFormatVersion) reader.Fail("format_version");
  CorpusManifest manifest;
  manifest.tokenizer = reader.Text(root, "tokenizer");
  manifest.vocab = static_cast<int>(reader.Count(root, "vocab", 65536));
  if (const auto doc = reader.CountOrNull(root, "doc_token", 65535)) {
    manifest.doc_token = static_cast<int>(*doc);
    if (*manifest.doc_token >= manifest.vocab) reader.Fail("doc_token");
  }
  manifest.chars_per_token = reader.Real(root, "chars_per_token");
  if (!(manifest.chars_per_token >= 0)) reader.Fail("chars_per_token");
  const json& counts = reader.Member(root, "counts", json::value_t::object);
  for (const auto& [name, count] : kCountNames) {
    manifest.counts.*count = reader.Count(counts, name);
  }
  ReadSplit(root, reader, manifest);
  ReadMeasures(root, reader, manifest);
  ReadFiles(root, reader, manifest);
  for (const json& note : reader.Member(root, "licence_notes", json::value_t::array)) {
    if (note.is_string()) {
      manifest.licence_notes.push_back(note.get<std::string>());
    } else {
      reader.Fail("licence_notes");
    }
  }
  RETURN_IF_ERROR(reader.status());
  return manifest;
}

}  // namespace etude
