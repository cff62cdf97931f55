#include "lib/music/corpus_stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/status.h"
#include "lib/music/corpus_load.h"

namespace etude {
namespace {

std::int64_t NearestRank(const std::vector<std::int64_t>& ascending, double quantile) {
  const auto rank = static_cast<std::size_t>(std::ceil(quantile * ascending.size()));
  return ascending[std::max<std::size_t>(rank, 1) - 1];
}

double EntropyNats(const std::vector<std::int64_t>& counts) {
  const auto total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  double entropy = 0;
  for (const std::int64_t count : counts) {
    if (count > 0) entropy -= count / total * std::log(count / total);
  }
  return entropy;
}

std::vector<TokenCount> Frequencies(const std::vector<std::string>& texts,
                                    const std::vector<std::int64_t>& counts) {
  std::vector<TokenCount> frequencies;
  for (std::size_t id = 0; id < texts.size(); ++id) {
    frequencies.push_back({static_cast<int>(id), texts[id], counts[id]});
  }
  std::stable_sort(frequencies.begin(), frequencies.end(),
                   [](const TokenCount& a, const TokenCount& b) { return a.count > b.count; });
  return frequencies;
}

}  // namespace

std::vector<std::int64_t> DocumentLengths(std::span<const std::uint16_t> tokens, int doc_token) {
  std::vector<std::int64_t> lengths;
  for (const int token : tokens) {
    if (token == doc_token) {
      lengths.push_back(1);
    } else if (!lengths.empty()) {
      ++lengths.back();
    }
  }
  return lengths;
}

LengthSummary SummarizeLengths(std::vector<std::int64_t> lengths) {
  if (lengths.empty()) return {};
  std::sort(lengths.begin(), lengths.end());
  const std::int64_t total = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  return {.documents = static_cast<std::int64_t>(lengths.size()),
          .min = lengths.front(),
          .median = NearestRank(lengths, 0.5),
          .p95 = NearestRank(lengths, 0.95),
          .max = lengths.back(),
          .mean = static_cast<double>(total) / static_cast<double>(lengths.size())};
}

absl::StatusOr<CorpusStats> ComputeCorpusStats(const std::string& dir) {
  ASSIGN_OR_RETURN(const Corpus corpus, LoadCorpus(dir));
  CorpusStats stats;
  stats.id = corpus.id;
  ASSIGN_OR_RETURN(stats.manifest, ReadManifest(dir));
  ASSIGN_OR_RETURN(const std::unique_ptr<const Tokenizer> vocabulary, ReadVocabulary(dir));
  std::vector<std::int64_t> counts(vocabulary->tokens().size());
  for (const Split split : kSplits) {  // train first
    ASSIGN_OR_RETURN(const std::vector<std::uint16_t> tokens, ReadCorpusTokens(dir, split));
    SplitStats& of_split = stats.splits[static_cast<std::size_t>(split)];
    of_split.tokens = static_cast<std::int64_t>(tokens.size());
    for (const std::uint16_t token : tokens) ++counts[token];
    if (split == Split::kTrain) stats.unigram_entropy_nats = EntropyNats(counts);
    if (!stats.manifest.doc_token) continue;
    const std::vector<std::int64_t> lengths = DocumentLengths(tokens, *stats.manifest.doc_token);
    of_split.lengths = SummarizeLengths(lengths);
    stats.lengths.insert(stats.lengths.end(), lengths.begin(), lengths.end());
  }
  std::sort(stats.lengths.begin(), stats.lengths.end());
  stats.frequencies = Frequencies(vocabulary->tokens(), counts);
  return stats;
}

}  // namespace etude
