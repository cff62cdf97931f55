// The name somebody probably meant.
#ifndef ETUDE_LIB_SCALING_NEAREST_H_
#define ETUDE_LIB_SCALING_NEAREST_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace etude {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (Damerau
// 1964, Levenshtein 1966; no letter edited twice). Bytes, not characters.
int EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `name` within distance 2, the first of equals; nullopt when none is
// that near or when as many edits would spell anything (a name of up to 2 letters needs
// distance 1).
std::optional<std::string> NearestName(std::string_view name,
                                       std::span<const std::string> candidates);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_NEAREST_H_
