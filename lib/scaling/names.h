// One table per enum, read in both directions.
#ifndef ETUDE_LIB_SCALING_NAMES_H_
#define ETUDE_LIB_SCALING_NAMES_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/base/status.h"

namespace etude {

template <typename Enum, std::size_t size>
using NameTable = std::pair<Enum, std::string_view>[size];

template <typename Enum, std::size_t size>
std::string_view NameIn(const NameTable<Enum, size>& table, Enum value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  ENSURE(!"value is in its name table");
  return {};
}

template <typename Enum, std::size_t size>
std::optional<Enum> ValueIn(const NameTable<Enum, size>& table, std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_NAMES_H_
