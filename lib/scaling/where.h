// Filters over named columns: "family=lstm and tokens<1e6".
#ifndef ETUDE_LIB_SCALING_WHERE_H_
#define ETUDE_LIB_SCALING_WHERE_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr std::size_t kMaxWhereBytes = 4096;
inline constexpr std::size_t kMaxWhereTerms = 32;

struct WhereTerm {
  enum class Relation { kEqual, kUnequal, kLess, kLessEqual, kGreater, kGreaterEqual };
  std::string column;
  Relation relation = Relation::kEqual;
  std::string value;
  std::optional<double> number;  // of `value`, when it is one
};

// All of its terms must hold; none: everything matches.
using Where = std::vector<WhereTerm>;

// "COLUMN OP VALUE [and COLUMN OP VALUE]…", OP one of = != < <= > >=, VALUE a word, a number with
// an optional k, M, B or T behind it, or a text in double quotes. kInvalidArgument: anything else;
// the message shows the place.
absl::StatusOr<Where> ParseWhere(std::string_view text);

// Whether a row matches; `value_of` gives a column's text, or nullopt when there is no such column.
// Two numbers compare as numbers, anything else as text, for which only = and != exist.
// kInvalidArgument: no such column, or an order asked of a text.
absl::StatusOr<bool> Matches(
    const Where& where,
    const std::function<std::optional<std::string>(std::string_view)>& value_of);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_WHERE_H_
