// What a command prints on stdout, in four forms from one description of columns.
#ifndef ETUDE_CLIENT_OUTPUT_H_
#define ETUDE_CLIENT_OUTPUT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "client/environment.h"

namespace etude {

enum class OutputFormat { kTable, kJson, kNdjson, kCsv };
std::string_view OutputFormatName(OutputFormat format);  // "table", "json", "ndjson", "csv"
std::optional<OutputFormat> OutputFormatFromName(std::string_view name);

// monostate: nothing known (null, empty, "-"). Texts from elsewhere may hold anything: tables show
// control characters as '?', so that none reaches the terminal.
using Cell = std::variant<std::monostate, bool, std::int64_t, double, std::string,
                          std::vector<std::string>, std::vector<std::int64_t>>;
Cell CellOf(const std::optional<double>& value);

// How a table shows a cell; json, ndjson and csv always carry the whole value.
enum class Show {
  kPlain,       // text as it is; fractions with 4 digits
  kCount,       // 1,234,567
  kScientific,  // 1.23e+15
  kLoss,        // 4 decimals
  kSeconds,     // "3 min 10 s"
  kBytes,       // "1.5 MiB"
  kShare,       // of 1, as "12.5 %"
  kId,          // first 12 characters
};

struct Column {
  std::string key;    // of json and csv; a unit ends it: "eta_s"
  std::string title;  // of tables; empty: left out of tables
  Show show = Show::kPlain;
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // as many cells as columns
};

struct Field {
  Column column;
  Cell value;
};

// Single values, a list, or both.
struct Report {
  std::string name;           // of the list in json: "sweeps"
  std::vector<Field> facts;   // json: beside the list; ndjson and csv: only if there is no list
  std::optional<Table> list;  // an empty one is [] in json
  std::string nothing;        // what a table says for an empty list
};

struct TableStyle {
  bool color = false;
};

// The whole text, its last newline included. JSON carries "format_version":"1.0"; values JSON lacks
// (NaN, infinities) are null. CSV is RFC 4180 with lines ended by "\n"; doubles round-trip.
std::string Render(const Report& report, OutputFormat format, const TableStyle& style = {});

std::string CsvCell(const Cell& cell);
std::string ShownCell(const Cell& cell, Show show);

// What stdout and stderr are, and whether colour is wanted: a terminal, TERM not dumb, and NO_COLOR
// not set.
struct Terminal {
  bool stdout_is_tty = false;
  bool stderr_is_tty = false;
  bool stdout_color = false;
  int columns = 80;  // of stderr
};
Terminal DetectTerminal(const Environment& environment);

}  // namespace etude

#endif  // ETUDE_CLIENT_OUTPUT_H_
