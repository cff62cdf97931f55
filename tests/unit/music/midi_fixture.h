// MIDI files byte by byte, as tests and fuzz seeds need them, right and wrong.
#ifndef ETUDE_TESTS_UNIT_MUSIC_MIDI_FIXTURE_H_
#define ETUDE_TESTS_UNIT_MUSIC_MIDI_FIXTURE_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etude::midi {

inline std::string Bytes(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

inline std::string Big(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

// A variable-length quantity.
inline std::string Number(std::uint32_t value) {
  std::string out(1, static_cast<char>(value & 0x7F));
  while (value >>= 7) out.insert(out.begin(), static_cast<char>((value & 0x7F) | 0x80));
  return out;
}

inline std::string Chunk(std::string_view name, std::string_view payload) {
  return std::string(name) + Big(static_cast<std::uint32_t>(payload.size()), 4) +
         std::string(payload);
}
inline std::string Header(int format, int tracks, int division) {
  return Chunk("MThd", Big(static_cast<std::uint32_t>(format), 2) +
                           Big(static_cast<std::uint32_t>(tracks), 2) +
                           Big(static_cast<std::uint32_t>(division) & 0xFFFF, 2));
}

inline std::string On(std::uint32_t delta, int pitch, int velocity = 80, int channel = 0) {
  return Number(delta) + Bytes({0x90 | channel, pitch, velocity});
}
inline std::string Off(std::uint32_t delta, int pitch, int channel = 0) {
  return Number(delta) + Bytes({0x80 | channel, pitch, 64});
}
inline std::string Running(std::uint32_t delta, int pitch, int velocity) {
  return Number(delta) + Bytes({pitch, velocity});
}
inline std::string Program(std::uint32_t delta, int program, int channel = 0) {
  return Number(delta) + Bytes({0xC0 | channel, program});
}
inline std::string Meta(std::uint32_t delta, int type, std::string_view payload) {
  return Number(delta) + Bytes({0xFF, type}) + Number(static_cast<std::uint32_t>(payload.size())) +
         std::string(payload);
}
inline std::string SysEx(std::uint32_t delta, std::string_view payload) {
  return Number(delta) + Bytes({0xF0}) + Number(static_cast<std::uint32_t>(payload.size())) +
         std::string(payload);
}
inline std::string Tempo(std::uint32_t delta, std::uint32_t micros) {
  return Meta(delta, 0x51, Big(micros, 3));
}
inline std::string End(std::uint32_t delta = 0) { return Meta(delta, 0x2F, ""); }

inline std::string Track(std::string_view events) {
  return Chunk("MTrk", std::string(events) + End());
}

// One quarter, middle C.
inline std::string OneNote() { return On(0, 60) + Off(96, 60); }

// A file of format 0 at 96 ticks a quarter.
inline std::string OneTrackFile(std::string_view events) {
  return Header(0, 1, 96) + Track(events);
}

// Four tracks with all sorts of events: a conductor, a melody under running status, chords with
// SysEx and text between them, drums. `bars` of eight, four and sixteen notes.
inline std::string BandFile(int bars) {
  std::string conductor = Meta(0, 0x03, "Band") + Tempo(0, 500'000) +
                          Meta(0, 0x58, Bytes({4, 2, 24, 8})) + Meta(0, 0x59, Bytes({-1, 0}));
  std::string melody = Meta(0, 0x03, "Melody") + Program(0, 73);
  std::string chords = Meta(0, 0x04, "Strings") + Program(0, 48, 1);
  std::string drums;
  for (int bar = 0; bar < bars; ++bar) {
    conductor += Tempo(1920, 500'000 + static_cast<std::uint32_t>(bar) * 1000);
    for (int i = 0; i < 8; ++i) {
      const int pitch = 60 + (bar * 3 + i * 2) % 24;
      melody += bar == 0 && i == 0 ? On(0, pitch, 90) : Running(0, pitch, 80 + i);
      melody += Running(240, pitch, 0);
    }
    chords += SysEx(0, "\x43\x10\x4C\xF7") + Meta(0, 0x05, "la");
    for (const int pitch : {48, 52, 55, 60}) chords += On(0, pitch, 70, 1);
    for (const int pitch : {48, 52, 55, 60}) chords += Off(pitch == 48 ? 1920 : 0, pitch, 1);
    for (int i = 0; i < 16; ++i) drums += On(0, 35 + i % 8, 100, 9) + Off(120, 35 + i % 8, 9);
  }
  return Header(1, 4, 480) + Track(conductor) + Track(melody) + Track(chords) + Track(drums);
}
inline constexpr int kBandNotesPerBar = 8 + 4 + 16;

// What may be wrong with a file, each thing by itself.
struct Damaged {
  std::string name;
  std::string bytes;
  std::vector<std::string> faults;  // by name, in order
  int notes = 1;
};
std::vector<Damaged> DamagedFiles();

}  // namespace etude::midi

#endif  // ETUDE_TESTS_UNIT_MUSIC_MIDI_FIXTURE_H_
