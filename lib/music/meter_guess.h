// The meter of music whose source does not name it.
#ifndef ETUDE_LIB_MUSIC_METER_GUESS_H_
#define ETUDE_LIB_MUSIC_METER_GUESS_H_

#include "lib/music/score.h"

namespace etude {

struct MeterGuess {
  MeterChange meter;      // at 0: 2/4, 3/4, 4/4, 5/4 or 6/8
  double confidence = 0;  // 0: too little music, 4/4 is assumed; at most 1
};

// By how well the strength of onsets repeats after each bar length (autocorrelation, as in Brown,
// Determination of the meter of musical scores, JASA 94, 1993), over the first
// kMeterGuessQuarters. A pickup is not looked for: it stays as rests before the first note.
inline constexpr int kMeterGuessQuarters = 1024;
MeterGuess GuessMeter(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_METER_GUESS_H_
