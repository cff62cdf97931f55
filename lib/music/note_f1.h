// How much of one score's notes another one has: the measure of every conversion.
#ifndef ETUDE_LIB_MUSIC_NOTE_F1_H_
#define ETUDE_LIB_MUSIC_NOTE_F1_H_

#include <cstdint>

#include "lib/music/score.h"

namespace etude {

// Notes paired one to one: equal pitch, onsets at most an eighth of a quarter apart. `durations`
// counts the pairs whose durations also agree, within a fifth of the reference's or an eighth of a
// quarter, whichever is more.
struct NoteMatch {
  std::int64_t reference = 0;
  std::int64_t found = 0;
  std::int64_t matched = 0;
  std::int64_t durations = 0;

  // 2 matched / (reference + found); 1 where neither has a note.
  double F1() const;
  double DurationF1() const;
};

struct NoteAgreement {
  NoteMatch pitched;
  NoteMatch drums;

  NoteMatch All() const;
};

// Of all voices together: which voice plays a note is not compared, whether it is percussion is.
// Both scores are normalised.
NoteAgreement MatchNotes(const Score& reference, const Score& found);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_NOTE_F1_H_
