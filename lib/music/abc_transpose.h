// A cleaned ABC tune in another key, written the same way.
#ifndef ETUDE_LIB_MUSIC_ABC_TRANSPOSE_H_
#define ETUDE_LIB_MUSIC_ABC_TRANSPOSE_H_

#include <optional>
#include <string>
#include <string_view>

#include "lib/music/score.h"

namespace etude {

// Every note moves by `semitones` (-11..11) and keeps its place in the scale: the key is named anew
// and accidentals stay as far from it. `tune` as CleanAbcTune gives it. nullopt where that cannot
// be written: no key with a signature, accidentals in the key field, a note that would need a
// triple accidental, a tune of several keys of which one has none.
std::optional<std::string> TransposeAbc(std::string_view tune, int semitones);

// Percussion stays. nullopt: a pitch would leave 0..127.
std::optional<Score> TransposeScore(const Score& score, int semitones);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_TRANSPOSE_H_
