// Rows of a fit from a CSV file (RFC 4180, with a header row), so that anybody's runs can be
// fitted.
#ifndef ETUDE_LIB_SCALING_FIT_CSV_H_
#define ETUDE_LIB_SCALING_FIT_CSV_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/fit.h"
#include "lib/scaling/where.h"

namespace etude {

inline constexpr std::size_t kMaxCsvBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxCsvColumns = 1000;

// The header's name of each input; empty: not given.
struct FitColumns {
  std::string n;
  std::string d;
  std::string loss;
  std::string u;
  std::string group;
  std::string flops;     // "c" in the map
  std::string run = "";  // names the row instead of "FILE:LINE"
};
// "n=COL,d=COL,loss=COL[,u=COL][,group=COL][,c=COL][,run=COL]". kInvalidArgument: unknown or
// repeated key, a key without a column, or n, d or loss missing.
absl::StatusOr<FitColumns> ParseFitColumns(std::string_view text);

// Each row's run_key is "FILE:LINE" unless a column names it. Lines end in LF or CRLF; blank ones
// are skipped, and so, unread, are rows that do not match `where`, whose columns are the header's.
// kInvalidArgument: too large, a column not in the header or there twice, a row of another width, a
// quote out of place, a value that is not a finite number above 0 (u and c may be 0), no rows, or
// rows that differ in a column called corpus, tokenizer, loss_unit, eval_set or context. The
// message names file, line and column.
absl::StatusOr<std::vector<FitRow>> ParseFitCsv(std::string_view text, const FitColumns& columns,
                                                const std::string& file_name,
                                                const Where& where = {});

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_FIT_CSV_H_
