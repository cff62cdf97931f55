// What tells that two pieces are one tune, in whatever key: intervals of the leading voice.
#ifndef ETUDE_LIB_MUSIC_MELODY_KEYS_H_
#define ETUDE_LIB_MUSIC_MELODY_KEYS_H_

#include <string>
#include <vector>

#include "lib/music/score.h"

namespace etude {

// Intervals in a phrase that can tell tunes apart.
inline constexpr int kMelodyPhrase = 20;
// Phrases kept of each melody: those with the lowest hashes, so that versions which share most of
// their phrases share one of these almost surely (min-hash, Broder 1997).
inline constexpr int kMelodyPhrases = 6;

// Pieces that share a key are versions of one tune: the opening, and phrases of the melody, in
// semitones from note to note. The melody is the top line of the voice with the most onsets,
// percussion apart. Phrases of fewer than four different intervals (a repeated note, a scale, a
// trill) tell nothing and are left out.
std::vector<std::string> MelodyKeys(const Score& score);

// Equal for pieces that differ only in key, instruments, velocities and tempo: all onsets and
// lengths on the canonical grid and the pitches above the lowest.
std::string TransposedIdentity(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MELODY_KEYS_H_
