// A key: how many sharps or flats a signature has, and which of the seven modes it names.
#ifndef ETUDE_LIB_MUSIC_KEY_H_
#define ETUDE_LIB_MUSIC_KEY_H_

#include <optional>
#include <string>
#include <string_view>

namespace etude {

// In the order of their major keys' degrees; kMajor is Ionian, kMinor Aeolian.
enum class Mode { kMajor, kDorian, kPhrygian, kLydian, kMixolydian, kMinor, kLocrian };

struct Key {
  int fifths = 0;  // sharps of the signature, -7..7; flats are negative
  Mode mode = Mode::kMajor;

  friend bool operator==(const Key&, const Key&) = default;
};

// Semitones that the signature adds to a letter 'A'..'G': -1, 0 or 1.
int SignatureAccidental(const Key& key, char letter);

// Pitch class of the tonic, 0 = C .. 11 = B.
int TonicPitchClass(const Key& key);

// As ABC 2.1 section 3.1.14 writes it: "C", "F#m", "Bbdor", "Gmix".
std::string KeyName(const Key& key);

// Reads the tonic and mode of a K: field, in any case of the mode and by its first three letters
// ("Dmin", "D minor", "Dm", "HP" and "Hp" as D mixolydian). What follows it (clefs, explicit
// accidentals) is left to the caller. nullopt: no tonic, or a signature beyond seven.
std::optional<Key> ParseKeyName(std::string_view text);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_KEY_H_
