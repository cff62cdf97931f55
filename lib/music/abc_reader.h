// ABC text (abcnotation.com, standard 2.1) read as music: a Score in playing order, and what is
// wrong with the text. Pure; any bytes are accepted, in time and memory bounded by their size.
//
// What the standard leaves open, or players do differently:
// - An accidental holds until the bar line for its letter in all octaves, which is 2.1's default
//   (11.3, %%propagate-accidentals pitch) and what abc2midi plays; the directive is obeyed.
// - Grace notes take no time and do not sound. Parts (P:) play once each, as written.
// - A repeat without a start goes back to the last end of a repeat or double bar, or the beginning.
// - A tie to a note of another pitch, or to none, is none.
// - A voice's first bar, and a bar beside a repeat, a double bar or the end, may be short.
#ifndef ETUDE_LIB_MUSIC_ABC_READER_H_
#define ETUDE_LIB_MUSIC_ABC_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/music/rational.h"
#include "lib/music/score.h"

namespace etude {

inline constexpr std::size_t kMaxAbcBytes = std::size_t{1} << 22;  // of one tune
inline constexpr int kMaxAbcFaults = 1000;                         // listed; more are only counted
inline constexpr int kMaxAbcPasses = 63;                           // through one repeated section
inline constexpr std::int64_t kMaxAbcSteps = 8'000'000;  // notes, rests, bars in playing order
inline constexpr int kMaxTicksPerQuarter = 1 << 20;

enum class AbcFault : std::uint8_t {
  kNoKey,         // no K: field, so nothing says where the music starts
  kNoMusic,       // no note
  kTooLarge,      // beyond a limit of bytes, voices, notes, steps or ticks; the rest is left out
  kTooFine,       // lengths that no grid of kMaxTicksPerQuarter holds; they are rounded
  kUnknownText,   // characters that mean nothing here; left out
  kBadField,      // a field that says nothing readable; it changes nothing
  kBadLength,     // zero, or beyond what music has; taken for one unit
  kBadChord,      // unclosed, empty, or with something in it that no chord has
  kBadGrace,      // grace notes unclosed
  kBadTuplet,     // unfinished, or of impossible numbers
  kBadBroken,     // a broken rhythm without a note before or after it
  kBadTie,        // a tie that binds nothing
  kBadRepeat,     // an ending of no use
  kOutOfRange,    // a pitch that MIDI lacks; the note is left out
  kBarLong,       // a bar longer than its meter
  kBarShort,      // a bar shorter than its meter, inside a section
  kPartsIgnored,  // P: gives an order of parts
  kSecondTune,    // X: inside the tune; the text from there on is left out
};
std::string_view AbcFaultName(AbcFault fault);  // "no_key", ...

struct AbcWarning {
  AbcFault fault = AbcFault::kNoKey;
  int line = 1;    // from 1
  int column = 1;  // in bytes, from 1
  std::string message;
};

enum class BarVerdict : std::uint8_t {
  kFull,
  kUnmeasured,  // the meter is free
  kEdge,        // short, where a bar may be: see above
  kLong,
  kShort,
};

// A bar as written, before repeats are played. Bars without notes and rests are none.
struct AbcBar {
  int voice = 0;   // an index, by first appearance in the text
  int number = 0;  // in the voice, from 1
  int line = 1;    // where it begins
  int column = 1;
  Rational length;    // of whole notes
  Rational expected;  // by the meter; 0 where that is free
  BarVerdict verdict = BarVerdict::kFull;
};

struct AbcHeader {
  std::string title;  // the first T:, any bytes
  std::string key;    // "Gm"; "none" without a tonic
  std::string meter;  // "6/8"; "none"
  Rational unit = Rational(1, 8);
  std::optional<std::int64_t> us_per_quarter;  // by Q:
};

struct AbcReading {
  AbcHeader header;
  // In playing order, normalised, of the voices that sound. Meters and keys are those of the first
  // voice; where its bar lines leave the meter's grid a MeterChange is repeated, so that
  // BarLines(score) are those of the text. The finest grid of all lengths is the coarsest that
  // holds them, so nothing is rounded (but see kTooFine).
  Score score;
  std::vector<AbcBar> bars;          // in the order of the text
  std::vector<AbcWarning> warnings;  // in the order of the text; at most kMaxAbcFaults
  std::int64_t warning_count = 0;    // with those not listed
  bool lexes = false;       // there is a key, and every character of the music has a meaning
  bool bars_right = false;  // no bar is kLong or kShort
  bool plays = false;       // there is a note, and nothing was kTooLarge
};

// `tune`: one, with or without its X:; see SplitTunes.
AbcReading ReadAbc(std::string_view tune);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_READER_H_
