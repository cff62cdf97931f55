// Makes a corpus directory from ABC files, or from token files somebody else made. Equal inputs and
// options give equal bytes. The directory appears whole or not at all.
#ifndef ETUDE_LIB_MUSIC_CORPUS_BUILD_H_
#define ETUDE_LIB_MUSIC_CORPUS_BUILD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/music/corpus_publish.h"
#include "lib/music/corpus_split.h"
#include "lib/music/piece.h"

namespace etude {

inline constexpr int kMaxTranspose = 11;  // semitones
inline constexpr std::int64_t kMaxCorpusTokens = std::int64_t{1} << 31;

struct CorpusBuildOptions {
  // A directory searched for *.abc (for schemes over scores also *.mid), or one such file, or a
  // directory with train.npy.
  std::string src;
  std::string dst;  // made if absent
  std::string tokenizer = "char";
  std::optional<SplitShares> shares = std::nullopt;  // default: DefaultShares
  std::uint64_t seed = 1;                            // of the split
  // Whole pieces up to this many tokens (of BPE: tokens of its base); see CorpusPlanOptions.
  std::optional<std::int64_t> max_tokens = std::nullopt;
  Families families = Families::kOpening;
  // Each training piece is also written up to this many semitones higher and lower, behind all
  // originals; 0: not. Counted as derived: the pieces themselves stay what is unique.
  int transpose = 0;
};

struct TokenFileOptions {
  std::string train;  // .npy files of token ids
  std::string val;
  std::string test;
  std::string vocab = {};  // vocab.json; empty: the one beside `train`
};

// Cleans, removes duplicates, splits by version group, builds the vocabulary from the training
// split, and writes a document token before each piece. Pieces lie in shuffled order in each split.
// Licence notes come from SOURCE.json in `src`, if there. A `src` with train.npy is adopted as by
// AdoptTokenFiles. Files are read once for counts, once for encoding and, where the scheme learns a
// vocabulary, once for that; memory is 4 bytes a token and some 500 a piece. kNotFound: no src.
// kInvalidArgument: no piece found, unknown tokenizer, bad options. kFailedPrecondition: a file
// changed between two readings. kAlreadyExists: dst holds something else; it is never overwritten.
// kResourceExhausted: beyond a limit above.
absl::StatusOr<CorpusReport> BuildCorpus(const CorpusBuildOptions& options);

// Adopts token files in the course study's layout: ids copied as they are; without <doc> in the
// vocabulary documents are unknown. kInvalidArgument: a split not given, an empty split, an id
// outside the vocabulary; kNotFound: a file is not there; kDataLoss: a file is damaged;
// kAlreadyExists as above.
absl::StatusOr<CorpusReport> AdoptTokenFiles(const TokenFileOptions& files, const std::string& dst);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_BUILD_H_
