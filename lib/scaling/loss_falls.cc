#include "lib/scaling/loss_falls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "lib/scaling/fit_rows.h"

namespace etude {
namespace {

// The highest of the ascending `levels` that is not above `value`.
double LevelOf(double value, std::span<const double> levels) {
  return *std::prev(std::ranges::upper_bound(levels, value));
}

using SeedMeans = std::map<double, double>;  // from the level that varies to the mean loss

// For each level of the held input, what the loss does along the other.
std::map<double, SeedMeans> SeedMeansOf(std::span<const FitRow> rows, bool along_n) {
  const std::vector<double> sizes = SizeLevels(rows);
  const std::vector<double> tokens = TokenLevels(rows);
  std::map<std::pair<double, double>, std::pair<double, int>> sums;
  for (const FitRow& row : rows) {
    const double n = LevelOf(row.n, sizes);
    const double d = LevelOf(row.d, tokens);
    auto& [sum, count] = sums[along_n ? std::pair(d, n) : std::pair(n, d)];
    sum += row.loss;
    ++count;
  }
  std::map<double, SeedMeans> means;
  for (const auto& [cell, sum] : sums) {
    means[cell.first][cell.second] = sum.first / sum.second;
  }
  return means;
}

void CheckAlong(std::span<const FitRow> rows, bool along_n, LossFalls& falls) {
  for (const auto& [held, means] : SeedMeansOf(rows, along_n)) {
    for (auto at = means.begin(); std::next(at) != means.end(); ++at) {
      const auto next = std::next(at);
      ++falls.pairs;
      if (next->second < at->second) continue;
      falls.rises.push_back({along_n, held, at->first, next->first, at->second, next->second});
    }
  }
}

}  // namespace

std::string LossRise::Text() const {
  return fmt::format("at {} = {} from {} = {} to {}: {:.4f} to {:.4f} nats/token",
                     along_n ? "D" : "N", CountText(held), along_n ? "N" : "D", CountText(from),
                     CountText(to), loss_from, loss_to);
}

LossFalls CheckLossFalls(std::span<const FitRow> rows) {
  LossFalls falls;
  CheckAlong(rows, /*along_n=*/true, falls);
  CheckAlong(rows, /*along_n=*/false, falls);
  return falls;
}

}  // namespace etude
