// The WAD archives of Doom and its kin, in which the Freedoom project ships its music.
#ifndef ETUDE_LIB_MUSIC_WAD_H_
#define ETUDE_LIB_MUSIC_WAD_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace etude {

inline constexpr int kMaxWadLumps = 65536;

struct WadLump {
  std::string name;        // at most 8 bytes, as the archive has it
  std::string_view bytes;  // of the archive's
};

// The lumps that are MIDI files, in the archive's order. `where` names the bytes in errors.
// kDataLoss: no WAD, more than kMaxWadLumps, or a lump that lies outside.
absl::StatusOr<std::vector<WadLump>> MidiLumpsOfWad(std::string_view wad, const std::string& where);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_WAD_H_
