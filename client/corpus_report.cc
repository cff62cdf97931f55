#include "client/corpus_report.h"

#include <optional>

namespace etude {
namespace {

Cell CountOrNothing(const std::optional<std::int64_t>& count) {
  return count ? Cell(*count) : Cell();
}

// Spaces and line ends would not be seen in a table.
std::string VisibleToken(const std::string& text) {
  if (text == " ") return "<space>";
  if (text == "\n") return "<newline>";
  return text;
}

void AddSplitFacts(const CorpusStats& stats, Split split, Report& report) {
  const SplitStats& counts = stats.splits[static_cast<std::size_t>(split)];
  const std::string name(SplitName(split));
  const auto add = [&](const char* key, const char* title, const Cell& value, Show show) {
    report.facts.push_back({{name + "_" + key, name + " " + title, show}, value});
  };
  add("tokens", "tokens", counts.tokens, Show::kCount);
  if (!counts.lengths) return;
  const LengthSummary& lengths = *counts.lengths;
  add("documents", "documents", lengths.documents, Show::kCount);
  add("length_min", "shortest", lengths.min, Show::kCount);
  add("length_median", "median", lengths.median, Show::kCount);
  add("length_mean", "mean length", lengths.mean, Show::kPlain);
  add("length_p95", "95 % below", lengths.p95, Show::kCount);
  add("length_max", "longest", lengths.max, Show::kCount);
}

}  // namespace

Report FetchedReport(const std::string& source, const std::string& dir,
                     const FetchReport& fetched) {
  Report report;
  report.facts = {{{"source", "source"}, source},
                  {{"directory", "directory"}, dir},
                  {{"already_complete", "was there"}, fetched.already_complete},
                  {{"files", "files", Show::kCount}, fetched.files},
                  {{"bytes", "size", Show::kBytes}, fetched.bytes},
                  {{"licence_notes", "licence"}, fetched.licence_notes}};
  return report;
}

Report BuiltReport(const std::string& dir, const CorpusReport& built) {
  const CorpusManifest& manifest = built.manifest;
  const BuildCounts& counts = manifest.counts;
  Report report{"splits",
                {},
                Table{{{"split", "split"},
                       {"tokens", "tokens", Show::kCount},
                       {"documents", "tunes", Show::kCount},
                       {"unknown_tokens", "unknown", Show::kCount}},
                      {}},
                "no splits"};
  report.facts = {{{"corpus", "corpus", Show::kId}, built.id.text()},
                  {{"directory", "directory"}, dir},
                  {{"unchanged", ""}, built.unchanged},
                  {{"tokenizer", "tokenizer"}, manifest.tokenizer},
                  {{"vocab", "vocabulary"}, static_cast<std::int64_t>(manifest.vocab)},
                  {{"files", "files", Show::kCount}, counts.files},
                  {{"tunes_found", "tunes found", Show::kCount}, counts.tunes_found},
                  {{"dropped_no_key", "without key", Show::kCount}, counts.dropped_no_key},
                  {{"dropped_no_music", "without music", Show::kCount}, counts.dropped_no_music},
                  {{"dropped_too_long", "too long", Show::kCount}, counts.dropped_too_long},
                  {{"duplicates_removed", "duplicates", Show::kCount}, counts.duplicates_removed},
                  {{"over_max_tokens", "over the limit", Show::kCount}, counts.over_max_tokens},
                  {{"tunes_kept", "tunes kept", Show::kCount}, counts.tunes_kept},
                  {{"version_groups", "version groups", Show::kCount}, counts.version_groups},
                  {{"chars_before", "characters before", Show::kCount}, counts.chars_before},
                  {{"chars_after", "and after", Show::kCount}, counts.chars_after},
                  {{"split_rule", "split"}, manifest.split_rule}};
  for (const Split split : kSplits) {
    const SplitCounts& row = manifest.split(split);
    report.list->rows.push_back({std::string(SplitName(split)), row.tokens,
                                 CountOrNothing(row.documents), row.unknown_tokens});
  }
  return report;
}

Report StatsReport(const CorpusStats& stats) {
  Report report{"tokens",
                {},
                Table{{{"id", "id"},
                       {"text", ""},
                       {"shown", "token"},
                       {"count", "count", Show::kCount},
                       {"share", "share", Show::kShare}},
                      {}},
                "no tokens"};
  report.facts = {
      {{"corpus", "corpus", Show::kId}, stats.id.text()},
      {{"tokenizer", "tokenizer"}, stats.manifest.tokenizer},
      {{"vocab", "vocabulary"}, static_cast<std::int64_t>(stats.manifest.vocab)},
      {{"chars_per_token", "characters/token"},
       stats.manifest.chars_per_token > 0 ? Cell(stats.manifest.chars_per_token) : Cell()},
      {{"unigram_entropy_nats", "unigram entropy (nats)", Show::kLoss},
       stats.unigram_entropy_nats}};
  for (const Split split : kSplits) AddSplitFacts(stats, split, report);
  double total = 0;
  for (const TokenCount& token : stats.frequencies) total += static_cast<double>(token.count);
  for (const TokenCount& token : stats.frequencies) {
    report.list->rows.push_back({static_cast<std::int64_t>(token.id), token.text,
                                 VisibleToken(token.text), token.count,
                                 total > 0 ? static_cast<double>(token.count) / total : 0.0});
  }
  return report;
}

}  // namespace etude
