#include "lib/music/abc_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "lib/music/abc_lexer.h"

namespace etude {
namespace {

constexpr std::string_view kBlanks = " \t\v\f";
constexpr std::string_view kAccidentals = "^_=";
constexpr int kMaxTranspose = 127;  // semitones; beyond nothing sounds

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool Contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

bool StartsWithWord(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(),
                                                   [](char a, char b) { return a == ToLower(b); });
}

std::string_view TakeDigits(std::string_view& text) {
  std::size_t i = 0;
  while (i < text.size() && IsDigit(text[i])) ++i;
  const std::string_view digits = text.substr(0, i);
  text.remove_prefix(i);
  return digits;
}

bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// "3", "1/4", "/4"; not exact if it is something else.
Rational ParseFraction(std::string_view text) {
  const bool is_length = !text.empty() &&
                         std::ranges::all_of(text, [](char c) { return IsDigit(c) || c == '/'; }) &&
                         std::ranges::count(text, '/') <= 1;
  return is_length ? ParseAbcLength(text) : Rational(1, 0);
}

std::string_view Unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// "treble-8" sounds an octave lower, "bass+15" two higher; 0 for other words.
int ClefTranspose(std::string_view clef) {
  const std::size_t sign = clef.find_last_of("+-");
  if (sign == std::string_view::npos) return 0;
  const std::string_view interval = clef.substr(sign + 1);
  const int octaves = interval == "8" ? 1 : interval == "15" ? 2 : 0;
  return clef[sign] == '-' ? -12 * octaves : 12 * octaves;
}

void AddTranspose(int semitones, AbcStaff& staff) {
  staff.transpose =
      std::clamp(staff.transpose.value_or(0) + semitones, -kMaxTranspose, kMaxTranspose);
}

bool IsClef(std::string_view word) {
  for (const std::string_view clef :
       {"treble", "bass", "alto", "tenor", "perc", "soprano", "mezzo"}) {
    if (word.starts_with(clef)) return true;
  }
  return false;
}

// A word of K: or V: about the staff; others are of no weight here.
void ReadStaffWord(std::string_view word, AbcStaff& staff) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) {
    if (IsClef(word) && ClefTranspose(word) != 0) AddTranspose(ClefTranspose(word), staff);
    return;
  }
  const std::string_view name = word.substr(0, equals);
  const std::string_view value = Unquoted(word.substr(equals + 1));
  if (name == "transpose" || name == "t") {
    if (const auto semitones = ParseAbcNumber(value)) AddTranspose(*semitones, staff);
  } else if (name == "octave") {
    if (const auto octaves = ParseAbcNumber(value)) {
      AddTranspose(12 * std::clamp(*octaves, -10, 10), staff);
    }
  } else if (name == "clef" && ClefTranspose(value) != 0) {
    AddTranspose(ClefTranspose(value), staff);
  } else if (name == "name" || name == "nm") {
    staff.name = std::string(value);
  }
}

// "^f_B=c" onto the signature. False if that is not what `text` says.
bool ReadAccidentals(std::string_view text, AbcSignature& signature) {
  while (!text.empty()) {
    int accidental = 0;
    std::size_t signs = 0;
    for (; !text.empty() && Contains(kAccidentals, text.front()) && signs < 3; ++signs) {
      if (text.front() != '=') accidental += text.front() == '^' ? 1 : -1;
      text.remove_prefix(1);
    }
    if (signs == 0 || text.empty()) return false;
    const char letter = ToLower(text.front());
    if (letter < 'a' || letter > 'g') return false;
    signature[static_cast<std::size_t>(letter - 'a')] = static_cast<std::int8_t>(accidental);
    text.remove_prefix(1);
  }
  return true;
}

AbcSignature SignatureOf(const Key& key) {
  AbcSignature signature = {};
  for (char letter = 'A'; letter <= 'G'; ++letter) {
    signature[static_cast<std::size_t>(letter - 'A')] =
        static_cast<std::int8_t>(SignatureAccidental(key, letter));
  }
  return signature;
}

// The key of `signature` with the tonic of `near` where one has it; nullopt: no key has it.
std::optional<Key> KeyOfSignature(const AbcSignature& signature, const Key& near) {
  constexpr int kModes = 7;
  for (int fifths = -7; fifths <= 7; ++fifths) {
    Key key{fifths, Mode::kMajor};
    if (SignatureOf(key) != signature) continue;
    for (int mode = 0; mode < kModes; ++mode) {
      key.mode = static_cast<Mode>(mode);
      if (TonicPitchClass(key) == TonicPitchClass(near)) return key;
    }
    return Key{fifths, Mode::kMajor};
  }
  return std::nullopt;
}

// The tonic and mode, with what is written to them without a blank: "Dmix=c".
void ReadTonic(std::string_view name, AbcKey& key) {
  const std::size_t accidentals = std::min(name.find_first_of(kAccidentals), name.size());
  key.key = ParseKeyName(name.substr(0, accidentals));
  key.readable = key.named = key.key.has_value();
  if (!key.readable) return;
  key.signature = SignatureOf(*key.key);
  ReadAccidentals(name.substr(accidentals), key.signature);
}

bool IsTonic(std::string_view word) {
  return !word.empty() &&
         ((word.front() >= 'A' && word.front() <= 'G') || StartsWithWord(word, "hp"));
}

}  // namespace

std::string_view TrimAbc(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

AbcField SplitAbcField(std::string_view text) {
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  return {text.front(), TrimAbc(text.substr(2))};
}

std::optional<std::string_view> AbcWords::Next() {
  rest_ = TrimAbc(rest_);
  if (rest_.empty()) return std::nullopt;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < rest_.size() && (quoted || !Contains(kBlanks, rest_[i])); ++i) {
    if (rest_[i] == '"') quoted = !quoted;
  }
  const std::string_view word = rest_.substr(0, i);
  rest_.remove_prefix(i);
  return word;
}

Rational AbcMeter::default_unit() const {
  return !free() && bar() < Rational(3, 4) ? Rational(1, 16) : Rational(1, 8);
}

std::string AbcMeter::text() const {
  return free() ? "none" : std::to_string(beats) + "/" + std::to_string(unit);
}

std::optional<AbcMeter> ParseAbcMeter(std::string_view text) {
  constexpr int kMaxBeats = 255;
  if (text.starts_with("C|")) return AbcMeter{2, 2};
  if (text.starts_with("C")) return AbcMeter{4, 4};
  if (StartsWithWord(text, "none") || StartsWithWord(text, "free")) return AbcMeter{0, 4};
  Take(text, '(');
  int beats = 0;
  do {
    const std::string_view digits = TakeDigits(text);
    if (digits.empty() || digits.size() > 3) return std::nullopt;
    beats += ParseAbcNumber(digits).value_or(0);
    while (Take(text, ' ')) {
    }
  } while (Take(text, '+') && beats <= kMaxBeats);
  Take(text, ')');
  if (!Take(text, '/')) return std::nullopt;
  const int unit = ParseAbcNumber(TakeDigits(text)).value_or(0);
  const bool power = unit >= 1 && unit <= 64 && (unit & (unit - 1)) == 0;
  if (beats < 1 || beats > kMaxBeats || !power) return std::nullopt;
  return AbcMeter{beats, unit};
}

std::optional<Rational> ParseAbcUnit(std::string_view text) {
  const Rational unit = ParseFraction(AbcWords(text).Next().value_or(""));
  if (!unit.exact() || unit <= 0 || unit > 16 || unit.den() > 1024) return std::nullopt;
  return unit;
}

AbcTempo ParseAbcTempo(std::string_view text, Rational unit) {
  constexpr std::int64_t kMaxUsPerQuarter = (1 << 24) - 1;
  AbcTempo tempo;
  Rational beat = 0;
  bool words = false;
  std::optional<std::string_view> rate;
  std::optional<std::string_view> bare;  // the first word
  for (AbcWords all(text); auto word = all.Next();) {
    if (word->starts_with('"')) {
      words = true;
      continue;
    }
    const std::size_t equals = word->find('=');
    const std::string_view left = word->substr(0, std::min(equals, word->size()));
    if (equals == std::string_view::npos && rate) break;
    if (!bare) bare = word;
    if (equals != std::string_view::npos) rate = word->substr(equals + 1);
    if (!left.empty()) beat += ParseFraction(left);
    if (rate && rate->empty()) rate = all.Next().value_or("");
  }
  if (!rate && bare) {
    rate = bare;
    beat = unit;
  }
  double per_minute = 0;
  if (rate) std::from_chars(rate->data(), rate->data() + rate->size(), per_minute);
  const double quarters = 4 * beat.value() * per_minute;
  tempo.readable = words && !rate;
  if (!std::isfinite(quarters) || quarters <= 0) return tempo;
  tempo.readable = true;
  tempo.us_per_quarter = static_cast<std::int64_t>(
      std::clamp(std::round(60e6 / quarters), 1.0, static_cast<double>(kMaxUsPerQuarter)));
  return tempo;
}

AbcKey ParseAbcKey(std::string_view text) {
  AbcKey key;
  std::string tonic;  // "A Mixolydian" in two words
  std::string accidentals;
  bool explicit_only = false;
  bool none = false;
  bool first = true;
  for (AbcWords words(text); const auto word = words.Next(); first = false) {
    if (first && (StartsWithWord(*word, "none") || *word == "perc")) {
      none = true;
    } else if (first && IsTonic(*word)) {
      tonic = *word;
    } else if (*word == "exp") {
      explicit_only = true;
    } else if (Contains(kAccidentals, word->front())) {
      accidentals += *word;
    } else if (Contains(*word, '=') || IsClef(*word)) {
      ReadStaffWord(*word, key.staff);
      key.readable = true;
    } else if (!tonic.empty() && !Contains(tonic, ' ')) {
      tonic += ' ';
      tonic += *word;
    }
  }
  if (none || text.empty()) key.readable = key.named = true;
  if (!tonic.empty()) ReadTonic(tonic, key);
  if (explicit_only) key.signature = {};
  if (!accidentals.empty() && ReadAccidentals(accidentals, key.signature)) {
    key.readable = key.named = true;
  }
  const bool differs = key.key ? key.signature != SignatureOf(*key.key) : !accidentals.empty();
  if (key.named && differs) key.key = KeyOfSignature(key.signature, key.key.value_or(Key{}));
  return key;
}

AbcVoiceField ParseAbcVoiceField(std::string_view text) {
  AbcVoiceField voice;
  AbcWords words(text);
  voice.id = words.Next().value_or("");
  while (const auto word = words.Next()) ReadStaffWord(*word, voice.staff);
  return voice;
}

std::optional<int> ParseAbcNumber(std::string_view text) {
  constexpr int kMax = 1'000'000;
  Take(text, '+');
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number > kMax || number < -kMax) return std::nullopt;
  return number;
}

}  // namespace etude
