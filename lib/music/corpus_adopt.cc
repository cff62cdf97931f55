#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/corpus_build.h"
#include "lib/music/npy.h"

namespace etude {
namespace {

constexpr char kCommand[] = "etude corpus build SRC DST --train FILE --val FILE --test FILE";

absl::Status CheckComplete(const TokenFileOptions& files) {
  std::string missing;
  if (files.train.empty()) missing += " train";
  if (files.val.empty()) missing += " val";
  if (files.test.empty()) missing += " test";
  if (missing.empty()) return absl::OkStatus();
  return InvalidArgument(fmt::format(
      "token files:{} not given; a study needs all three splits, cut by whoever made the files: {}",
      missing, kCommand));
}

std::string VocabularyPath(const TokenFileOptions& files) {
  if (!files.vocab.empty()) return files.vocab;
  return (std::filesystem::path(files.train).parent_path() / kVocabFile).string();
}

absl::StatusOr<std::string> ReadSource(const std::string& path, std::int64_t max_bytes,
                                       CorpusManifest& manifest) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, max_bytes));
  manifest.sources.push_back({.file = std::filesystem::path(path).filename().string(),
                              .sha256 = Sha256Hex(bytes),
                              .bytes = static_cast<std::int64_t>(bytes.size())});
  return bytes;
}

absl::StatusOr<std::vector<std::uint16_t>> ReadSplit(const std::string& path, int vocab,
                                                     CorpusManifest& manifest) {
  ASSIGN_OR_RETURN(
      const std::string bytes,
      ReadSource(path, kMaxCorpusTokens * std::int64_t{sizeof(std::int64_t)}, manifest));
  ASSIGN_OR_RETURN(std::vector<std::uint16_t> tokens, ParseTokens(bytes, path));
  if (tokens.empty()) {
    return InvalidArgument(
        fmt::format("{}: no token; give a file that has some: {}", path, kCommand));
  }
  const auto beyond =
      std::find_if(tokens.begin(), tokens.end(), [vocab](int token) { return token >= vocab; });
  if (beyond != tokens.end()) {
    return InvalidArgument(fmt::format(
        "{}: id {} at position {}, but the vocabulary has {} characters; give the vocab.json these "
        "tokens were made with, beside the training file",
        path, *beyond, beyond - tokens.begin(), vocab));
  }
  return tokens;
}

}  // namespace

absl::StatusOr<CorpusReport> AdoptTokenFiles(const TokenFileOptions& files,
                                             const std::string& dst) {
  RETURN_IF_ERROR(CheckComplete(files));
  RETURN_IF_ERROR(CheckDestination(dst));
  CorpusManifest manifest;
  manifest.tokenizer = "adopted";
  manifest.split_rule = "as given";
  const std::string vocabulary_path = VocabularyPath(files);
  absl::StatusOr<std::string> json = ReadSource(vocabulary_path, kMaxVocabBytes, manifest);
  if (absl::IsNotFound(json.status())) {
    return NotFound(
        fmt::format("{}: no vocabulary; put the vocab.json of these tokens (with "
                    "char_to_id) beside the training file",
                    vocabulary_path));
  }
  RETURN_IF_ERROR(json.status());
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> vocabulary,
                   TokenizerFromJson(*json, vocabulary_path));
  SplitTokens tokens;
  for (const Split split : kSplits) {
    const std::string& path = split == Split::kTrain ? files.train
                              : split == Split::kVal ? files.val
                                                     : files.test;
    ASSIGN_OR_RETURN(tokens[static_cast<std::size_t>(split)],
                     ReadSplit(path, vocabulary->vocab(), manifest));
  }
  return PublishCorpus(dst, tokens, *vocabulary, std::move(manifest));
}

}  // namespace etude
