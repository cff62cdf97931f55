// corpus.json: what a corpus was made from and what is in it, every count taken from the bytes. Its
// SHA-256 is the corpus's id, so it holds no name, time or path of the machine that made it.
#ifndef ETUDE_LIB_MUSIC_CORPUS_MANIFEST_H_
#define ETUDE_LIB_MUSIC_CORPUS_MANIFEST_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/corpus_split.h"
#include "lib/scaling/job.h"

namespace etude {

inline constexpr char kManifestFile[] = "corpus.json";
inline constexpr char kVocabFile[] = "vocab.json";
// How many tokens at the start of each document are its header: the document token, and of text
// what comes before the line after K:. uint16, the documents of train, val and test one after
// another. Corpora of adopted files have none.
inline constexpr char kHeadersFile[] = "headers.npy";
inline constexpr std::int64_t kMaxManifestBytes = std::int64_t{64} << 20;
inline constexpr std::int64_t kMaxVocabBytes = std::int64_t{16} << 20;

// A file the corpus was made from; `file` is relative to the source directory.
struct CorpusSource {
  std::string file;
  std::string sha256;
  std::int64_t bytes = 0;
};

// What building did, in tunes and characters; all 0 for adopted token files.
struct BuildCounts {
  std::int64_t files = 0;
  std::int64_t tunes_found = 0;
  std::int64_t dropped_no_key = 0;
  std::int64_t dropped_no_music = 0;
  std::int64_t dropped_too_long = 0;
  std::int64_t duplicates_removed = 0;
  std::int64_t over_max_tokens = 0;  // tunes left out to keep within --max-tokens
  std::int64_t tunes_kept = 0;
  std::int64_t version_groups = 0;
  std::int64_t chars_before = 0;  // of the source files
  std::int64_t chars_after = 0;   // of the tunes kept
};

struct SplitCounts {
  std::int64_t tokens = 0;
  std::optional<std::int64_t> documents;  // nullopt: the files do not say
  std::int64_t unknown_tokens = 0;        // <unk>
  // What losses of different schemes are divided by to be compared: nats per token times tokens,
  // over notes or beats. Of repeats played, derived pieces included. nullopt: the files do not say.
  std::optional<std::int64_t> notes = std::nullopt;
  std::optional<std::int64_t> beats = std::nullopt;          // quarters
  std::optional<std::int64_t> header_tokens = std::nullopt;  // see kHeadersFile
};

// The share of held-out runs of `gram` tokens that stand in training too; see leakage.h.
struct Leakage {
  int gram = 0;
  double val = 0;
  double test = 0;
};

// Copies in other keys, in the training split behind all originals.
struct Augmentation {
  int transpose = 0;           // semitones, up and down
  std::int64_t documents = 0;  // derived; the split's others are unique
  std::int64_t tokens = 0;
  std::int64_t skipped = 0;  // copies that could not be written
};

// Of the validation and test pieces; see canonical_score.h.
struct RoundTripCounts {
  std::int64_t notes = 0;
  std::int64_t kept = 0;
  bool ranked = true;  // kRankedFidelity or more of them
};

struct CorpusManifest {
  std::string tokenizer;  // "char", "bpe:512:char", "adopted"
  int vocab = 0;
  std::optional<int> doc_token;  // id of <doc>; nullopt: documents unknown
  double chars_per_token = 0;    // 0 = unknown, or not of text
  std::vector<CorpusSource> sources;
  BuildCounts counts;
  std::string split_rule;  // "by version group", "by version group and melody", "as given"
  std::optional<SplitShares> shares;  // nullopt when as given
  std::optional<std::uint64_t> seed;  // nullopt when as given
  std::array<SplitCounts, 3> splits;  // indexed by Split
  // train.npy val.npy test.npy vocab.json, and headers.npy where headers are known
  std::vector<ArtifactFile> files;
  std::optional<Leakage> leakage = std::nullopt;
  std::optional<Augmentation> augmentation = std::nullopt;
  std::optional<RoundTripCounts> round_trip = std::nullopt;
  std::vector<std::string> licence_notes;

  const SplitCounts& split(Split split) const { return splits[static_cast<std::size_t>(split)]; }
  SplitCounts& split(Split split) { return splits[static_cast<std::size_t>(split)]; }
};

std::string ManifestToJson(const CorpusManifest& manifest);
// `where` names the bytes in errors. kDataLoss: not a manifest; names the first key that is missing
// or wrong.
absl::StatusOr<CorpusManifest> ManifestFromJson(std::string_view json, const std::string& where);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_MANIFEST_H_
