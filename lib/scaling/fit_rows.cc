#include "lib/scaling/fit_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr double kSameSize = 1e-9;
constexpr double kMaxEpochsTolerance = 1e-9;  // D is a whole number of steps; 4.0 exactly is fine

auto CanonicalKey(const FitRow& row) {
  return std::tie(row.n, row.d, row.u, row.loss, row.seed, row.group, row.run_key, row.flops);
}

std::string Position(std::size_t index, const FitRow& row) {
  return row.run_key.empty() ? fmt::format("row {}", index + 1) : RowName(row);
}

absl::Status CheckRow(std::size_t index, const FitRow& row) {
  const auto refuse = [&](std::string_view name, double value, std::string_view wanted) {
    return InvalidArgument(fmt::format(
        "fit: {}: {} is {}, but must be finite and {}; leave this run out and fit again",
        Position(index, row), name, value, wanted));
  };
  const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
  if (!positive(row.n)) return refuse("N", row.n, "above 0");
  if (!positive(row.d)) return refuse("D", row.d, "above 0");
  if (!positive(row.loss)) return refuse("loss", row.loss, "above 0");
  if (!(row.u >= 0) || !std::isfinite(row.u)) return refuse("U", row.u, "not negative");
  if (!(row.flops >= 0) || !std::isfinite(row.flops)) {
    return refuse("C", row.flops, "not negative");
  }
  return absl::OkStatus();
}

std::vector<double> LevelsOf(std::span<const FitRow> rows, double FitRow::*member,
                             double tolerance) {
  std::vector<double> values;
  for (const FitRow& row : rows) values.push_back(row.*member);
  std::ranges::sort(values);
  std::vector<double> levels;
  for (const double value : values) {
    if (levels.empty() || value > levels.back() * (1 + tolerance)) levels.push_back(value);
  }
  return levels;
}

bool OnLevel(double value, double level, double tolerance) {
  return value >= level && value <= level * (1 + tolerance);
}

// The rows on the level of `held` that has the most levels of `varied`; of equals the highest.
std::vector<FitRow> RichestSlice(const std::vector<FitRow>& rows, double FitRow::*held,
                                 double held_tolerance, double FitRow::*varied,
                                 double varied_tolerance) {
  std::vector<FitRow> best;
  std::size_t most = 0;
  for (const double level : LevelsOf(rows, held, held_tolerance)) {
    std::vector<FitRow> slice;
    for (const FitRow& row : rows) {
      if (OnLevel(row.*held, level, held_tolerance)) slice.push_back(row);
    }
    const std::size_t levels = LevelsOf(slice, varied, varied_tolerance).size();
    if (levels >= most) {
      most = levels;
      best = std::move(slice);
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<std::vector<FitRow>> CheckedRows(std::span<const FitRow> rows) {
  if (rows.empty()) {
    return InvalidArgument(
        "fit: no finished runs to fit; `etude sweep show SWEEP` says what is still running");
  }
  if (rows.size() > kMaxFitRows) {
    return InvalidArgument(
        fmt::format("fit: {} rows, at most {} fit at once; narrow them with --where", rows.size(),
                    kMaxFitRows));
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RETURN_IF_ERROR(CheckRow(i, rows[i]));
    if (!rows[i].run_key.empty() && !seen.insert(rows[i].run_key).second) {
      return InvalidArgument(
          fmt::format("fit: {} is there twice; a run counts once, so leave one out and fit again",
                      Position(i, rows[i])));
    }
  }
  std::vector<FitRow> sorted(rows.begin(), rows.end());
  std::ranges::sort(
      sorted, [](const FitRow& a, const FitRow& b) { return CanonicalKey(a) < CanonicalKey(b); });
  return sorted;
}

std::string RowName(const FitRow& row) {
  constexpr std::size_t kShort = 12;
  constexpr std::size_t kHashLength = 64;
  if (row.run_key.empty()) {
    return fmt::format("N = {}, D = {}, loss {:.4g}", CountText(row.n), CountText(row.d), row.loss);
  }
  const bool hash = row.run_key.size() == kHashLength;
  return hash ? fmt::format("run {}", row.run_key.substr(0, kShort)) : row.run_key;
}

std::string CountText(double value) {
  constexpr std::pair<double, const char*> kUnits[] = {
      {1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
  for (const auto& [unit, letter] : kUnits) {
    if (value >= unit && value < 1e15) return fmt::format("{:.4g}{}", value / unit, letter);
  }
  return fmt::format("{:.3g}", value);
}

std::vector<double> SizeLevels(std::span<const FitRow> rows) {
  return LevelsOf(rows, &FitRow::n, kSameSize);
}

std::vector<double> TokenLevels(std::span<const FitRow> rows) {
  return LevelsOf(rows, &FitRow::d, kSameLevel);
}

RowSelection SelectRows(Law law, std::vector<FitRow> rows) {
  if (law == Law::kChinchilla) return {std::move(rows), {}};
  const std::size_t all = rows.size();
  const bool by_size = law == Law::kPowerN;
  RowSelection selection;
  selection.rows = by_size ? RichestSlice(rows, &FitRow::d, kSameLevel, &FitRow::n, kSameSize)
                           : RichestSlice(rows, &FitRow::n, kSameSize, &FitRow::d, kSameLevel);
  if (selection.rows.size() < all) {
    selection.warnings.push_back(fmt::format(
        "{} describes one {}: fitted on the {} of {} rows at {} = {}; chinchilla uses them all",
        LawName(law), by_size ? "D" : "N", selection.rows.size(), all, by_size ? "D" : "N",
        CountText(by_size ? selection.rows.front().d : selection.rows.front().n)));
  }
  return selection;
}

std::vector<int> ClustersOf(std::span<const FitRow> rows) {
  std::map<std::string_view, int> known;
  std::vector<int> clusters;
  int next = 0;
  for (const FitRow& row : rows) {
    if (row.group.empty()) {
      clusters.push_back(next++);
      continue;
    }
    const auto [at, added] = known.try_emplace(row.group, next);
    if (added) ++next;
    clusters.push_back(at->second);
  }
  return clusters;
}

Repetition RepetitionIn(std::span<const FitRow> rows) {
  Repetition repetition;
  for (const FitRow& row : rows) {
    if (row.u <= 0) continue;
    const double epochs = row.d / row.u;
    repetition.most_epochs = std::max(repetition.most_epochs, epochs);
    if (epochs > kMaxEpochs * (1 + kMaxEpochsTolerance)) ++repetition.rows;
  }
  return repetition;
}

}  // namespace etude
