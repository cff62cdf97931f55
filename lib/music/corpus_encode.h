// The second and third reading of a source tree: the vocabulary, then the tokens.
#ifndef ETUDE_LIB_MUSIC_CORPUS_ENCODE_H_
#define ETUDE_LIB_MUSIC_CORPUS_ENCODE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/corpus_collect.h"
#include "lib/music/corpus_manifest.h"
#include "lib/music/corpus_plan.h"
#include "lib/music/corpus_publish.h"
#include "lib/music/piece.h"
#include "lib/music/tokenizer.h"

namespace etude {

// The pieces of a plan in the order in which they lie in the files.
struct KeptPieces {
  struct Place {
    Split split = Split::kTrain;
    int rank = 0;         // in the order of its split
    bool sample = false;  // of the training pieces that merges are learned from
  };
  std::vector<PieceRecord> records;
  std::vector<Place> places;  // one for each record
};
KeptPieces Keep(std::span<const PlannedPiece> planned, std::span<const PieceRecord> records,
                const CorpusPlan& plan);

struct EncodeOptions {
  TokenizerName name;
  Families families = Families::kOpening;
  int transpose = 0;
};

struct EncodedCorpus {
  std::unique_ptr<const Tokenizer> tokenizer;
  SplitTokens tokens;
  TokenIds headers;                   // of headers.npy
  std::array<SplitCounts, 3> counts;  // notes, beats, header tokens
  std::optional<Augmentation> augmentation;
  RoundTripCounts round_trip;
  std::int64_t original_chars = 0;  // of the text of pieces that are not derived
  std::int64_t chars = 0;           // of the text of all
  std::int64_t text_tokens = 0;     // document tokens not counted; 0 for schemes over scores
};

// Errors of ReadAgain and VocabularyBuilder. kResourceExhausted: more than kMaxCorpusTokens.
absl::StatusOr<EncodedCorpus> EncodeCorpus(const std::vector<PieceFile>& files,
                                           const std::vector<CorpusSource>& sources,
                                           const KeptPieces& kept, const EncodeOptions& options);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_ENCODE_H_
