// A bar's chords and rests as note values that exist: plain or dotted ones, tied where one is not
// enough, and triplets.
#ifndef ETUDE_LIB_MUSIC_ABC_RHYTHM_H_
#define ETUDE_LIB_MUSIC_ABC_RHYTHM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace etude {

// A chord or rest in a bar, in steps from the bar's start.
struct BarEvent {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::ptrdiff_t chord = -1;  // -1: a rest
  bool goes_on = false;       // into the next bar
};

// One written note, chord or rest.
struct NoteValue {
  std::int64_t start = 0;
  std::int64_t steps = 0;  // that it sounds; in a triplet it is written half as long again
  std::ptrdiff_t chord = -1;
  bool tied = false;  // to the next one
  bool triplet = false;
  int triplet_values = 0;  // of the triplet that starts here: how many values it has; else 0
};

// `events` follow each other without a gap from 0; `steps_per_quarter` is a grid (quantize.h). A
// triplet fills an aligned half, quarter, eighth... note: the smallest whose parts are whole, three
// values in the time of two ("(3:2:n" with n = triplet_values). Appends to `values`.
void SplitIntoValues(std::span<const BarEvent> events, std::int64_t steps_per_quarter,
                     std::vector<NoteValue>& values);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_RHYTHM_H_
