#include "lib/music/key.h"

#include <array>
#include <cctype>
#include <cstddef>
#include <utility>

namespace etude {
namespace {

constexpr std::string_view kFifthsOrder = "FCGDAEB";  // sharps enter in this order, flats backwards

// Fifths from a mode's tonic down to the tonic of the major key of the same signature.
constexpr std::array<int, 7> kFifthsAboveMajor = {0, 2, 4, -1, 1, 3, 5};
constexpr std::array<std::string_view, 7> kModeNames = {"", "dor", "phr", "lyd", "mix", "m", "loc"};

int FifthsAboveMajor(Mode mode) { return kFifthsAboveMajor[static_cast<std::size_t>(mode)]; }

bool StartsWith(std::string_view text, std::string_view lower_prefix) {
  if (text.size() < lower_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_prefix.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != lower_prefix[i]) return false;
  }
  return true;
}

Mode ParseMode(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Mode>, 9> kPrefixes = {{
      {"maj", Mode::kMajor},
      {"ion", Mode::kMajor},
      {"min", Mode::kMinor},
      {"aeo", Mode::kMinor},
      {"dor", Mode::kDorian},
      {"phr", Mode::kPhrygian},
      {"lyd", Mode::kLydian},
      {"mix", Mode::kMixolydian},
      {"loc", Mode::kLocrian},
  }};
  for (const auto& [prefix, mode] : kPrefixes) {
    if (StartsWith(text, prefix)) return mode;
  }
  const bool only_m = StartsWith(text, "m") &&
                      (text.size() == 1 || std::isalpha(static_cast<unsigned char>(text[1])) == 0);
  return only_m ? Mode::kMinor : Mode::kMajor;
}

}  // namespace

int SignatureAccidental(const Key& key, char letter) {
  const auto place = static_cast<int>(kFifthsOrder.find(letter));
  if (key.fifths > 0) return place < key.fifths ? 1 : 0;
  return 6 - place < -key.fifths ? -1 : 0;
}

int TonicPitchClass(const Key& key) {
  const int fifths = key.fifths + FifthsAboveMajor(key.mode);
  return ((fifths * 7) % 12 + 12) % 12;
}

std::string KeyName(const Key& key) {
  const int fifths = key.fifths + FifthsAboveMajor(key.mode) + 1;  // F is 0
  const int letter = ((fifths % 7) + 7) % 7;
  const int accidental = (fifths - letter) / 7;
  std::string name(1, kFifthsOrder[static_cast<std::size_t>(letter)]);
  name.append(static_cast<std::size_t>(accidental < 0 ? -accidental : accidental),
              accidental < 0 ? 'b' : '#');
  return name.append(kModeNames[static_cast<std::size_t>(key.mode)]);
}

std::optional<Key> ParseKeyName(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.starts_with("HP") || text.starts_with("Hp")) return Key{2, Mode::kMixolydian};
  if (text.empty() || text.front() < 'A' || text.front() > 'G') return std::nullopt;
  int fifths = static_cast<int>(kFifthsOrder.find(text.front())) - 1;
  text.remove_prefix(1);
  if (!text.empty() && (text.front() == '#' || text.front() == 'b')) {
    fifths += text.front() == '#' ? 7 : -7;
    text.remove_prefix(1);
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const Mode mode = ParseMode(text);
  fifths -= FifthsAboveMajor(mode);
  if (fifths < -7 || fifths > 7) return std::nullopt;
  return Key{fifths, mode};
}

}  // namespace etude
