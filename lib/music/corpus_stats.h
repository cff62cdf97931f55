// What is in a corpus: how often each token occurs, how long documents are, how the split fell out.
#ifndef ETUDE_LIB_MUSIC_CORPUS_STATS_H_
#define ETUDE_LIB_MUSIC_CORPUS_STATS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/corpus_manifest.h"
#include "lib/music/corpus_split.h"
#include "lib/scaling/ids.h"

namespace etude {

// Of document lengths in tokens, <doc> counted; quantiles are nearest-rank, so each is the length
// of some document.
struct LengthSummary {
  std::int64_t documents = 0;
  std::int64_t min = 0;
  std::int64_t median = 0;
  std::int64_t p95 = 0;
  std::int64_t max = 0;
  double mean = 0;
};

struct TokenCount {
  int id = 0;
  std::string text;  // "<doc>", "\n", "A"
  std::int64_t count = 0;
};

struct SplitStats {
  std::int64_t tokens = 0;
  std::optional<LengthSummary> lengths;  // nullopt: documents unknown
};

struct CorpusStats {
  CorpusId id;
  CorpusManifest manifest;
  std::array<SplitStats, 3> splits;  // indexed by Split
  std::vector<TokenCount>
      frequencies;  // over all splits, most frequent first, ties by id; all ids listed
  std::vector<std::int64_t> lengths;  // of every document, ascending; empty: documents unknown
  double unigram_entropy_nats = 0;  // per token, of the training split: the loss of counting alone
};

// Lengths of the documents in `tokens`, each starting at a `doc_token`; tokens before the first
// belong to none.
std::vector<std::int64_t> DocumentLengths(std::span<const std::uint16_t> tokens, int doc_token);
LengthSummary SummarizeLengths(std::vector<std::int64_t> lengths);

// Errors as LoadCorpus.
absl::StatusOr<CorpusStats> ComputeCorpusStats(const std::string& dir);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CORPUS_STATS_H_
