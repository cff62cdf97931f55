#include "lib/scaling/spec_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/scaling/nearest.h"
#include "lib/scaling/quantity.h"

namespace etude {
namespace {

// Bounds the work on a hostile text; a person sees kMaxSpecErrors of them.
constexpr std::size_t kMaxCollected = 2000;
constexpr int kCaretWindow = 100;  // characters of a source line that are shown

// The length of the UTF-8 character at the start of `text`; 0 if it is malformed or a control.
std::size_t PrintableLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7F ? 1 : 0;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool control = lead == 0xC2 && byte(1) < 0xA0;
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool outside = (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF4 && byte(1) > 0x8F);
  return control || overlong || outside ? 0 : length;
}

// One string a character, the unprintable ones as '?'; a tab is a space.
std::vector<std::string> Characters(std::string_view text) {
  std::vector<std::string> characters;
  while (!text.empty()) {
    const std::size_t length = PrintableLength(text);
    if (length > 0) {
      characters.emplace_back(text.substr(0, length));
    } else {
      characters.emplace_back(text.front() == '\t' ? " " : "?");
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return characters;
}

std::string RangeText(double low, double high, bool open) {
  return open ? fmt::format("above {} and at most {}", NumberText(low), NumberText(high))
              : fmt::format("from {} to {}", NumberText(low), NumberText(high));
}

}  // namespace

SpecErrors::SpecErrors(std::string_view text, std::string file)
    : text_(text), file_(std::move(file)) {}

void SpecErrors::Add(SourcePosition at, std::string message) {
  if (errors_.size() >= kMaxCollected) return;
  SpecDiagnostic error;
  error.at = at;
  error.message = std::move(message);
  errors_.push_back(std::move(error));
}

std::vector<SpecDiagnostic> SpecErrors::Take() {
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const SpecDiagnostic& a, const SpecDiagnostic& b) {
                     return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
                   });
  if (errors_.size() > kMaxSpecErrors) errors_.resize(kMaxSpecErrors);
  for (SpecDiagnostic& error : errors_) {
    error = MakeDiagnostic(text_, file_, error.at, std::move(error.message));
  }
  return std::exchange(errors_, {});
}

std::string_view LineAt(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

SpecDiagnostic MakeDiagnostic(std::string_view text, std::string file, SourcePosition at,
                              std::string message) {
  SpecDiagnostic error;
  error.file = std::move(file);
  error.at = at;
  error.message = std::move(message);
  const std::vector<std::string> characters = Characters(LineAt(text, at.line));
  const int size = static_cast<int>(characters.size());
  const int caret = std::clamp(at.column - 1, 0, size);
  const int first = std::max(0, std::min(caret - kCaretWindow / 2, size - kCaretWindow));
  for (int i = first; i < std::min(size, first + kCaretWindow); ++i) {
    error.source_line += characters[i];
  }
  error.caret = caret - first;
  return error;
}

std::string Printable(std::string_view text, std::size_t max_bytes) {
  std::string printable;
  for (const std::string& character : Characters(text.substr(0, max_bytes))) {
    printable += character;
  }
  if (text.size() > max_bytes) printable += "...";
  return printable;
}

SourcePosition PositionOf(const toml::node& node) {
  const toml::source_position begin = node.source().begin;
  return {static_cast<int>(begin.line), static_cast<int>(begin.column)};
}

std::string KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

double NumberOf(const toml::node& node) {
  if (const auto whole = node.value_exact<std::int64_t>()) return static_cast<double>(*whole);
  return node.value_exact<double>().value_or(std::nan(""));
}

std::string NumberText(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::optional<double> ReadQuantity(const toml::node& node, const std::string& what,
                                   std::string_view unit, double low, double high,
                                   SpecErrors& errors) {
  std::optional<double> value;
  if (node.is_number()) {
    value = NumberOf(node);
  } else if (const auto text = node.value<std::string>()) {
    const std::optional<Quantity> quantity = ParseQuantity(*text);
    if (quantity && (quantity->unit.empty() || quantity->unit == unit)) value = quantity->value;
    if (!value) {
      errors.Add(PositionOf(node),
                 fmt::format("\"{}\" is no quantity for {}: write a number such as 300000, "
                             "\"300k\", \"2.7M\" or \"1e9\" (k M B T are powers of 1000{})",
                             Printable(*text), what,
                             unit.empty() ? "" : fmt::format("; the unit is {}", unit)));
      return std::nullopt;
    }
  } else {
    errors.Add(PositionOf(node), fmt::format("{} is {}, but must be a number or a string such as "
                                             "\"300k\"",
                                             what, KindOf(node)));
    return std::nullopt;
  }
  if (!std::isfinite(*value) || *value < low || *value > high) {
    errors.Add(PositionOf(node), fmt::format("{} is {}, but must be {}", what, NumberText(*value),
                                             RangeText(low, high, false)));
    return std::nullopt;
  }
  return value;
}

TableReader::TableReader(const toml::table* table, std::string where, SpecErrors& errors)
    : table_(table), where_(std::move(where)), errors_(errors) {}

const toml::node* TableReader::Find(const char* key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return table_ == nullptr ? nullptr : table_->get(key);
}

std::optional<std::int64_t> TableReader::Whole(const char* key, std::int64_t low,
                                               std::int64_t high) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_integer()) {
    WrongType(*node, key, "a whole number");
    return std::nullopt;
  }
  const std::int64_t value = *node->value<std::int64_t>();
  if (value < low || value > high) {
    Fail(*node, fmt::format("{} is {}, but must be from {} to {}", key, value, low, high));
    return std::nullopt;
  }
  return value;
}

std::optional<double> TableReader::Real(const char* key, double low, double high, bool open) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_number()) {
    WrongType(*node, key, "a number");
    return std::nullopt;
  }
  const double value = NumberOf(*node);
  if (!std::isfinite(value) || value < low || value > high || (open && value == low)) {
    Fail(*node, fmt::format("{} is {}, but must be {}", key, NumberText(value),
                            RangeText(low, high, open)));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> TableReader::Flag(const char* key) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_boolean()) {
    WrongType(*node, key, "true or false");
    return std::nullopt;
  }
  return node->value<bool>();
}

std::optional<std::string> TableReader::Text(const char* key) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) {
    WrongType(*node, key, "a string");
    return std::nullopt;
  }
  return node->value<std::string>();
}

const toml::table* TableReader::Table(const char* key) {
  const toml::node* node = Find(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) WrongType(*node, key, "a table");
  return node->as_table();
}

const toml::array* TableReader::List(const char* key) {
  const toml::node* node = Find(key);
  if (node == nullptr) return nullptr;
  const toml::array* list = node->as_array();
  if (list == nullptr) {
    WrongType(*node, key, "a list in [ ]");
    return nullptr;
  }
  if (list->empty() || list->size() > kMaxValues) {
    Fail(*node, list->empty()
                    ? fmt::format("{} is empty: a grid needs at least one value of each", key)
                    : fmt::format("{} has {} values, more than {}", key, list->size(), kMaxValues));
    return nullptr;
  }
  return list;
}

std::optional<std::size_t> TableReader::Choice(const char* key,
                                               const std::vector<std::string>& names) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  const std::string allowed = fmt::format("\"{}\"", fmt::join(names, "\", \""));
  const auto text = node->value_exact<std::string>();
  if (!text) {
    WrongType(*node, key, "one of " + allowed);
    return std::nullopt;
  }
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const std::optional<std::string> nearest = NearestName(*text, names);
  Fail(*node, fmt::format("{} is \"{}\", but must be one of {}{}", key, Printable(*text), allowed,
                          nearest ? fmt::format("; did you mean \"{}\"?", *nearest) : ""));
  return std::nullopt;
}

void TableReader::NotYet(const char* key, const std::string& instead) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  Fail(*node, fmt::format("{} is not yet in this version; {}", key, instead));
}

void TableReader::Fail(const toml::node& node, const std::string& message) {
  errors_.Add(PositionOf(node), message);
}

SourcePosition TableReader::at() const {
  return table_ == nullptr ? SourcePosition{} : PositionOf(*table_);
}

void TableReader::Finish() {
  if (table_ == nullptr) return;
  for (const auto& [key, value] : *table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    const std::optional<std::string> nearest = NearestName(key.str(), known_);
    const toml::source_position begin = key.source().begin;
    errors_.Add({static_cast<int>(begin.line), static_cast<int>(begin.column)},
                fmt::format("unknown key \"{}\" in {}; {}", Printable(key.str()), where_,
                            nearest ? fmt::format("did you mean \"{}\"?", *nearest)
                                    : fmt::format("it may have: {}", fmt::join(known_, ", "))));
  }
}

void TableReader::WrongType(const toml::node& node, const char* key, const std::string& wanted) {
  Fail(node, fmt::format("{} is {}, but must be {}", key, KindOf(node), wanted));
}

}  // namespace etude
