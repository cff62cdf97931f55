#include "lib/music/corpus_publish.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/corpus_load.h"
#include "lib/music/npy.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

// Files of a corpus, made when they are needed: of a large one only one at a time is in memory.
class CorpusFiles {
 public:
  CorpusFiles(const SplitTokens& tokens, const Tokenizer& vocabulary, const TokenIds& headers)
      : tokens_(tokens), headers_(headers), vocabulary_(vocabulary.ToJson()) {
    for (const Split split : kSplits) names_.push_back(SplitFile(split));
    names_.emplace_back(kVocabFile);
    if (!headers.empty()) names_.emplace_back(kHeadersFile);
  }

  void AddManifest(const std::string& json) {
    manifest_ = json;
    names_.emplace_back(kManifestFile);  // the last: a directory without it is not a corpus
  }
  const std::vector<std::string>& names() const { return names_; }
  std::string Bytes(const std::string& name) const {
    if (name == kManifestFile) return manifest_;
    if (name == kVocabFile) return vocabulary_;
    if (name == kHeadersFile) return TokensToNpy(headers_);
    const auto at = std::find(names_.begin(), names_.end(), name) - names_.begin();
    return TokensToNpy(tokens_[static_cast<std::size_t>(at)]);
  }

 private:
  const SplitTokens& tokens_;
  const TokenIds& headers_;
  std::string vocabulary_;
  std::string manifest_;
  std::vector<std::string> names_;
};

// Without a trailing slash, so that names can be put beside it.
fs::path Normal(const std::string& dst) {
  const fs::path path = fs::path(dst).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

void CountTokens(const TokenIds& tokens, const Tokenizer& vocabulary, SplitCounts& counts) {
  counts.tokens = std::ssize(tokens);
  counts.documents = std::nullopt;
  counts.unknown_tokens = 0;
  if (const auto doc = vocabulary.doc_token()) {
    counts.documents = std::count(tokens.begin(), tokens.end(), *doc);
  }
  if (const auto unknown = vocabulary.unknown_token()) {
    counts.unknown_tokens = std::count(tokens.begin(), tokens.end(), *unknown);
  }
}

absl::Status WriteFiles(const fs::path& dir, const CorpusFiles& files) {
  for (const std::string& name : files.names()) {
    RETURN_IF_ERROR(WriteFileAtomically((dir / name).string(), files.Bytes(name)));
  }
  return absl::OkStatus();
}

absl::Status WriteDirectory(const fs::path& dst, const CorpusFiles& files) {
  fs::path temporary = dst;
  temporary += fmt::format(".tmp.{}", getpid());
  RETURN_IF_ERROR(MakeDirectories(temporary.string()));
  absl::Status status = WriteFiles(temporary, files);
  if (status.ok() && std::rename(temporary.c_str(), dst.c_str()) != 0) {
    status = FromErrno(errno, fmt::format("rename {} to {}", temporary.string(), dst.string()));
  }
  if (!status.ok()) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    return status;
  }
  return SyncDirectory(dst.has_parent_path() ? dst.parent_path().string() : ".");
}

absl::Status HoldsSomethingElse(const std::string& dst, const std::string& what) {
  return AlreadyExists(fmt::format(
      "{} holds {}, which is never overwritten; choose another DST, or remove it with: rm -r {}",
      dst, what, dst));
}

}  // namespace

absl::Status CheckDestination(const std::string& dst) {
  std::error_code error;
  const fs::file_status status = fs::status(dst, error);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (error) return FromErrno(error.value(), "stat " + dst);
  if (status.type() != fs::file_type::directory) return HoldsSomethingElse(dst, "a file");
  const bool is_empty = fs::is_empty(dst, error);
  if (error) return FromErrno(error.value(), "read directory " + dst);
  if (is_empty || FileExists((fs::path(dst) / kManifestFile).string())) return absl::OkStatus();
  return HoldsSomethingElse(dst, fmt::format("files but no {}", kManifestFile));
}

absl::StatusOr<CorpusReport> PublishCorpus(const std::string& dst, const SplitTokens& tokens,
                                           const Tokenizer& vocabulary, CorpusManifest manifest,
                                           const TokenIds& headers) {
  RETURN_IF_ERROR(CheckDestination(dst));
  for (const Split split : kSplits) {
    CountTokens(tokens[static_cast<std::size_t>(split)], vocabulary, manifest.split(split));
  }
  CorpusFiles files(tokens, vocabulary, headers);
  manifest.vocab = vocabulary.vocab();
  manifest.doc_token = vocabulary.doc_token();
  manifest.files.clear();
  for (const std::string& name : files.names()) {
    const std::string bytes = files.Bytes(name);
    manifest.files.push_back({.name = name,
                              .sha256 = Sha256Hex(bytes),
                              .bytes = static_cast<std::int64_t>(bytes.size())});
  }
  const std::string json = ManifestToJson(manifest);
  files.AddManifest(json);
  CorpusReport report;
  report.id = CorpusId(Sha256Hex(json));
  report.manifest = std::move(manifest);

  const fs::path path = Normal(dst);
  const std::string manifest_path = (path / kManifestFile).string();
  if (!FileExists(manifest_path)) {
    RETURN_IF_ERROR(WriteDirectory(path, files));
    return report;
  }
  ASSIGN_OR_RETURN(const std::string present, ReadFile(manifest_path, kMaxManifestBytes));
  if (present != json) {
    return HoldsSomethingElse(dst, "another corpus, " + Sha256Hex(present).substr(0, 12));
  }
  report.unchanged = LoadCorpus(dst).ok();
  if (!report.unchanged) RETURN_IF_ERROR(WriteFiles(path, files));
  return report;
}

}  // namespace etude
