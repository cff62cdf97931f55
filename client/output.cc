#include "client/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "client/display_text.h"
#include "lib/scaling/names.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr NameTable<OutputFormat, 4> kFormats = {{OutputFormat::kTable, "table"},
                                                 {OutputFormat::kJson, "json"},
                                                 {OutputFormat::kNdjson, "ndjson"},
                                                 {OutputFormat::kCsv, "csv"}};

constexpr int kMaxPadding = 200;  // a longer cell moves its own row only

Json CellJson(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> Json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else {
          return value;
        }
      },
      cell);
}

Json RowJson(const Table& table, const std::vector<Cell>& row) {
  Json object = Json::object();
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    object[table.columns[i].key] = CellJson(row[i]);
  }
  return object;
}

Json FactsJson(const Report& report) {
  Json object = {{"format_version", "1.0"}};
  for (const Field& fact : report.facts) object[fact.column.key] = CellJson(fact.value);
  return object;
}

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string RenderJson(const Report& report) {
  Json json = FactsJson(report);
  if (report.list) {
    Json rows = Json::array();
    for (const auto& row : report.list->rows) rows.push_back(RowJson(*report.list, row));
    json[report.name] = std::move(rows);
  }
  return Dump(json, 2);
}

std::string RenderNdjson(const Report& report) {
  if (!report.list) return Dump(FactsJson(report), -1);
  std::string text;
  for (const auto& row : report.list->rows) {
    Json json = {{"format_version", "1.0"}};
    json.update(RowJson(*report.list, row));
    text += Dump(json, -1);
  }
  return text;
}

std::string CsvLine(const std::vector<Cell>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) line += (i == 0 ? "" : ",") + CsvCell(cells[i]);
  return line + "\n";
}

std::string RenderCsv(const Report& report) {
  std::vector<Cell> header;
  if (!report.list) {
    std::vector<Cell> row;
    for (const Field& fact : report.facts) {
      header.emplace_back(fact.column.key);
      row.push_back(fact.value);
    }
    return CsvLine(header) + CsvLine(row);
  }
  for (const Column& column : report.list->columns) header.emplace_back(column.key);
  std::string text = CsvLine(header);
  for (const auto& row : report.list->rows) text += CsvLine(row);
  return text;
}

bool IsNumber(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<double>(cell);
}

std::string Colored(const std::string& text, const char* code) {
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

// The words of states, in the colours people expect.
std::string StateColored(const std::string& shown) {
  if (shown == "failed" || shown == "quarantined" || shown == "FAIL") return Colored(shown, "31");
  if (shown == "succeeded" || shown == "finished" || shown == "online" || shown == "ok")
    return Colored(shown, "32");
  if (shown == "running" || shown == "active" || shown == "warn") return Colored(shown, "33");
  return shown;
}

std::string Padded(const std::string& shown, int width, bool right, const std::string& painted) {
  const std::string pad(
      static_cast<std::size_t>(std::clamp(width - DisplayWidth(shown), 0, kMaxPadding)), ' ');
  return right ? pad + painted : painted + pad;
}

std::string TrimmedRight(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

struct TextColumn {
  std::string title;
  std::vector<std::string> cells;
  bool right = false;
  int width = 0;
};

std::vector<TextColumn> TextColumns(const Table& table) {
  std::vector<TextColumn> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    if (column.title.empty()) continue;
    TextColumn text{column.title, {}, false, DisplayWidth(column.title)};
    for (const auto& row : table.rows) {
      text.cells.push_back(ShownCell(row[i], column.show));
      text.right = text.right || IsNumber(row[i]);
      text.width = std::max(text.width, std::min(DisplayWidth(text.cells.back()), kMaxPadding));
    }
    columns.push_back(std::move(text));
  }
  return columns;
}

std::string RenderList(const Table& table, const TableStyle& style) {
  const std::vector<TextColumn> columns = TextColumns(table);
  std::string line;
  for (const TextColumn& column : columns) {
    line +=
        (line.empty() ? "" : "  ") + Padded(column.title, column.width, column.right, column.title);
  }
  line = TrimmedRight(line);
  std::string text = (style.color ? Colored(line, "1") : line) + "\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    line.clear();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string& shown = columns[i].cells[row];
      const std::string painted = style.color ? StateColored(shown) : shown;
      line += (i == 0 ? "" : "  ") + Padded(shown, columns[i].width, columns[i].right, painted);
    }
    text += TrimmedRight(line) + "\n";
  }
  return text;
}

std::string RenderTable(const Report& report, const TableStyle& style) {
  int width = 0;
  for (const Field& fact : report.facts) width = std::max(width, DisplayWidth(fact.column.title));
  std::string text;
  for (const Field& fact : report.facts) {
    if (fact.column.title.empty()) continue;
    const std::string title = Padded(fact.column.title, width, false, fact.column.title);
    const std::string shown = ShownCell(fact.value, fact.column.show);
    text += title + "  " + (style.color ? StateColored(shown) : shown) + "\n";
  }
  if (!report.list) return text;
  if (!text.empty()) text += "\n";
  if (report.list->rows.empty()) return text + report.nothing + "\n";
  return text + RenderList(*report.list, style);
}

std::string ShownNumber(double value, Show show) {
  if (std::isnan(value)) return "-";
  switch (show) {
    case Show::kCount:
      return GroupedDigits(std::llround(value));
    case Show::kScientific:
      return fmt::format("{:.2e}", value);
    case Show::kLoss:
      return fmt::format("{:.4f}", value);
    case Show::kSeconds:
      return DurationText(value);
    case Show::kBytes:
      return BytesText(value);
    case Show::kShare:
      return fmt::format("{:.1f} %", 100 * value);
    default:
      return fmt::format("{:.4g}", value);
  }
}

}  // namespace

std::string_view OutputFormatName(OutputFormat format) { return NameIn(kFormats, format); }
std::optional<OutputFormat> OutputFormatFromName(std::string_view name) {
  return ValueIn(kFormats, name);
}

Cell CellOf(const std::optional<double>& value) {
  return value && !std::isnan(*value) ? Cell(*value) : Cell();
}

std::string Render(const Report& report, OutputFormat format, const TableStyle& style) {
  switch (format) {
    case OutputFormat::kJson:
      return RenderJson(report);
    case OutputFormat::kNdjson:
      return RenderNdjson(report);
    case OutputFormat::kCsv:
      return RenderCsv(report);
    case OutputFormat::kTable:
      return RenderTable(report, style);
  }
  return "";
}

std::string ShownCell(const Cell& cell, Show show) {
  if (const auto* flag = std::get_if<bool>(&cell)) return *flag ? "yes" : "no";
  if (const auto* number = std::get_if<double>(&cell)) return ShownNumber(*number, show);
  if (const auto* whole = std::get_if<std::int64_t>(&cell)) {
    return show == Show::kPlain ? std::to_string(*whole)
                                : ShownNumber(static_cast<double>(*whole), show);
  }
  if (const auto* text = std::get_if<std::string>(&cell)) {
    return Printable(show == Show::kId ? text->substr(0, 12) : *text);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&cell)) {
    return texts->empty() ? "-" : Printable(fmt::format("{}", fmt::join(*texts, ", ")));
  }
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&cell)) {
    return numbers->empty() ? "-" : fmt::format("{}", fmt::join(*numbers, " "));
  }
  return "-";
}

std::string CsvCell(const Cell& cell) {
  if (const auto* flag = std::get_if<bool>(&cell)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&cell)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&cell)) return fmt::format("{}", *number);
  std::string text;
  if (const auto* plain = std::get_if<std::string>(&cell)) text = *plain;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&cell)) {
    text = fmt::format("{}", fmt::join(*texts, "; "));
  }
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&cell)) {
    text = fmt::format("{}", fmt::join(*numbers, " "));
  }
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

Terminal DetectTerminal(const Environment& environment) {
  Terminal terminal;
  terminal.stdout_is_tty = isatty(STDOUT_FILENO) != 0;
  terminal.stderr_is_tty = isatty(STDERR_FILENO) != 0;
  const bool dumb = environment("TERM").value_or("dumb") == "dumb";
  terminal.stdout_color = terminal.stdout_is_tty && !dumb && !environment("NO_COLOR");
  terminal.stderr_is_tty = terminal.stderr_is_tty && !dumb;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.columns = size.ws_col;
  }
  return terminal;
}

}  // namespace etude
