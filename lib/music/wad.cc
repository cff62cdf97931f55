#include "lib/music/wad.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

#include "lib/base/status.h"

namespace etude {
namespace {

// Source: "The Unofficial Doom Specs" 1.666, chapter 2: "IWAD" or "PWAD", the number of lumps, the
// directory's place; there 16 bytes a lump: place, size, name padded with zeros. Little-endian.
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kEntryBytes = 16;
constexpr std::size_t kNameBytes = 8;
constexpr std::string_view kMidiMark = "MThd";

std::uint32_t Little32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return value;
}

bool LiesWithin(std::string_view bytes, std::size_t at, std::size_t size) {
  return at <= bytes.size() && size <= bytes.size() - at;
}

}  // namespace

absl::StatusOr<std::vector<WadLump>> MidiLumpsOfWad(std::string_view wad,
                                                    const std::string& where) {
  if (wad.size() < kHeaderBytes || (!wad.starts_with("IWAD") && !wad.starts_with("PWAD"))) {
    return DataLoss(where + ": not a WAD archive");
  }
  const std::size_t count = Little32(wad, 4);
  const std::size_t directory = Little32(wad, 8);
  if (count > kMaxWadLumps || !LiesWithin(wad, directory, count * kEntryBytes)) {
    return DataLoss(fmt::format("{}: its directory of {} lumps is not in it", where, count));
  }
  std::vector<WadLump> lumps;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = directory + i * kEntryBytes;
    const std::size_t at = Little32(wad, entry);
    const std::size_t size = Little32(wad, entry + 4);
    if (!LiesWithin(wad, at, size)) {
      return DataLoss(fmt::format("{}: lump {} lies outside", where, i));
    }
    if (!wad.substr(at, size).starts_with(kMidiMark)) continue;
    const std::string_view name = wad.substr(entry + kEntryBytes - kNameBytes, kNameBytes);
    lumps.push_back(
        {.name = std::string(name.substr(0, name.find('\0'))), .bytes = wad.substr(at, size)});
  }
  return lumps;
}

}  // namespace etude
