// The two orders in which a tune of several voices can be written: one voice after another, or the
// same bar of all voices on a line.
#ifndef ETUDE_LIB_MUSIC_ABC_LAYOUT_H_
#define ETUDE_LIB_MUSIC_ABC_LAYOUT_H_

#include <optional>
#include <string>
#include <string_view>

namespace etude {

enum class AbcLayout { kVoices, kBars };

std::optional<AbcLayout> AbcLayoutFromName(std::string_view name);  // "voices", "bars"

inline constexpr int kBarsPerLine = 4;

// From one order to the other, of a tune as WriteAbc makes it: the header to its K: line; of each
// voice a "V:" line and "%%" lines; bars that end in " |". Voices: each voice's music follows its
// own lines, kBarsPerLine bars a line. Bars: all voices' lines first, then a line a bar,
// "[V:1] C4 | [V:2] E4 |". Each undoes the other, byte for byte. nullopt: not such a tune.
std::optional<std::string> Interleave(std::string_view voices);
std::optional<std::string> Deinterleave(std::string_view bars);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_LAYOUT_H_
