#include "client/corpus_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace etude {
namespace {

constexpr std::size_t kMaxColumns = 40;  // of named counts side by side
constexpr int kClasses = 36;             // of a histogram, about
constexpr double kShownShare = 0.99;     // of a histogram's values; the rest is told in a note
constexpr std::size_t kMaxCurvePoints = 400;

// 1, 2 or 5 times a power of ten, at least 1.
std::int64_t RoundWidth(double wanted) {
  const double unit = std::pow(10, std::floor(std::log10(std::max(wanted, 1.0))));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (times * unit >= wanted) return static_cast<std::int64_t>(times * unit);
  }
  return static_cast<std::int64_t>(10 * unit);
}

Panel NamedColumns(const std::string& title, const std::string& x_label, const std::string& y_label,
                   std::span<const NamedCount> counts) {
  Panel panel{.title = title, .x = {.label = x_label}, .y = {.label = y_label, .low = 0}};
  Plotted columns{.kind = Plotted::Kind::kColumns, .label = {}, .width = 0.8};
  for (const NamedCount& count : counts) {
    columns.points.push_back(
        {static_cast<double>(panel.x.categories.size()), static_cast<double>(count.count)});
    panel.x.categories.push_back(count.name);
  }
  panel.plotted = {std::move(columns)};
  return panel;
}

// Of ascending values, the share that is at most x.
Plotted CumulativeShare(std::span<const std::int64_t> ascending) {
  Plotted line;
  const std::size_t stride = std::max<std::size_t>(1, ascending.size() / kMaxCurvePoints);
  const auto total = static_cast<double>(ascending.size());
  for (std::size_t i = 0; i < ascending.size(); i += stride) {
    line.points.push_back({static_cast<double>(ascending[i]), static_cast<double>(i + 1) / total});
  }
  if (!ascending.empty()) line.points.push_back({static_cast<double>(ascending.back()), 1.0});
  return line;
}

// Spaces and line ends as one sign, as wide as a column.
std::string Sign(const std::string& text) {
  if (text == " ") return "\u2423";
  if (text == "\n") return "\u21B5";
  return text;
}

std::string Subject(const CorpusStats& stats) {
  return fmt::format("corpus {} ({})", stats.id.text().substr(0, 12), stats.manifest.tokenizer);
}

Panel RankPanel(const CorpusStats& stats) {
  Panel panel{.title = "counts by rank",
              .x = {.label = "rank", .scale = Scale::kLog},
              .y = {.label = "count", .scale = Scale::kLog}};
  Plotted line;
  for (const TokenCount& token : stats.frequencies) {
    line.points.push_back(
        {static_cast<double>(line.points.size() + 1), static_cast<double>(token.count)});
  }
  panel.plotted = {std::move(line)};
  panel.notes = {fmt::format("unigram entropy of the training split {:.3f} nats/token",
                             stats.unigram_entropy_nats)};
  return panel;
}

}  // namespace

Panel HistogramPanel(const std::string& title, const std::string& x_label,
                     const std::string& y_label, std::vector<std::int64_t> values) {
  Panel panel{.title = title, .x = {.label = x_label}, .y = {.label = y_label, .low = 0}};
  if (values.empty()) return panel;
  std::ranges::sort(values);
  const auto shown =
      static_cast<std::size_t>(std::ceil(kShownShare * static_cast<double>(values.size())));
  const std::int64_t low = std::min<std::int64_t>(values.front(), 0);
  const std::int64_t top = values[shown - 1];
  const std::int64_t width = RoundWidth(static_cast<double>(top - low + 1) / kClasses);
  std::vector<std::int64_t> classes(static_cast<std::size_t>((top - low) / width) + 1, 0);
  std::int64_t beyond = 0;
  for (const std::int64_t value : values) {
    const auto place = static_cast<std::size_t>((value - low) / width);
    if (place < classes.size()) {
      ++classes[place];
    } else {
      ++beyond;
    }
  }
  Plotted columns{
      .kind = Plotted::Kind::kColumns, .label = {}, .width = static_cast<double>(width)};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const double middle = static_cast<double>(low) + (static_cast<double>(i) + 0.5) * columns.width;
    columns.points.push_back({middle, static_cast<double>(classes[i])});
  }
  panel.plotted = {std::move(columns)};
  panel.notes = {fmt::format("classes of {}; median {}", width, values[(values.size() - 1) / 2])};
  if (beyond > 0) {
    panel.notes.push_back(
        fmt::format("not shown: {} above the last class, up to {}", beyond, values.back()));
  }
  return panel;
}

Figure LengthsFigure(const CorpusStats& stats) {
  Figure figure{.title = "Document lengths, " + Subject(stats), .panels = {}};
  figure.panels.push_back(
      HistogramPanel("how many", "length (tokens)", "documents", stats.lengths));
  Panel share{.title = "share no longer",
              .x = {.label = "length (tokens)", .scale = Scale::kLog},
              .y = {.label = "share of documents", .low = 0, .high = 1}};
  share.plotted = {CumulativeShare(stats.lengths)};
  if (stats.lengths.empty()) share.notes = {"the token files do not say where documents begin"};
  figure.panels.push_back(std::move(share));
  return figure;
}

Figure FrequenciesFigure(const CorpusStats& stats) {
  std::vector<NamedCount> counts;
  for (const TokenCount& token : stats.frequencies) {
    if (counts.size() == kMaxColumns || token.count == 0) break;
    counts.push_back({Sign(token.text), token.count});
  }
  Figure figure{.title = "Token frequencies, " + Subject(stats), .panels = {}};
  figure.panels.push_back(NamedColumns(
      fmt::format("the most frequent {} of {}", counts.size(), stats.frequencies.size()), "token",
      "count, all splits", counts));
  figure.panels.push_back(RankPanel(stats));
  return figure;
}

Figure SplitFigure(const CorpusStats& stats) {
  std::vector<NamedCount> tokens;
  std::vector<NamedCount> documents;
  std::int64_t total = 0;
  for (const Split split : kSplits) {
    const SplitStats& of_split = stats.splits[static_cast<std::size_t>(split)];
    tokens.push_back({std::string(SplitName(split)), of_split.tokens});
    if (of_split.lengths) documents.push_back({tokens.back().name, of_split.lengths->documents});
    total += of_split.tokens;
  }
  Figure figure{.title = "Split, " + Subject(stats), .panels = {}};
  figure.panels.push_back(NamedColumns("tokens", "split", "tokens", tokens));
  for (const NamedCount& split : tokens) {
    const double share = 100.0 * static_cast<double>(split.count) / static_cast<double>(total);
    figure.panels.back().notes.push_back(
        fmt::format("{}: {} tokens, {:.2f} %", split.name, split.count, share));
  }
  figure.panels.push_back(NamedColumns("documents", "split", "documents", documents));
  return figure;
}

Figure CountsFigure(const std::string& title, const std::string& x_label,
                    const std::string& y_label, std::vector<NamedCount> counts) {
  std::ranges::sort(counts, [](const NamedCount& a, const NamedCount& b) {
    return a.count != b.count ? a.count > b.count : a.name < b.name;
  });
  const std::span<const NamedCount> all(counts);
  const std::span<const NamedCount> shown = all.first(std::min(all.size(), kMaxColumns));
  std::int64_t rest = 0;
  for (const NamedCount& count : all.subspan(shown.size())) rest += count.count;
  Figure figure{.title = title, .panels = {NamedColumns({}, x_label, y_label, shown)}};
  if (rest > 0) {
    figure.panels[0].notes = {
        fmt::format("not shown: {} of {} others", rest, all.size() - shown.size())};
  }
  return figure;
}

}  // namespace etude
