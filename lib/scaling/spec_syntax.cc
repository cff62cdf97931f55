#include "lib/scaling/spec_syntax.h"

#include <fmt/format.h>

#include <algorithm>

namespace etude {
namespace {

struct LineShape {
  int most_dots = 0;  // of one key outside quotes
  bool long_string = false;
};

// Reads one line as TOML does when no string spans lines: quotes hide, '#' ends.
LineShape ShapeOf(std::string_view line) {
  LineShape shape;
  int dots = 0;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      if (line.substr(i, 3) == std::string(3, c)) shape.long_string = true;
      quote = c;
    } else if (c == '#') {
      break;
    } else if (c == '.') {
      shape.most_dots = std::max(shape.most_dots, ++dots);
    } else if (c == '=' || c == ',' || c == '{') {
      dots = 0;
    }
  }
  return shape;
}

// A key of thousands of parts would nest tables as deep, which the TOML reader does not limit; with
// strings that span lines, lines could not be judged one by one.
bool HasTamePlainLines(std::string_view text, SpecErrors& errors) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const LineShape shape = ShapeOf(text.substr(0, end));
    if (shape.most_dots > kMaxKeyDots) {
      errors.Add({number, 1}, fmt::format("a key has more than {} dots", kMaxKeyDots));
      return false;
    }
    if (shape.long_string) {
      errors.Add({number, 1}, "strings in three quotes are not used in a spec; write \"...\"");
      return false;
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return true;
}

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '"' || c == '\'';
}

// The reader points at the value of a duplicate key; its name is what to look at.
SourcePosition KeyBefore(std::string_view line, SourcePosition value) {
  const auto back_while = [&](int column, auto belongs) {
    while (column > 1 && belongs(line[static_cast<std::size_t>(column) - 2])) --column;
    return column;
  };
  if (value.column - 1 > static_cast<int>(line.size())) return value;
  int column = back_while(value.column, [](char c) { return c == ' ' || c == '\t' || c == '='; });
  column = back_while(column, IsKeyCharacter);
  return {value.line, column};
}

// Turns line `number` of `text` to spaces; false if it is blank or a table's header, without which
// the keys below it would land in another table.
bool BlankLine(std::string& text, int number) {
  const std::string_view line = LineAt(text, number);
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos || line[first] == '[') return false;
  const std::size_t offset = static_cast<std::size_t>(line.data() - text.data());
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(offset), line.size(), ' ');
  return true;
}

std::string Sentence(std::string_view description) {
  constexpr std::string_view kLead = "Error while ";
  if (description.starts_with(kLead)) description.remove_prefix(kLead.size());
  return Printable(description, 300);
}

}  // namespace

std::optional<toml::table> ParseToml(std::string_view text, SpecErrors& errors) {
  if (text.size() > kMaxSpecBytes) {
    errors.Add({1, 1},
               fmt::format("the spec has {} bytes, more than {}", text.size(), kMaxSpecBytes));
    return std::nullopt;
  }
  if (!HasTamePlainLines(text, errors)) return std::nullopt;
  std::string remaining(text);
  bool only_duplicates = true;
  for (int round = 0; round < kMaxSpecErrors; ++round) {
    try {
      toml::table table = toml::parse(std::string_view(remaining));
      if (only_duplicates) return table;
      return std::nullopt;
    } catch (const toml::parse_error& error) {
      const toml::source_position begin = error.source().begin;
      SourcePosition at{static_cast<int>(begin.line), static_cast<int>(begin.column)};
      // The reader has no code for it but its words.
      const bool duplicate = error.description().find("cannot redefine") != std::string_view::npos;
      if (duplicate) at = KeyBefore(LineAt(text, at.line), at);
      only_duplicates = only_duplicates && duplicate;
      errors.Add(at,
                 (duplicate ? "duplicate key: " : "not TOML: ") + Sentence(error.description()));
      if (!BlankLine(remaining, at.line)) return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace etude
