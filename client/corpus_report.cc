#include "client/corpus_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "lib/music/canonical_score.h"

namespace etude {
namespace {

constexpr std::size_t kMaxListed = 12;  // keys and meters by name; the rest is counted together

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

// The most frequent first: "D: 812".
std::vector<std::string> Listed(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [name, count] : counts) order.emplace_back(-count, name);
  std::ranges::sort(order);
  std::vector<std::string> lines;
  std::int64_t others = 0;
  for (const auto& [negative, name] : order) {
    if (lines.size() < kMaxListed) {
      lines.push_back(fmt::format("{}: {}", name, -negative));
    } else {
      others -= negative;
    }
  }
  if (others > 0) lines.push_back(fmt::format("others: {}", others));
  return lines;
}

void AddTuneFacts(const TuneCounts& tunes, Report& report) {
  const LengthSummary notes = SummarizeLengths(tunes.notes);
  const LengthSummary bars = SummarizeLengths(tunes.bars);
  const std::vector<Field> facts = {
      {{"tunes", "tunes", Show::kCount}, tunes.tunes},
      {{"tunes_without_notes", "without notes", Show::kCount}, tunes.without_notes},
      {{"keys", "keys"}, Listed(tunes.keys)},
      {{"meters", "meters"}, Listed(tunes.meters)},
      {{"notes_mean", "notes a tune"}, notes.mean},
      {{"notes_median", "median", Show::kCount}, notes.median},
      {{"bars_mean", "bars a tune"}, bars.mean},
      {{"bars_median", "median", Show::kCount}, bars.median},
  };
  report.facts.insert(report.facts.end(), facts.begin(), facts.end());
}

// What older corpora and adopted files do not say is left out.
void AddMeasures(const CorpusManifest& manifest, Report& report) {
  const auto add = [&](const char* key, const char* title, const Cell& value, Show show) {
    report.facts.push_back({{key, title, show}, value});
  };
  if (const auto& made = manifest.augmentation) {
    add("derived_documents", "transposed copies", made->documents, Show::kCount);
    add("derived_tokens", "tokens of copies", made->tokens, Show::kCount);
    add("unique_train_tokens", "unique train tokens",
        manifest.split(Split::kTrain).tokens - made->tokens, Show::kCount);
    add("copies_skipped", "copies not written", made->skipped, Show::kCount);
  }
  if (const auto& leakage = manifest.leakage) {
    add("leakage_gram", "", std::int64_t{leakage->gram}, Show::kPlain);
    add("leakage_val", "val 16-grams in train", leakage->val, Show::kShare);
    add("leakage_test", "test 16-grams in train", leakage->test, Show::kShare);
  }
  if (const auto& trip = manifest.round_trip) {
    const Fidelity fidelity{trip->notes, trip->kept};
    add("fidelity", "round trip", fidelity.share(), Show::kShare);
    add("ranked", "ranked", trip->ranked, Show::kPlain);
  }
}

// Losses in nats per token times these are nats per note and per beat.
void AddPerNote(const SplitCounts& counts, const std::string& name, Report& report) {
  if (!counts.notes || !counts.beats) return;
  report.facts.push_back({{name + "_notes", name + " notes", Show::kCount}, *counts.notes});
  report.facts.push_back({{name + "_beats", name + " beats", Show::kCount}, *counts.beats});
  if (*counts.notes == 0) return;
  report.facts.push_back({{name + "_tokens_per_note", name + " tokens/note"},
                          static_cast<double>(counts.tokens) / static_cast<double>(*counts.notes)});
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
                       {"unknown_tokens", "unknown", Show::kCount},
                       {"notes", "notes", Show::kCount},
                       {"beats", "beats", Show::kCount},
                       {"header_tokens", "of headers", Show::kCount}},
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
                                 CountOrNothing(row.documents), row.unknown_tokens,
                                 CountOrNothing(row.notes), CountOrNothing(row.beats),
                                 CountOrNothing(row.header_tokens)});
  }
  AddMeasures(manifest, report);
  return report;
}

Report StatsReport(const CorpusStats& stats, const TuneCounts& tunes) {
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
  for (const Split split : kSplits) {
    AddSplitFacts(stats, split, report);
    AddPerNote(stats.manifest.split(split), std::string(SplitName(split)), report);
  }
  AddMeasures(stats.manifest, report);
  if (tunes.tunes > 0) AddTuneFacts(tunes, report);
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
