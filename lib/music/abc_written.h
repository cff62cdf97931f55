// An ABC tune as it stands on paper: voices of notes, rests and bar lines with exact lengths and
// final pitches, repeats not yet played. Between the parser and the player of lib/music/abc_reader.
#ifndef ETUDE_LIB_MUSIC_ABC_WRITTEN_H_
#define ETUDE_LIB_MUSIC_ABC_WRITTEN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/music/abc_fields.h"
#include "lib/music/abc_reader.h"

namespace etude {

struct WrittenNote {
  Rational length;    // of whole notes
  int pitch = 60;     // MIDI key number
  bool tied = false;  // to the next one of this pitch
};

// What a bar line says beyond ending a bar.
struct WrittenBar {
  std::uint8_t ends = 0;  // ":|" 1, "::|" 2: how often the section is to be played again
  bool starts = false;    // "|:"
  bool section = false;   // a double or thick line, or a repeat
};

enum class WrittenKind : std::uint8_t {
  kNotes,
  kRest,
  kBar,
  kEnding,
  kOverlay,
  kMeter,
  kTempo,
  kKey
};

struct WrittenElement {
  WrittenKind kind = WrittenKind::kRest;
  WrittenBar bar;
  std::uint32_t offset = 0;  // in the text
  std::uint32_t first = 0;  // kNotes: in `notes`; kMeter, kTempo, kKey: in the voice's list of them
  std::uint32_t count = 0;  // kNotes
  Rational time;            // kNotes, kRest: until the next element, of whole notes
  std::uint64_t passes = 0;  // kEnding: bit n for pass n
};

struct WrittenVoice {
  std::string id;
  std::string name;
  int program = 0;
  bool drums = false;
  std::vector<WrittenElement> elements;
  std::vector<WrittenNote> notes;
  std::vector<AbcMeter> meters;
  std::vector<std::int64_t> tempos;  // us_per_quarter
  std::vector<std::optional<Key>> keys;
  Rational pickup;  // the first bar's length if that is short; else 0
};

// A bar whose place is still an offset.
struct WrittenBarCheck {
  AbcBar bar;
  std::uint32_t offset = 0;
};

struct WrittenFault {
  AbcFault fault = AbcFault::kNoKey;
  std::uint32_t offset = 0;
  std::string message;
};

// Collects faults up to kMaxAbcFaults and counts the rest.
class AbcFaults {
 public:
  void Add(AbcFault fault, std::size_t offset, std::string message);
  std::vector<WrittenFault>& listed() { return listed_; }
  std::int64_t count() const { return count_; }
  bool any_too_large() const { return any_too_large_; }

 private:
  std::vector<WrittenFault> listed_;
  std::int64_t count_ = 0;
  bool any_too_large_ = false;
};

struct WrittenTune {
  AbcHeader header;
  AbcMeter meter;  // of the header
  std::optional<Key> key;
  std::vector<WrittenVoice> voices;
  std::vector<WrittenBarCheck> bars;
  bool has_key = false;
  bool lexes = true;
};

WrittenTune ParseAbc(std::string_view text, AbcFaults& faults);

// Plays repeats and binds ties.
void PlayAbc(const WrittenTune& tune, AbcFaults& faults, Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_WRITTEN_H_
