#include "lib/music/corpus_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/music/corpus_collect.h"
#include "lib/music/corpus_encode.h"
#include "lib/music/corpus_plan.h"
#include "lib/music/leakage.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

absl::Status CheckOptions(const CorpusBuildOptions& options) {
  if (options.max_tokens && *options.max_tokens < 1) {
    return InvalidArgument(
        fmt::format("max-tokens {}: a number above 0 is needed", *options.max_tokens));
  }
  if (options.transpose < 0 || options.transpose > kMaxTranspose) {
    return InvalidArgument(fmt::format("augment transpose:{}: 1 to {} semitones can be asked for",
                                       options.transpose, kMaxTranspose));
  }
  return absl::OkStatus();
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

absl::Status NoPieces(const CorpusBuildOptions& options, const BuildCounts& counts) {
  const auto midi = ListPieceFiles(options.src, /*with_midi=*/true);
  if (counts.files == 0 && midi.ok() && !midi->empty()) {
    return InvalidArgument(fmt::format(
        "{}: {} MIDI files, no ABC, of which {} tokens are made; write them as ABC first: etude "
        "corpus convert {} ABC_DIR; or give --tokenizer remi",
        options.src, midi->size(), options.tokenizer, options.src));
  }
  return InvalidArgument(
      fmt::format("{}: no tune to keep in {} ABC files ({} tunes found, {} without K:, {} without "
                  "notes, {} too long); fetch some with: etude corpus fetch folk DIR",
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

Leakage MeasureLeakage(const SplitTokens& tokens, const Tokenizer& tokenizer) {
  const auto rate = [&](Split split) {
    return CountSharedGrams(tokens[static_cast<std::size_t>(Split::kTrain)],
                            tokens[static_cast<std::size_t>(split)], tokenizer.doc_token())
        .rate();
  };
  return {.gram = kLeakageGram, .val = rate(Split::kVal), .test = rate(Split::kTest)};
}

double CharsPerToken(const CorpusManifest& manifest, const EncodedCorpus& encoded) {
  if (encoded.text_tokens == 0) return 0;
  if (manifest.tokenizer == "char") return 1;
  return static_cast<double>(encoded.chars) / static_cast<double>(encoded.text_tokens);
}

}  // namespace

absl::StatusOr<CorpusReport> BuildCorpus(const CorpusBuildOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const TokenizerName name, ParseTokenizerName(options.tokenizer));
  if (const TokenFileOptions files = TokenFilesIn(options.src); !files.train.empty()) {
    return AdoptTokenFiles(files, options.dst);
  }
  RETURN_IF_ERROR(CheckDestination(options.dst));
  ASSIGN_OR_RETURN(const std::vector<PieceFile> files,
                   ListPieceFiles(options.src, name.form() == MusicForm::kScore));
  PieceCollector collector(name, options.families);
  for (const PieceFile& file : files) RETURN_IF_ERROR(collector.AddFile(file));
  if (collector.planned().empty()) return NoPieces(options, collector.counts());
  ASSIGN_OR_RETURN(
      const CorpusPlan plan,
      PlanCorpus(collector.planned(), {options.shares, options.seed, options.max_tokens}));
  CorpusManifest manifest;
  manifest.tokenizer = name.text();
  manifest.sources = std::move(collector.sources());
  manifest.counts = collector.counts();
  manifest.split_rule =
      options.families == Families::kOpening ? "by version group" : "by version group and melody";
  manifest.shares = plan.shares;
  manifest.seed = options.seed;
  manifest.licence_notes = LicenceNotes(options.src);
  manifest.counts.over_max_tokens = plan.left_out;
  manifest.counts.version_groups = plan.groups;
  const KeptPieces kept = Keep(collector.planned(), collector.records(), plan);
  std::exchange(collector.planned(), {});
  ASSIGN_OR_RETURN(
      const EncodedCorpus encoded,
      EncodeCorpus(files, manifest.sources, kept, {name, options.families, options.transpose}));
  manifest.counts.tunes_kept = std::ssize(kept.records);
  manifest.counts.chars_after = encoded.original_chars;
  manifest.chars_per_token = CharsPerToken(manifest, encoded);
  manifest.splits = encoded.counts;
  manifest.augmentation = encoded.augmentation;
  manifest.round_trip = encoded.round_trip;
  manifest.leakage = MeasureLeakage(encoded.tokens, *encoded.tokenizer);
  return PublishCorpus(options.dst, encoded.tokens, *encoded.tokenizer, std::move(manifest),
                       encoded.headers);
}

}  // namespace etude
