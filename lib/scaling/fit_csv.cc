#include "lib/scaling/fit_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::string_view kColumnsExample =
    "--columns n=COL,d=COL,loss=COL[,u=COL][,group=COL][,c=COL][,run=COL]";
constexpr std::size_t kMostQuoted = 40;  // bytes of a bad value that a message repeats

std::string Quoted(std::string_view text) {
  std::string shown(text.substr(0, kMostQuoted));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = '?';
  }
  return "\"" + shown + (text.size() > kMostQuoted ? "...\"" : "\"");
}

struct Record {
  int line = 1;  // where it starts
  std::vector<std::string> fields;
};

// Reads one record after another. A field in quotes may hold commas, line ends and doubled quotes.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& file_name)
      : text_(text), file_name_(file_name) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  // The next record that is not blank; nullopt at the end.
  absl::StatusOr<std::optional<Record>> Next() {
    while (at_ < text_.size()) {
      Record record;
      record.line = line_;
      bool more = true;
      while (more) {
        std::string field;
        ASSIGN_OR_RETURN(more, ReadField(record, field));
        record.fields.push_back(std::move(field));
        if (record.fields.size() > kMaxCsvColumns) {
          return Refuse(record.line, fmt::format("more than {} columns", kMaxCsvColumns));
        }
      }
      if (record.fields.size() > 1 || !record.fields.front().empty()) {
        return std::optional<Record>(std::move(record));
      }
    }
    return std::optional<Record>();
  }

 private:
  absl::Status Refuse(int line, const std::string& what) const {
    return InvalidArgument(
        fmt::format("{}:{}: {}; mend the file and fit again", file_name_, line, what));
  }

  // Reads up to the comma or line end and steps over it; true after a comma.
  absl::StatusOr<bool> ReadField(const Record& record, std::string& field) {
    const std::size_t column = record.fields.size() + 1;
    if (at_ < text_.size() && text_[at_] == '"') {
      RETURN_IF_ERROR(ReadQuoted(record.line, column, field));
    } else {
      while (at_ < text_.size() && text_[at_] != ',' && !AtLineEnd()) {
        if (text_[at_] == '"') {
          return Refuse(record.line, fmt::format("column {}: a quote inside a bare value", column));
        }
        field += text_[at_++];
      }
    }
    if (at_ == text_.size()) return false;
    if (text_[at_] == ',') {
      ++at_;
      return true;
    }
    if (!AtLineEnd()) {
      return Refuse(record.line, fmt::format("column {}: text after the closing quote", column));
    }
    at_ += text_[at_] == '\r' ? 2 : 1;
    ++line_;
    return false;
  }

  absl::Status ReadQuoted(int line, std::size_t column, std::string& field) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        const bool doubled = at_ + 1 < text_.size() && text_[at_ + 1] == '"';
        if (!doubled) {
          ++at_;
          return absl::OkStatus();
        }
        ++at_;
      }
      field += text_[at_];
    }
    return Refuse(line, fmt::format("column {}: a quote that never closes", column));
  }

  bool AtLineEnd() const { return text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n"); }

  std::string_view text_;
  const std::string& file_name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

// Where each input stands in a record.
struct ColumnIndex {
  std::size_t n = 0;
  std::size_t d = 0;
  std::size_t loss = 0;
  std::optional<std::size_t> u;
  std::optional<std::size_t> group;
  std::optional<std::size_t> flops;
  std::optional<std::size_t> run;
};

absl::StatusOr<std::size_t> FindColumn(const Record& header, const std::string& name,
                                       const std::string& file_name) {
  const auto at = std::ranges::find(header.fields, name);
  if (at == header.fields.end()) {
    std::string known;
    for (const std::string& field : header.fields) {
      known += (known.empty() ? "" : ", ") + Quoted(field);
    }
    return InvalidArgument(
        fmt::format("{}:{}: no column {}; the header has {}; name one of them, as in {}", file_name,
                    header.line, Quoted(name), known, kColumnsExample));
  }
  if (std::find(at + 1, header.fields.end(), name) != header.fields.end()) {
    return InvalidArgument(fmt::format("{}:{}: two columns are called {}; rename one and fit again",
                                       file_name, header.line, Quoted(name)));
  }
  return static_cast<std::size_t>(at - header.fields.begin());
}

absl::StatusOr<std::optional<std::size_t>> FindOptional(const Record& header,
                                                        const std::string& name,
                                                        const std::string& file_name) {
  if (name.empty()) return std::optional<std::size_t>();
  ASSIGN_OR_RETURN(const std::size_t at, FindColumn(header, name, file_name));
  return std::optional<std::size_t>(at);
}

absl::StatusOr<ColumnIndex> FindColumns(const Record& header, const FitColumns& columns,
                                        const std::string& file_name) {
  ColumnIndex index;
  ASSIGN_OR_RETURN(index.n, FindColumn(header, columns.n, file_name));
  ASSIGN_OR_RETURN(index.d, FindColumn(header, columns.d, file_name));
  ASSIGN_OR_RETURN(index.loss, FindColumn(header, columns.loss, file_name));
  ASSIGN_OR_RETURN(index.u, FindOptional(header, columns.u, file_name));
  ASSIGN_OR_RETURN(index.group, FindOptional(header, columns.group, file_name));
  ASSIGN_OR_RETURN(index.flops, FindOptional(header, columns.flops, file_name));
  ASSIGN_OR_RETURN(index.run, FindOptional(header, columns.run, file_name));
  return index;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

absl::StatusOr<double> NumberAt(const Record& record, std::size_t column, bool zero_is_fine,
                                const Record& header, const std::string& file_name) {
  const std::string_view text = Trimmed(record.fields[column]);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (number && std::isfinite(value) && (value > 0 || (zero_is_fine && value == 0))) return value;
  return InvalidArgument(
      fmt::format("{}:{}: column {}: {} is not a finite number {}; mend the row, or leave it out "
                  "with --where, and fit "
                  "again",
                  file_name, record.line, Quoted(header.fields[column]), Quoted(text),
                  zero_is_fine ? "from 0 up" : "above 0"));
}

absl::Status CheckWidth(const Record& record, const Record& header, const std::string& file_name) {
  if (record.fields.size() != header.fields.size()) {
    return InvalidArgument(
        fmt::format("{}:{}: {} columns where the header has {}; mend the row and fit again",
                    file_name, record.line, record.fields.size(), header.fields.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> IsWanted(const Record& record, const Record& header, const Where& where) {
  return Matches(where, [&](std::string_view column) -> std::optional<std::string> {
    const auto at = std::ranges::find(header.fields, column);
    if (at == header.fields.end()) return std::nullopt;
    return record.fields[static_cast<std::size_t>(at - header.fields.begin())];
  });
}

// Columns, by name, in which all rows of one fit must agree: losses per token of two corpora,
// tokenizers or evaluations have no common law.
constexpr std::array<std::string_view, 5> kNeverMixed = {"corpus", "tokenizer", "loss_unit",
                                                         "eval_set", "context"};

// Holds what the first row said of each of them.
class SameThroughout {
 public:
  explicit SameThroughout(const Record& header) : header_(header) {
    for (const std::string_view name : kNeverMixed) {
      const auto at = std::ranges::find(header.fields, name);
      if (at != header.fields.end()) {
        columns_.push_back(static_cast<std::size_t>(at - header.fields.begin()));
      }
    }
  }

  absl::Status Check(const Record& record, const std::string& file_name) {
    if (!first_) first_ = record;
    for (const std::size_t column : columns_) {
      const std::string& name = header_.fields[column];
      const std::string& value = record.fields[column];
      if (value == first_->fields[column]) continue;
      return InvalidArgument(fmt::format(
          "{}:{}: {} {}, but {} in line {}: a fit never mixes them, since their losses have no "
          "common law; fit each with --where \"{}={}\"",
          file_name, record.line, name, Quoted(value), Quoted(first_->fields[column]), first_->line,
          name, value));
    }
    return absl::OkStatus();
  }

 private:
  const Record& header_;
  std::vector<std::size_t> columns_;
  std::optional<Record> first_;
};

absl::StatusOr<FitRow> RowFrom(const Record& record, const ColumnIndex& index, const Record& header,
                               const std::string& file_name) {
  FitRow row;
  ASSIGN_OR_RETURN(row.n, NumberAt(record, index.n, false, header, file_name));
  ASSIGN_OR_RETURN(row.d, NumberAt(record, index.d, false, header, file_name));
  ASSIGN_OR_RETURN(row.loss, NumberAt(record, index.loss, false, header, file_name));
  if (index.u) {
    ASSIGN_OR_RETURN(row.u, NumberAt(record, *index.u, true, header, file_name));
  }
  if (index.flops) {
    ASSIGN_OR_RETURN(row.flops, NumberAt(record, *index.flops, true, header, file_name));
  }
  if (index.group) row.group = record.fields[*index.group];
  row.run_key =
      index.run ? record.fields[*index.run] : fmt::format("{}:{}", file_name, record.line);
  return row;
}

}  // namespace

absl::StatusOr<FitColumns> ParseFitColumns(std::string_view text) {
  FitColumns columns;
  const std::pair<std::string_view, std::string*> known[] = {
      {"n", &columns.n},         {"d", &columns.d},     {"loss", &columns.loss}, {"u", &columns.u},
      {"group", &columns.group}, {"c", &columns.flops}, {"run", &columns.run}};
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = entry.find('=');
    const auto at = std::ranges::find(known, entry.substr(0, equals),
                                      [](const auto& pair) { return pair.first; });
    if (equals == std::string_view::npos || equals + 1 == entry.size() || at == std::end(known)) {
      return InvalidArgument(
          fmt::format("--columns: {} is not KEY=COL; give {}", Quoted(entry), kColumnsExample));
    }
    if (!at->second->empty()) {
      return InvalidArgument(fmt::format("--columns: {} is given twice; give it once", at->first));
    }
    *at->second = std::string(entry.substr(equals + 1));
  }
  if (columns.n.empty() || columns.d.empty() || columns.loss.empty()) {
    return InvalidArgument(
        fmt::format("--columns: n, d and loss are needed; give {}", kColumnsExample));
  }
  return columns;
}

absl::StatusOr<std::vector<FitRow>> ParseFitCsv(std::string_view text, const FitColumns& columns,
                                                const std::string& file_name, const Where& where) {
  if (text.size() > kMaxCsvBytes) {
    return InvalidArgument(
        fmt::format("{}: {} bytes, at most {} are read; keep the columns and rows "
                    "that the fit needs",
                    file_name, text.size(), kMaxCsvBytes));
  }
  CsvReader reader(text, file_name);
  ASSIGN_OR_RETURN(const std::optional<Record> header, reader.Next());
  if (!header) {
    return InvalidArgument(
        fmt::format("{}: empty; its first line must name the columns", file_name));
  }
  ASSIGN_OR_RETURN(const ColumnIndex index, FindColumns(*header, columns, file_name));
  for (const WhereTerm& term : where) {
    RETURN_IF_ERROR(FindColumn(*header, term.column, file_name).status());
  }
  SameThroughout same(*header);
  std::vector<FitRow> rows;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<Record> record, reader.Next());
    if (!record) break;
    if (rows.size() == kMaxFitRows) {
      return InvalidArgument(fmt::format("{}:{}: more than {} rows; split the file and fit again",
                                         file_name, record->line, kMaxFitRows));
    }
    RETURN_IF_ERROR(CheckWidth(*record, *header, file_name));
    ASSIGN_OR_RETURN(const bool wanted, IsWanted(*record, *header, where));
    if (!wanted) continue;
    RETURN_IF_ERROR(same.Check(*record, file_name));
    ASSIGN_OR_RETURN(FitRow row, RowFrom(*record, index, *header, file_name));
    rows.push_back(std::move(row));
  }
  if (rows.empty()) {
    return InvalidArgument(
        where.empty() ? fmt::format("{}: a header but no rows; add the runs to fit", file_name)
                      : fmt::format("{}: no row matches --where; widen it", file_name));
  }
  return rows;
}

}  // namespace etude
