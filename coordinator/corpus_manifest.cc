#include "coordinator/corpus_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 4> kListedFiles = {"train.npy", "val.npy", "test.npy",
                                                     "vocab.json"};
constexpr char kHeadersFile[] = "headers.npy";
constexpr int kMaxVocab = 65536;
constexpr std::size_t kMaxTokenizerBytes = 64;

absl::Status Bad(const std::string& what) {
  return InvalidArgument("corpus.json: " + what +
                         "; make the corpus again: etude corpus build SRC DST --tokenizer char");
}

// Deep nesting would cost the parser memory out of all proportion.
bool IsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxCorpusManifestDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

const json* Member(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? &*found : nullptr;
}

absl::StatusOr<std::int64_t> Count(const json& object, const char* key) {
  const json* value = Member(object, key);
  if (value == nullptr || !value->is_number_integer() || *value < 0) {
    return Bad(fmt::format("\"{}\" must be a whole number of at least 0", key));
  }
  return value->get<std::int64_t>();
}

absl::StatusOr<std::int64_t> TokensOf(const json& root, const char* split) {
  const json* splits = Member(root, "split");
  const json* counts = splits == nullptr ? nullptr : Member(*splits, split);
  if (counts == nullptr) return Bad(fmt::format("\"split\" has no \"{}\"", split));
  return Count(*counts, "tokens");
}

const ArtifactFile* FindFile(const std::vector<ArtifactFile>& files, const std::string& name) {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const ArtifactFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

absl::Status CheckListed(const json& root, const std::vector<ArtifactFile>& files) {
  // headers.npy lies beside them where headers are known.
  std::vector<std::string> names(kListedFiles.begin(), kListedFiles.end());
  if (FindFile(files, kHeadersFile) != nullptr) names.emplace_back(kHeadersFile);
  if (files.size() != names.size() + 1) {
    return InvalidArgument(
        fmt::format("a corpus has {} files, not {}", names.size() + 1, files.size()));
  }
  const json* listed = Member(root, "files");
  if (listed == nullptr || !listed->is_array()) return Bad("\"files\" must be a list");
  for (const std::string& name : names) {
    const ArtifactFile* file = FindFile(files, name);
    if (file == nullptr) return InvalidArgument(fmt::format("file {} is missing", name));
    const json entry = {{"name", name}, {"sha256", file->sha256}, {"bytes", file->bytes}};
    if (std::find(listed->begin(), listed->end(), entry) == listed->end()) {
      return Bad(fmt::format("it does not list {} as it was pushed (sha256 {}, {} bytes)", name,
                             file->sha256, file->bytes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Corpus> ReadFields(const json& root) {
  const json* version = Member(root, "format_version");
  if (version == nullptr || !version->is_string() || version->get<std::string>() != "1.0") {
    return Bad("\"format_version\" must be \"1.0\"");
  }
  Corpus corpus;
  ASSIGN_OR_RETURN(const std::int64_t vocab, Count(root, "vocab"));
  if (vocab < 1 || vocab > kMaxVocab) return Bad(fmt::format("\"vocab\" = {}", vocab));
  corpus.vocab = static_cast<int>(vocab);
  ASSIGN_OR_RETURN(corpus.train_tokens, TokensOf(root, "train"));
  ASSIGN_OR_RETURN(corpus.val_tokens, TokensOf(root, "val"));
  ASSIGN_OR_RETURN(corpus.test_tokens, TokensOf(root, "test"));
  const json* tokenizer = Member(root, "tokenizer");
  if (tokenizer == nullptr || !tokenizer->is_string() ||
      tokenizer->get_ref<const std::string&>().size() > kMaxTokenizerBytes) {
    return Bad("\"tokenizer\" must be a short text");
  }
  corpus.tokenizer = tokenizer->get<std::string>();
  const json* chars = Member(root, "chars_per_token");
  if (chars == nullptr || !chars->is_number() || !(chars->get<double>() >= 0)) {
    return Bad("\"chars_per_token\" must be a number of at least 0");
  }
  corpus.chars_per_token = chars->get<double>();
  return corpus;
}

}  // namespace

absl::StatusOr<ArtifactFile> FindCorpusManifest(const std::vector<ArtifactFile>& files) {
  const ArtifactFile* manifest = FindFile(files, kCorpusManifestName);
  if (manifest == nullptr) return InvalidArgument("file corpus.json is missing");
  if (manifest->bytes > kMaxCorpusManifestBytes) {
    return InvalidArgument(fmt::format("corpus.json has {} bytes, more than {}", manifest->bytes,
                                       kMaxCorpusManifestBytes));
  }
  return *manifest;
}

absl::StatusOr<Corpus> CorpusFromManifest(std::string_view text,
                                          const std::vector<ArtifactFile>& files) {
  ASSIGN_OR_RETURN(const ArtifactFile manifest, FindCorpusManifest(files));
  if (Sha256Hex(text) != manifest.sha256) {
    return InvalidArgument("corpus.json has another hash than was pushed");
  }
  if (IsTooDeep(text)) return Bad("it is nested too deeply");
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return Bad("it is not a JSON object");
  ASSIGN_OR_RETURN(Corpus corpus, ReadFields(root));
  RETURN_IF_ERROR(CheckListed(root, files));
  corpus.id = CorpusId(manifest.sha256);
  corpus.files = files;
  return corpus;
}

}  // namespace etude
