#include "lib/music/corpus_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/npy.h"

namespace etude {
namespace {

constexpr char kRepair[] = "make the corpus again with: etude corpus build SRC DST";

std::string PathIn(const std::string& dir, const std::string& name) {
  return (std::filesystem::path(dir) / name).string();
}

absl::StatusOr<std::string> ReadManifestBytes(const std::string& dir) {
  absl::StatusOr<std::string> bytes = ReadFile(PathIn(dir, kManifestFile), kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status())) {
    return NotFound(fmt::format("{}: no {}; make one with: etude corpus build SRC {}", dir,
                                kManifestFile, dir));
  }
  return bytes;
}

absl::Status CheckSize(const std::string& path, std::int64_t expected) {
  std::error_code error;
  const std::uintmax_t actual = std::filesystem::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return NotFound(
        fmt::format("{}: listed in {} but not there; {}", path, kManifestFile, kRepair));
  }
  if (error) return FromErrno(error.value(), "stat " + path);
  if (actual != static_cast<std::uintmax_t>(expected)) {
    return DataLoss(
        fmt::format("{}: {} bytes, {} has {}; {}", path, actual, kManifestFile, expected, kRepair));
  }
  return absl::OkStatus();
}

absl::Status CheckHash(const std::string& path, const std::string& expected) {
  ASSIGN_OR_RETURN(const std::string actual, Sha256HexOfFile(path));
  if (actual == expected) return absl::OkStatus();
  return DataLoss(fmt::format("{}: its SHA-256 is {}, {} has {}; {}", path, actual.substr(0, 12),
                              kManifestFile, expected.substr(0, 12), kRepair));
}

absl::Status CheckCount(const std::string& path, std::int64_t actual, std::int64_t expected) {
  if (actual == expected) return absl::OkStatus();
  return DataLoss(
      fmt::format("{}: {} tokens, {} has {}; {}", path, actual, kManifestFile, expected, kRepair));
}

absl::StatusOr<std::vector<std::uint16_t>> ReadSplit(const std::string& dir, Split split,
                                                     const CorpusManifest& manifest) {
  const std::string path = PathIn(dir, SplitFile(split));
  ASSIGN_OR_RETURN(std::vector<std::uint16_t> tokens, ReadTokens(path));
  RETURN_IF_ERROR(
      CheckCount(path, static_cast<std::int64_t>(tokens.size()), manifest.split(split).tokens));
  const auto documents = manifest.split(split).documents;
  if (documents && manifest.doc_token &&
      std::count(tokens.begin(), tokens.end(), *manifest.doc_token) != *documents) {
    return DataLoss(fmt::format("{}: its documents are not the {} of {}; {}", path, *documents,
                                kManifestFile, kRepair));
  }
  const auto beyond = std::find_if(tokens.begin(), tokens.end(),
                                   [&](int token) { return token >= manifest.vocab; });
  if (beyond != tokens.end()) {
    return DataLoss(fmt::format("{}: id {} at position {}, the vocabulary has {}; {}", path,
                                *beyond, beyond - tokens.begin(), manifest.vocab, kRepair));
  }
  return tokens;
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> ReadVocabularyOf(const std::string& dir,
                                                                  int vocab) {
  const std::string path = PathIn(dir, kVocabFile);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxVocabBytes));
  ASSIGN_OR_RETURN(std::unique_ptr<const Tokenizer> tokenizer, TokenizerFromJson(bytes, path));
  if (tokenizer->vocab() != vocab) {
    return DataLoss(fmt::format("{}: {} tokens, {} has {}; {}", path, tokenizer->vocab(),
                                kManifestFile, vocab, kRepair));
  }
  return tokenizer;
}

absl::Status CheckFiles(const std::string& dir, const CorpusManifest& manifest, bool verify) {
  for (const ArtifactFile& file : manifest.files) {
    const std::string path = PathIn(dir, file.name);
    RETURN_IF_ERROR(CheckSize(path, file.bytes));
    if (verify) RETURN_IF_ERROR(CheckHash(path, file.sha256));
  }
  for (const Split split : kSplits) {
    const std::string path = PathIn(dir, SplitFile(split));
    ASSIGN_OR_RETURN(const std::int64_t tokens, ReadTokenCount(path));
    RETURN_IF_ERROR(CheckCount(path, tokens, manifest.split(split).tokens));
    if (verify) RETURN_IF_ERROR(ReadSplit(dir, split, manifest).status());
  }
  return ReadVocabularyOf(dir, manifest.vocab).status();
}

}  // namespace

absl::StatusOr<Corpus> LoadCorpus(const std::string& dir, bool verify) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadManifestBytes(dir));
  ASSIGN_OR_RETURN(const CorpusManifest manifest,
                   ManifestFromJson(bytes, PathIn(dir, kManifestFile)));
  RETURN_IF_ERROR(CheckFiles(dir, manifest, verify));
  Corpus corpus;
  corpus.id = CorpusId(Sha256Hex(bytes));
  corpus.vocab = manifest.vocab;
  corpus.train_tokens = manifest.split(Split::kTrain).tokens;
  corpus.val_tokens = manifest.split(Split::kVal).tokens;
  corpus.test_tokens = manifest.split(Split::kTest).tokens;
  corpus.tokenizer = manifest.tokenizer;
  corpus.chars_per_token = manifest.chars_per_token;
  corpus.files = manifest.files;
  corpus.files.push_back({.name = kManifestFile,
                          .sha256 = corpus.id.text(),
                          .bytes = static_cast<std::int64_t>(bytes.size())});
  return corpus;
}

absl::StatusOr<CorpusManifest> ReadManifest(const std::string& dir) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadManifestBytes(dir));
  return ManifestFromJson(bytes, PathIn(dir, kManifestFile));
}

absl::StatusOr<std::vector<std::uint16_t>> ReadCorpusTokens(const std::string& dir, Split split) {
  ASSIGN_OR_RETURN(const CorpusManifest manifest, ReadManifest(dir));
  return ReadSplit(dir, split, manifest);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> ReadVocabulary(const std::string& dir) {
  ASSIGN_OR_RETURN(const CorpusManifest manifest, ReadManifest(dir));
  return ReadVocabularyOf(dir, manifest.vocab);
}

}  // namespace etude
