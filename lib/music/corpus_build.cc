#include "lib/music/corpus_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/abc_clean.h"
#include "lib/music/char_tokenizer.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

// Substream 0 orders the groups (AssignSplits); these order the tunes kept and those of each split.
constexpr std::uint32_t kLimitSubstream = 1;
constexpr std::uint32_t kTuneOrderSubstream = 2;

struct Source {
  std::string file;  // relative to src
  std::string path;
};

// One tune of the corpus; `tokens` counts its <doc>.
struct Tune {
  std::string text;
  std::vector<std::string> version_keys;
  std::int64_t tokens() const { return static_cast<std::int64_t>(text.size()) + 1; }
};

absl::Status CheckOptions(const CorpusBuildOptions& options) {
  const std::string& name = options.tokenizer;
  if (name != "char") {
    const bool is_planned =
        name == "note" || name == "remi" || name == "pianoroll" || name.starts_with("bpe:");
    const std::string message = fmt::format(
        "tokenizer '{}': {}; allowed: char. Type: etude corpus build {} {} --tokenizer char", name,
        is_planned ? "not yet in this version" : "unknown", options.src, options.dst);
    return is_planned ? Unimplemented(message) : InvalidArgument(message);
  }
  if (options.max_tokens && *options.max_tokens < 1) {
    return InvalidArgument(
        fmt::format("max-tokens {}: a number above 0 is needed", *options.max_tokens));
  }
  return absl::OkStatus();
}

bool IsAbcFile(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".abc" || extension == ".ABC";
}

// ABC files below `src`, by relative path; links to directories are not followed.
absl::StatusOr<std::vector<Source>> ListSources(const std::string& src) {
  std::error_code error;
  const fs::file_status status = fs::status(src, error);
  if (status.type() == fs::file_type::not_found) {
    return NotFound(fmt::format(
        "{}: no such file or directory; fetch tunes with: etude corpus fetch folk {}", src, src));
  }
  if (error) return FromErrno(error.value(), "stat " + src);
  if (status.type() == fs::file_type::regular) {
    return std::vector<Source>{{fs::path(src).filename().string(), src}};
  }
  std::vector<Source> sources;
  for (fs::recursive_directory_iterator at(src, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unreadable;
    if (!at->is_regular_file(unreadable) || !IsAbcFile(at->path())) continue;
    if (static_cast<std::int64_t>(sources.size()) == kMaxSourceFiles) {
      return ResourceExhausted(fmt::format("{}: more than {} ABC files; build from a part of them",
                                           src, kMaxSourceFiles));
    }
    sources.push_back({at->path().lexically_relative(src).generic_string(), at->path().string()});
  }
  if (error) return FromErrno(error.value(), "read directory " + src);
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.file < b.file; });
  return sources;
}

// The licence notes that `etude corpus fetch` left beside the tunes; none if there is no such file.
std::vector<std::string> LicenceNotes(const std::string& src) {
  const auto bytes = ReadFile((fs::path(src) / "SOURCE.json").string(), kMaxManifestBytes);
  if (!bytes.ok()) return {};
  const auto root = nlohmann::json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> notes;
  if (!root.is_object() || !root.contains("licence_notes")) return notes;
  for (const auto& note : root["licence_notes"]) {
    if (note.is_string()) notes.push_back(note.get<std::string>());
  }
  return notes;
}

// Collects the tunes of all files, without duplicates, and counts what happens to each.
class TuneCollector {
 public:
  absl::Status AddFile(const Source& source) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(source.path, kMaxSourceFileBytes));
    const auto bytes = static_cast<std::int64_t>(text.size());
    sources_.push_back({.file = source.file, .sha256 = Sha256Hex(text), .bytes = bytes});
    ++counts_.files;
    counts_.chars_before += bytes;
    for (const std::string_view tune : SplitTunes(text)) AddTune(CleanAbcTune(tune));
    if (tokens_ <= kMaxCorpusTokens) return absl::OkStatus();
    return ResourceExhausted(
        fmt::format("more than {} tokens; build from a part of the files", kMaxCorpusTokens));
  }

  std::vector<Tune>& tunes() { return tunes_; }
  BuildCounts& counts() { return counts_; }
  std::vector<CorpusSource>& sources() { return sources_; }

 private:
  void AddTune(CleanTune tune) {
    ++counts_.tunes_found;
    switch (tune.fault) {
      case TuneFault::kNoKey:
        ++counts_.dropped_no_key;
        return;
      case TuneFault::kNoMusic:
        ++counts_.dropped_no_music;
        return;
      case TuneFault::kTooLong:
        ++counts_.dropped_too_long;
        return;
      case TuneFault::kNone:
        break;
    }
    if (!bodies_.insert(Sha256Hex(tune.body_key)).second) {
      ++counts_.duplicates_removed;
      return;
    }
    tunes_.push_back({std::move(tune.text), std::move(tune.version_keys)});
    tokens_ += tunes_.back().tokens();
  }

  std::vector<Tune> tunes_;
  std::vector<CorpusSource> sources_;
  BuildCounts counts_;
  std::unordered_set<std::string> bodies_;  // digests of body keys
  std::int64_t tokens_ = 0;
};

// Whole tunes in shuffled order, as many as fit; those kept stay in their order.
std::vector<Tune> WithinLimit(std::vector<Tune> tunes, std::int64_t max_tokens,
                              std::uint64_t seed) {
  std::vector<bool> is_kept(tunes.size());
  for (const int i : ShuffledOrder(static_cast<int>(tunes.size()), seed, kLimitSubstream)) {
    if (tunes[i].tokens() > max_tokens) continue;
    max_tokens -= tunes[i].tokens();
    is_kept[i] = true;
  }
  std::vector<Tune> kept;
  for (std::size_t i = 0; i < tunes.size(); ++i) {
    if (is_kept[i]) kept.push_back(std::move(tunes[i]));
  }
  return kept;
}

// The texts of each split, in shuffled order.
struct SplitTexts {
  std::array<std::vector<std::string>, 3> texts;
  SplitShares shares;
  std::int64_t groups = 0;
};

absl::StatusOr<SplitTexts> SplitByVersion(std::vector<Tune> tunes,
                                          const CorpusBuildOptions& options) {
  std::vector<std::vector<std::string>> keys;
  std::int64_t total = 0;
  for (Tune& tune : tunes) {
    keys.push_back(std::move(tune.version_keys));
    total += tune.tokens();
  }
  const std::vector<int> groups = GroupVersions(keys);
  std::vector<std::int64_t> group_tokens;
  for (std::size_t i = 0; i < tunes.size(); ++i) {
    group_tokens.resize(std::max<std::size_t>(group_tokens.size(), groups[i] + 1));
    group_tokens[groups[i]] += tunes[i].tokens();
  }
  SplitTexts result;
  result.shares = options.shares.value_or(DefaultShares(total));
  result.groups = static_cast<std::int64_t>(group_tokens.size());
  ASSIGN_OR_RETURN(const std::vector<Split> splits,
                   AssignSplits(group_tokens, result.shares, options.seed));
  const int count = static_cast<int>(tunes.size());
  for (const int i : ShuffledOrder(count, options.seed, kTuneOrderSubstream)) {
    result.texts[static_cast<std::size_t>(splits[groups[i]])].push_back(std::move(tunes[i].text));
  }
  return result;
}

absl::StatusOr<SplitTokens> EncodeSplits(const SplitTexts& split, const CharTokenizer& vocabulary) {
  SplitTokens tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (const std::string& text : split.texts[i]) {
      ASSIGN_OR_RETURN(const std::vector<std::uint16_t> ids, vocabulary.Encode(text));
      tokens[i].push_back(static_cast<std::uint16_t>(*vocabulary.doc_token()));
      tokens[i].insert(tokens[i].end(), ids.begin(), ids.end());
    }
  }
  return tokens;
}

absl::Status NoTunes(const CorpusBuildOptions& options, const BuildCounts& counts) {
  return InvalidArgument(
      fmt::format("{}: no tune to keep in {} ABC files ({} tunes found, {} without K:, {} without "
                  "notes, {} too "
                  "long); fetch some with: etude corpus fetch folk DIR",
                  options.src, counts.files, counts.tunes_found, counts.dropped_no_key,
                  counts.dropped_no_music, counts.dropped_too_long));
}

// A directory of token files: each split that is there.
TokenFileOptions TokenFilesIn(const std::string& src) {
  TokenFileOptions files;
  const auto find = [&](Split split) {
    const std::string path = (fs::path(src) / SplitFile(split)).string();
    return FileExists(path) ? path : std::string();
  };
  files.train = find(Split::kTrain);
  files.val = find(Split::kVal);
  files.test = find(Split::kTest);
  return files;
}

}  // namespace

absl::StatusOr<CorpusReport> BuildCorpus(const CorpusBuildOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  if (const TokenFileOptions files = TokenFilesIn(options.src); !files.train.empty()) {
    return AdoptTokenFiles(files, options.dst);
  }
  RETURN_IF_ERROR(CheckDestination(options.dst));
  ASSIGN_OR_RETURN(const std::vector<Source> sources, ListSources(options.src));
  TuneCollector collector;
  for (const Source& source : sources) RETURN_IF_ERROR(collector.AddFile(source));
  CorpusManifest manifest;
  manifest.tokenizer = options.tokenizer;
  manifest.chars_per_token = 1;
  manifest.sources = std::move(collector.sources());
  manifest.counts = collector.counts();
  manifest.split_rule = "by version group";
  manifest.seed = options.seed;
  manifest.licence_notes = LicenceNotes(options.src);
  std::vector<Tune> tunes = std::move(collector.tunes());
  if (options.max_tokens) {
    const std::size_t before = tunes.size();
    tunes = WithinLimit(std::move(tunes), *options.max_tokens, options.seed);
    manifest.counts.over_max_tokens = static_cast<std::int64_t>(before - tunes.size());
  }
  if (tunes.empty()) return NoTunes(options, manifest.counts);
  manifest.counts.tunes_kept = static_cast<std::int64_t>(tunes.size());
  for (const Tune& tune : tunes) manifest.counts.chars_after += tune.tokens() - 1;
  ASSIGN_OR_RETURN(const SplitTexts split, SplitByVersion(std::move(tunes), options));
  manifest.shares = split.shares;
  manifest.counts.version_groups = split.groups;
  ASSIGN_OR_RETURN(const CharTokenizer vocabulary,
                   CharTokenizer::FromTexts(split.texts[static_cast<std::size_t>(Split::kTrain)]));
  ASSIGN_OR_RETURN(const SplitTokens tokens, EncodeSplits(split, vocabulary));
  return PublishCorpus(options.dst, tokens, vocabulary, std::move(manifest));
}

}  // namespace etude
