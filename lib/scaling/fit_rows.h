// The rows of a fit: checked, put in canonical order, cut to what the law describes. Only for the
// sources and tests of this room.
#ifndef ETUDE_LIB_SCALING_FIT_ROWS_H_
#define ETUDE_LIB_SCALING_FIT_ROWS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/fit.h"

namespace etude {

// kInvalidArgument as FitLaw says.
absl::StatusOr<std::vector<FitRow>> CheckedRows(std::span<const FitRow> rows);

// How a message names a row: "run 3f2a…", "table.csv:4" or its N and D.
std::string RowName(const FitRow& row);
// "801.7k", "64M", "1.33e+14": three to four digits, for messages.
std::string CountText(double value);

// Ascending; values within the relative tolerance of the first of a level belong to it.
std::vector<double> SizeLevels(std::span<const FitRow> rows);
std::vector<double> TokenLevels(std::span<const FitRow> rows);

struct RowSelection {
  std::vector<FitRow> rows;
  std::vector<std::string> warnings;  // what was left out
};
// For power-n the rows on one D, for power-d those on one N.
RowSelection SelectRows(Law law, std::vector<FitRow> rows);

// The cluster of each row, counted from 0: rows of a group together, those without one alone.
std::vector<int> ClustersOf(std::span<const FitRow> rows);

// Rows whose D/U is above kMaxEpochs, and the largest D/U of all.
struct Repetition {
  std::size_t rows = 0;
  double most_epochs = 0;
};
Repetition RepetitionIn(std::span<const FitRow> rows);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_ROWS_H_
