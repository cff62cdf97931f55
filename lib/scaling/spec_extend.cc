#include "lib/scaling/spec_extend.h"

#include <toml++/toml.h>

#include <sstream>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

// The other words for the data axis, of which a grid has exactly one.
constexpr const char* kAmountKeys[] = {"tokens", "epochs", "tokens_per_param", "flops"};

template <typename Value>
toml::array ArrayOf(const std::vector<Value>& values) {
  toml::array array;
  for (const Value& value : values) array.push_back(value);
  return array;
}

absl::StatusOr<toml::table> Parse(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return InvalidArgument("the sweep's spec is no TOML: " + std::string(error.description()));
  }
}

// Where a line and column, both from 1, are in the text.
std::size_t OffsetOf(const std::string& text, const toml::source_position& at) {
  std::size_t line_begin = 0;
  for (toml::source_index line = 1; line < at.line; ++line) {
    line_begin = text.find('\n', line_begin) + 1;
  }
  return line_begin + at.column - 1;
}

absl::StatusOr<std::string> Rename(const std::string& text, const toml::table& spec,
                                   const std::string& name) {
  const toml::node* node = spec.get("name");
  if (node == nullptr) return InvalidArgument("the sweep's spec has no name");
  const std::size_t begin = OffsetOf(text, node->source().begin);
  const std::size_t end = OffsetOf(text, node->source().end);
  if (begin > end || end > text.size()) return InvalidArgument("the sweep's spec has no name");
  std::ostringstream quoted;
  quoted << toml::value<std::string>(name);
  return text.substr(0, begin) + quoted.str() + text.substr(end);
}

void Change(toml::table& grid, const SpecExtension& extension) {
  if (!extension.tokens.empty()) {
    for (const char* key : kAmountKeys) grid.erase(key);
    grid.insert_or_assign("tokens", ArrayOf(extension.tokens));
  }
  if (!extension.seeds.empty()) grid.insert_or_assign("seeds", ArrayOf(extension.seeds));
}

absl::Status AddShapes(const toml::array& grids, const char* family,
                       const std::vector<std::string>& shapes, toml::array& added) {
  if (shapes.empty()) return absl::OkStatus();
  for (const toml::node& grid : grids) {
    if (!grid.as_table()->contains(family)) continue;
    toml::table copy = *grid.as_table();
    copy.erase("transformer");
    copy.erase("lstm");
    copy.insert_or_assign(family, ArrayOf(shapes));
    added.push_back(std::move(copy));
    return absl::OkStatus();
  }
  return InvalidArgument(std::string("the sweep has no [[grid]] with ") + family +
                         " shapes to take the rest from");
}

}  // namespace

absl::StatusOr<std::string> ExtendSpec(const std::string& toml, const SpecExtension& extension) {
  const bool shapes = !extension.transformer.empty() || !extension.lstm.empty();
  if (!shapes && extension.tokens.empty() && extension.seeds.empty()) {
    return InvalidArgument("say what to extend by: --tokens, --seeds, --transformer or --lstm");
  }
  ASSIGN_OR_RETURN(const toml::table spec, Parse(toml));
  const toml::array* grids = spec["grid"].as_array();
  if (grids == nullptr || !grids->is_homogeneous(toml::node_type::table)) {
    return InvalidArgument("the sweep's spec has no [[grid]]");
  }
  toml::array added;
  if (shapes) {
    RETURN_IF_ERROR(AddShapes(*grids, "transformer", extension.transformer, added));
    RETURN_IF_ERROR(AddShapes(*grids, "lstm", extension.lstm, added));
  } else {
    added = *grids;
  }
  ASSIGN_OR_RETURN(std::string text, Rename(toml, spec, extension.name));
  if (!text.ends_with('\n')) text += '\n';
  for (toml::node& grid : added) {
    Change(*grid.as_table(), extension);
    std::ostringstream lines;
    lines << toml::table{{"grid", toml::array{*grid.as_table()}}};
    text += "\n" + lines.str() + "\n";
  }
  return text;
}

}  // namespace etude
