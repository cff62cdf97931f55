// How a key writes the pitches: which letter, which accidental.
#ifndef ETUDE_LIB_MUSIC_SPELLING_H_
#define ETUDE_LIB_MUSIC_SPELLING_H_

#include <array>

#include "lib/music/key.h"

namespace etude {

struct SpelledPitch {
  char letter = 'C';   // 'A'..'G'
  int accidental = 0;  // -2..2, of the written note, whatever the signature
  int octave = 4;      // of the letter: C4 is middle C, so B3 sharp sounds as C4; -1..9
};

// Of each MIDI key number: notes of the scale by the signature, others as the key's near relatives
// have them (in C: C# Eb F# Ab Bb; in A minor G# too).
std::array<SpelledPitch, 128> SpellPitches(const Key& key);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_SPELLING_H_
