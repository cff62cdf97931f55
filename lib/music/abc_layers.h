// A voice that plays several things at once, as parts that each play one: what ABC can write in a
// line.
#ifndef ETUDE_LIB_MUSIC_ABC_LAYERS_H_
#define ETUDE_LIB_MUSIC_ABC_LAYERS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/music/score.h"

namespace etude {

// Notes that begin and end together, all of different pitch.
struct Chord {
  std::int64_t onset = 0;
  std::int64_t end = 0;
  std::size_t first = 0;  // of the layer's pitches
  std::size_t count = 0;
};

// Chords one after another.
struct Layer {
  std::vector<Chord> chords;
  std::vector<int> pitches;

  std::span<const int> PitchesOf(const Chord& chord) const {
    return std::span(pitches).subspan(chord.first, chord.count);
  }
};

// `notes` in the order of a normalised voice. Each chord goes to the free layer whose last pitch is
// nearest. Where all `max_layers` are taken no onset is lost: the layer that ends first ends early,
// or, when all began at this very time, the notes join the chord of one of them. Only a note that
// every layer already has at this time is left out.
std::vector<Layer> SplitLayers(const std::vector<Note>& notes, std::size_t max_layers);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_LAYERS_H_
