// The first reading of a source tree: what pieces there are, without keeping them.
#ifndef ETUDE_LIB_MUSIC_CORPUS_COLLECT_H_
#define ETUDE_LIB_MUSIC_CORPUS_COLLECT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/music/corpus_manifest.h"
#include "lib/music/corpus_plan.h"
#include "lib/music/piece.h"
#include "lib/music/tokenizer.h"

namespace etude {

// Where a piece lies, and what is counted of it.
struct PieceRecord {
  int file = 0;
  int ordinal = 0;  // among SplitPieces of the file
  std::int64_t notes = 0;
  std::int64_t beats = 0;  // quarters
};

class PieceCollector {
 public:
  PieceCollector(const TokenizerName& name, Families families);

  // kResourceExhausted: more than kMaxCorpusTokens of all files; errors of ReadFile.
  absl::Status AddFile(const PieceFile& file);

  std::vector<PlannedPiece>& planned() { return planned_; }
  std::vector<PieceRecord>& records() { return records_; }  // one for each planned piece
  BuildCounts& counts() { return counts_; }
  std::vector<CorpusSource>& sources() { return sources_; }  // in the order of AddFile

 private:
  void AddPiece(const Piece& piece, const PieceFile& file, int ordinal);
  bool CountFault(TuneFault fault);
  absl::StatusOr<std::int64_t> CountTokens(const Piece& piece) const;

  TokenizerName name_;
  Families families_;
  std::unique_ptr<const Tokenizer> fixed_;  // of schemes over scores, which learn no vocabulary
  std::vector<PlannedPiece> planned_;
  std::vector<PieceRecord> records_;
  std::vector<CorpusSource> sources_;
  BuildCounts counts_;
  std::unordered_set<std::string> identities_;
  std::int64_t tokens_ = 0;
};

// Reads the pieces of `records` again, in their order, and hands each to `use` with its number.
// kFailedPrecondition: a file is not what it was; errors of `use`.
absl::Status ReadAgain(const std::vector<PieceFile>& files,
                       const std::vector<CorpusSource>& sources,
                       const std::vector<PieceRecord>& records, Families families,
                       const std::function<absl::Status(int, const Piece&)>& use);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_COLLECT_H_
