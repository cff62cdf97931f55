#include "client/arguments.h"

#include <fmt/format.h>

#include "client/display_text.h"
#include "lib/base/status.h"
#include "lib/scaling/nearest.h"

namespace etude {
namespace {

constexpr absl::Duration kLongest = absl::Hours(24 * 1000);
constexpr int kLastSeries = 255;
constexpr std::size_t kMaxShownWord = 40;

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(const std::string& text) {
  absl::Duration duration;
  const bool read = absl::ParseDuration(text, &duration);
  if (read && duration > absl::ZeroDuration() && duration <= kLongest) return duration;
  return InvalidArgument(fmt::format("\"{}\" is not a duration above 0, such as 90s, 2h or 1h30m",
                                     text.substr(0, kMaxShownWord)));
}

absl::StatusOr<std::vector<Series>> ParseSeries(const std::vector<std::string>& names) {
  std::vector<Series> series;
  std::vector<std::string> known;
  for (int number = 0; number <= kLastSeries; ++number) {
    const auto one = SeriesFromNumber(number);
    if (one && *one != Series::kTest) known.emplace_back(SeriesName(*one));
  }
  for (const std::string& name : names) {
    const auto one = SeriesFromName(name);
    if (!one) return InvalidArgument(UnknownWord("series", name, known));
    if (*one == Series::kTest) {
      return InvalidArgument("the test loss is sealed: no curve shows it; known series: " +
                             fmt::format("{}", fmt::join(known, ", ")));
    }
    series.push_back(*one);
  }
  return series;
}

std::string UnknownWord(const std::string& what, std::string_view word,
                        std::span<const std::string> known) {
  const std::string shown = Printable(word.substr(0, kMaxShownWord));
  if (const auto near = NearestName(word, known)) {
    return fmt::format("unknown {} \"{}\"; did you mean \"{}\"?", what, shown, *near);
  }
  return fmt::format("unknown {} \"{}\"; known: {}", what, shown, fmt::join(known, ", "));
}

}  // namespace etude
