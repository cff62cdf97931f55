// Scores as ABC (abcnotation.com, standard 2.1) that other programs read without complaint.
#ifndef ETUDE_LIB_MUSIC_ABC_WRITER_H_
#define ETUDE_LIB_MUSIC_ABC_WRITER_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "lib/music/abc_layout.h"
#include "lib/music/score.h"

namespace etude {

// abc2midi reads no more voices. A score that needs more has its voices of one program put
// together, and overlapping notes shortened rather than written as more voices.
inline constexpr std::size_t kMaxAbcVoices = 30;
// Parts that one voice is split into where its notes overlap.
inline constexpr std::size_t kMaxVoiceLayers = 8;

struct AbcWriteOptions {
  AbcLayout layout = AbcLayout::kVoices;
  std::string title = "";  // empty: none is written. One line
};

// One tune: X:, T: if asked for, M:, L: (the shortest to write), Q:, K:, then each voice with its
// %%MIDI program, or channel 10 for percussion, whose pitches name the instruments. Bars are filled
// exactly; notes are tied over bar lines and where no single note value will do; triplets are
// written as such. Meters and keys change at bar lines, in each voice; the tempo, a bar's mean, in
// the first. Accidentals hold whether a reader lets them last for all octaves of the bar or one.
//
// `score` is on a grid (Quantize). kInvalidArgument: it is not, or has kMaxScoreBars bars.
absl::StatusOr<std::string> WriteAbc(const Score& score, const AbcWriteOptions& options = {});

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_WRITER_H_
