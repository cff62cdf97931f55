// Reading what people type: durations, unknown words.
#ifndef ETUDE_CLIENT_ARGUMENTS_H_
#define ETUDE_CLIENT_ARGUMENTS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/scaling/loss_point.h"

namespace etude {

// "90s", "2h", "1h30m", "250ms"; at most 1000 days. kInvalidArgument: a number without a unit, not
// positive, or anything else.
absl::StatusOr<absl::Duration> ParseDuration(const std::string& text);

// kInvalidArgument naming the nearest series, or that test is sealed.
absl::StatusOr<std::vector<Series>> ParseSeries(const std::vector<std::string>& names);

// "unknown WHAT "word"; did you mean "x"?", or the known ones where none is near.
std::string UnknownWord(const std::string& what, std::string_view word,
                        std::span<const std::string> known);

}  // namespace etude

#endif  // ETUDE_CLIENT_ARGUMENTS_H_
