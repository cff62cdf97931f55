// The values of ABC's fields (standard 2.1, section 3): keys, meters, units, tempos, voices.
#ifndef ETUDE_LIB_MUSIC_ABC_FIELDS_H_
#define ETUDE_LIB_MUSIC_ABC_FIELDS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/music/key.h"
#include "lib/music/rational.h"

namespace etude {

std::string_view TrimAbc(std::string_view text);

// "K:Gm" or "[K:Gm]" in two; a field has at least a letter and a colon.
struct AbcField {
  char letter = 0;
  std::string_view value;  // without blanks around it
};
AbcField SplitAbcField(std::string_view text);

// Splits a value at blanks; quoted parts stay whole: `name="Flute 1"` is one word.
class AbcWords {
 public:
  explicit AbcWords(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> Next();

 private:
  std::string_view rest_;
};

struct AbcMeter {
  int beats = 4;  // 0: free
  int unit = 4;

  bool free() const { return beats == 0; }
  Rational bar() const { return {beats, unit}; }  // of whole notes; 0 when free
  bool compound() const { return beats >= 6 && beats % 3 == 0; }
  Rational default_unit() const;
  std::string text() const;
};
// "C", "C|", "6/8", "2+3/8", "(2+3)/8", "none", "free". nullopt: nothing of this, more than 255
// beats or a unit that is no power of two up to 64.
std::optional<AbcMeter> ParseAbcMeter(std::string_view text);

// "1/8", "1". nullopt: no such fraction, or one that is not positive.
std::optional<Rational> ParseAbcUnit(std::string_view text);

struct AbcTempo {
  bool readable = false;                       // words alone are
  std::optional<std::int64_t> us_per_quarter;  // nullopt: words say nothing we could play
};
// `1/4=120`, `"Allegro" 3/8=80`, `1/4 3/8=40`; `120` counts `unit`s.
AbcTempo ParseAbcTempo(std::string_view text, Rational unit);

// Semitones on the letters 'A'..'G'.
using AbcSignature = std::array<std::int8_t, 7>;

// What K: and V: both may say.
struct AbcStaff {
  std::optional<int> transpose;  // semitones, by transpose=, octave= and clefs as treble-8
  std::optional<std::string> name;
};

struct AbcKey {
  bool readable = false;
  bool named = false;      // K: has a tonic or "none"; else it leaves the signature alone
  std::optional<Key> key;  // nullopt for "none", and for signatures that no key has
  AbcSignature signature = {};
  AbcStaff staff;
};
// "Gm", "D exp ^f", "D =c", "none", "HP", "Dmix clef=bass octave=-1".
AbcKey ParseAbcKey(std::string_view text);

struct AbcVoiceField {
  std::string_view id;
  AbcStaff staff;
};
AbcVoiceField ParseAbcVoiceField(std::string_view text);

// The digits at the start of `text` as a number with its sign; nullopt: none, or beyond a million.
std::optional<int> ParseAbcNumber(std::string_view text);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_FIELDS_H_
