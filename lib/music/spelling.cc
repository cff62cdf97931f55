#include "lib/music/spelling.h"

#include <cstddef>
#include <string_view>

namespace etude {
namespace {

constexpr std::string_view kFifthsOrder = "FCGDAEB";  // places -1..5 of the line of fifths

// The letter and accidental at a place of the line of fifths: C is 0, G 1, F -1.
SpelledPitch AtFifth(int place) {
  const int letter = (((place + 1) % 7) + 7) % 7;
  return {.letter = kFifthsOrder[static_cast<std::size_t>(letter)],
          .accidental = (place + 1 - letter) / 7,
          .octave = 0};
}

// How far flatwards of the signature's tonic the twelve places begin: a minor key leans sharpwards,
// for its raised sixth and seventh.
int FirstFifth(const Key& key) {
  const bool minor = key.mode == Mode::kMinor || key.mode == Mode::kDorian;
  return key.fifths - (minor ? 3 : 4);
}

int NaturalPitch(const SpelledPitch& spelled, int pitch) { return pitch - spelled.accidental; }

}  // namespace

std::array<SpelledPitch, 128> SpellPitches(const Key& key) {
  std::array<SpelledPitch, 12> classes;
  for (int place = FirstFifth(key), n = 0; n < 12; ++n, ++place) {
    classes[static_cast<std::size_t>(((place * 7) % 12 + 12) % 12)] = AtFifth(place);
  }
  std::array<SpelledPitch, 128> pitches;
  for (int pitch = 0; pitch < 128; ++pitch) {
    SpelledPitch spelled = classes[static_cast<std::size_t>(pitch % 12)];
    const int natural = NaturalPitch(spelled, pitch);
    // At the ends of the range a B sharp or C flat would have its letter beyond it.
    if (natural < 0 || natural > 127) spelled = {.letter = pitch < 12 ? 'C' : 'G'};
    spelled.octave = NaturalPitch(spelled, pitch) / 12 - 1;
    pitches[static_cast<std::size_t>(pitch)] = spelled;
  }
  return pitches;
}

}  // namespace etude
