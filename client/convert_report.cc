#include "client/convert_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "client/display_text.h"

namespace etude {
namespace {

Cell Mean(const std::vector<double>& values) {
  if (values.empty()) return {};
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// A tenth of the values is below.
Cell LowestTenth(std::vector<double> values) {
  if (values.empty()) return {};
  const auto tenth = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 10);
  std::nth_element(values.begin(), tenth, values.end());
  return *tenth;
}

}  // namespace

std::string ConvertProgressText(const CorpusConvertCounts& counts, double seconds) {
  const std::int64_t converted = counts.done - counts.reused;
  std::string text =
      fmt::format("{} of {} files", GroupedDigits(counts.done), GroupedDigits(counts.files));
  if (converted > 0 && seconds > 0) {
    const double rate = static_cast<double>(converted) / seconds;
    text += fmt::format(", {:.0f} a second, {} left", rate,
                        DurationText(static_cast<double>(counts.files - counts.done) / rate));
  }
  return text + fmt::format("; {} duplicates, {} failed",
                            GroupedDigits(counts.With(ConvertStatus::kDuplicate)),
                            GroupedDigits(counts.With(ConvertStatus::kFailed)));
}

Report ConvertedReport(const std::string& dir, const CorpusConvertCounts& counts, double seconds) {
  Report report{
      "outcomes",
      {},
      Table{{{"status", "status"}, {"reason", "reason"}, {"files", "files", Show::kCount}}, {}},
      "no files"};
  report.facts = {
      {{"directory", "directory"}, dir},
      {{"files", "files", Show::kCount}, counts.files},
      {{"converted", "converted", Show::kCount}, counts.With(ConvertStatus::kConverted)},
      {{"salvaged", "salvaged", Show::kCount}, counts.With(ConvertStatus::kSalvaged)},
      {{"duplicates", "duplicates", Show::kCount}, counts.With(ConvertStatus::kDuplicate)},
      {{"failed", "failed", Show::kCount}, counts.With(ConvertStatus::kFailed)},
      {{"reused", "done before", Show::kCount}, counts.reused},
      {{"performed", "without a beat", Show::kCount}, counts.performed},
      {{"notes_in", "notes in the files", Show::kCount}, counts.notes_in},
      {{"notes_out", "notes in the texts", Show::kCount}, counts.notes_out},
      {{"f1_mean", "note F1"}, Mean(counts.f1)},
      {{"f1_p10", "of the lowest tenth"}, LowestTenth(counts.f1)},
      {{"drum_f1_mean", "of drums"}, Mean(counts.drum_f1)},
      {{"duration_f1_mean", "with durations"}, Mean(counts.duration_f1)},
      {{"abc_bytes", "size of the texts", Show::kBytes}, counts.abc_bytes},
      {{"duration_s", "took", Show::kSeconds}, seconds},
      {{"files_per_s", "files a second"},
       seconds > 0 ? Cell(static_cast<double>(counts.done - counts.reused) / seconds) : Cell()}};
  for (const auto& [outcome, files] : counts.outcomes) {
    report.list->rows.push_back(
        {std::string(ConvertStatusName(outcome.first)), outcome.second, files});
  }
  return report;
}

}  // namespace etude
