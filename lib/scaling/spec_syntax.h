// The TOML beneath a spec. Only for the sources of this room.
#ifndef ETUDE_LIB_SCALING_SPEC_SYNTAX_H_
#define ETUDE_LIB_SCALING_SPEC_SYNTAX_H_

#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>

#include "lib/scaling/spec_reader.h"

namespace etude {

// Parses `text`. Adds an error for each syntax error it can tell from the ones before it, a
// duplicate key among them. The table is returned, without the duplicates, when those are all that
// is wrong with the syntax, so that what the rest means can still be checked; otherwise nullopt.
std::optional<toml::table> ParseToml(std::string_view text, SpecErrors& errors);

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SPEC_SYNTAX_H_
