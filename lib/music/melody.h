// The melody of a score, and its shape free of key and tempo.
#ifndef ETUDE_LIB_MUSIC_MELODY_H_
#define ETUDE_LIB_MUSIC_MELODY_H_

#include <cstdint>
#include <vector>

#include "lib/music/score.h"

namespace etude {

// The skyline (Uitdenbogerd and Zobel 1999): at each time at which notes begin, the highest of
// them; percussion is left out. Durations are those of the notes.
std::vector<Note> Melody(const Score& score);

// What each note of a melody from the third on is to the one before it: the interval in semitones
// and the ratio of the time from onset to onset to the time before, in sixths of an octave. Equal
// for a melody that is moved to another key or played at another speed. Empty below three notes.
using MelodyStep = std::uint32_t;
inline constexpr MelodyStep kMelodySteps = 1 << 16;  // every step is below
std::vector<MelodyStep> MelodyShape(const std::vector<Note>& melody);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MELODY_H_
