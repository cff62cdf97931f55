// Short scores for tests.
#ifndef ETUDE_TESTS_UNIT_MUSIC_SCORE_BUILDER_H_
#define ETUDE_TESTS_UNIT_MUSIC_SCORE_BUILDER_H_

#include <utility>
#include <vector>

#include "lib/music/score.h"

namespace etude {

inline Note MakeNote(std::int64_t onset, std::int64_t duration, int pitch = 60) {
  return {.onset = onset, .duration = duration, .pitch = pitch};
}

// One voice on a grid of `steps` per quarter.
inline Score MakeScore(int steps, std::vector<Note> notes) {
  Score score;
  score.ticks_per_quarter = steps;
  score.voices.push_back({.name = {}, .notes = std::move(notes)});
  Normalize(score);
  return score;
}

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_MUSIC_SCORE_BUILDER_H_
