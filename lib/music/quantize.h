// Times as written music has them: whole steps of a grid that divides the quarter.
#ifndef ETUDE_LIB_MUSIC_QUANTIZE_H_
#define ETUDE_LIB_MUSIC_QUANTIZE_H_

#include "lib/music/score.h"

namespace etude {

// The finest grid: its triplets are written in 64ths, the shortest notes there are in ABC programs.
inline constexpr int kMaxGridSteps = 24;

struct NoteGrid {
  int steps = 4;           // per quarter: 1, 2, 3, 4, 6, 8, 12, 16 or 24
  double fit = 1;          // share of the onsets that lie on it beyond chance, 0..1
  bool performed = false;  // no beat was found: a fine grid, so that the times are about right
};

bool IsGrid(int steps);

// The first grid of 4, 3, 6, 8, 12, 16 and 24 that holds about as many onsets as any does. Where
// none holds nine in ten (somebody played with a beat in mind), the one whose steps they are
// nearest to, and else a fine one, marked as performed.
NoteGrid ChooseGrid(const Score& score);

// The score on a grid of at least `steps`, finer where its meters need it; `ticks_per_quarter` of
// the result says. Each time is rounded by itself, so no error adds up. Every note stays: it lasts
// a step or longer, ends before the same pitch of its voice begins again, and ends with its
// neighbours or on a beat where that is near (an eighth of a quarter, or a fifth of its length).
// Percussion sounds to its voice's next stroke or the next beat. Meters change at bar lines only:
// what is left of a bar before a change becomes a bar of its own meter. Keys move to bar lines.
Score Quantize(const Score& score, int steps);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_QUANTIZE_H_
