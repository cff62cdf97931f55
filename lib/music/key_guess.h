// The key of music whose source does not name it.
#ifndef ETUDE_LIB_MUSIC_KEY_GUESS_H_
#define ETUDE_LIB_MUSIC_KEY_GUESS_H_

#include "lib/music/key.h"
#include "lib/music/score.h"

namespace etude {

struct KeyGuess {
  Key key;
  double confidence = 0;  // 0: no pitched notes, or another signature fits as well; below 1
};

// Major or minor by how long each pitch class sounds, correlated with the probe-tone profiles of
// Krumhansl and Kessler 1982 (Krumhansl, Cognitive Foundations of Musical Pitch, 1990, table 2.1).
// Of keys that correlate about as well, the one whose signature leaves the fewest accidentals.
KeyGuess GuessKey(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_KEY_GUESS_H_
