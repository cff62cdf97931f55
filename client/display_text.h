// Text as a terminal shows it.
#ifndef ETUDE_CLIENT_DISPLAY_TEXT_H_
#define ETUDE_CLIENT_DISPLAY_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace etude {

// Columns of a terminal that `text` takes: combining marks none, East Asian wide characters two.
int DisplayWidth(std::string_view text);
// One line without control characters: line ends become spaces, the others and bytes that are not
// UTF-8 become '?'.
std::string Printable(std::string_view text);
// At most `columns` wide, "..." at the end where something was cut.
std::string Shortened(std::string_view text, int columns);
std::string GroupedDigits(std::int64_t value);  // "1,234,567"
std::string BytesText(double bytes);            // "512 B", "1.5 MiB"
std::string DurationText(double seconds);       // "42 s", "3 min 10 s", "2 h 05 min"

}  // namespace etude

#endif  // ETUDE_CLIENT_DISPLAY_TEXT_H_
