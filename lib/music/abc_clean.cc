#include "lib/music/abc_clean.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <utility>

namespace etude {
namespace {

constexpr std::string_view kBlanks = " \t\v\f";
// What music is written with: notes, rests, accidentals, lengths, bars, groups, and the ornaments
// that ABC 2.1 section 4.14 defines. Everything else that may stand in a line of music is layout or
// private shorthand.
constexpr std::string_view kMusic = "ABCDEFGabcdefgzZxX^_=,'0123456789/<>|:[](){}-.~&HLMOPSTuv";
constexpr std::string_view kNotes = "ABCDEFGabcdefg";
constexpr std::size_t kMaxOrnamentName = 24;
constexpr std::size_t kMaxFieldChars = 24;
constexpr std::size_t kOpeningSteps = 12;  // of the melody that tells versions of one tune
constexpr std::size_t kMaxTitles = 16;

bool Contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), ToLower);
  return lower;
}

// Takes the first line off `text`; lines end in LF, CRLF or CR.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  const bool is_crlf = text.substr(end).starts_with("\r\n");
  text.remove_prefix(std::min(text.size(), end + (is_crlf ? 2 : 1)));
  return line;
}

struct Field {
  char letter = 0;
  std::string_view value;
};

// "K: Gm % comment" is K and "Gm". In music "A:|" and "c::" end a section; they are no fields.
std::optional<Field> ParseField(std::string_view line, bool in_music) {
  line = Trim(line);
  if (line.size() < 2 || line[1] != ':' || !(IsLetter(line[0]) || line[0] == '+')) return {};
  if (in_music && Contains("abcdefgz", line[0])) return {};
  if (in_music && line.size() > 2 && Contains("|:", line[2])) return {};
  const std::string_view value = line.substr(2);
  return Field{line[0], Trim(value.substr(0, value.find('%')))};
}

std::string CleanMeter(std::string_view value) {
  if (value.starts_with("C")) return value.starts_with("C|") ? "C|" : "C";
  const std::string lower = Lower(value);
  if (lower.starts_with("none") || lower.starts_with("frei")) return "none";
  std::string meter;
  for (const char c : value.substr(0, kMaxFieldChars)) {
    if (IsDigit(c) || Contains("+/()", c)) meter.push_back(c);
  }
  return meter.find('/') == std::string::npos ? "" : meter;
}

std::string CleanUnit(std::string_view value) {
  std::string unit;
  for (const char c : value.substr(0, kMaxFieldChars)) {
    if (!IsDigit(c) && c != '/') break;
    unit.push_back(c);
  }
  return unit.find('/') == std::string::npos ? "" : unit;
}

// "E Minor", "Emin" and "EMIN" are all "Em"; a mode nobody knows is taken for major, as players do.
std::string CleanMode(std::string_view value) {
  const std::string_view word = value.substr(0, std::min(value.find_first_of(" \t"), value.size()));
  if (word == "m") return "m";
  std::string mode = Lower(word.substr(0, 3));
  if (mode == "min" || mode == "aeo") return "m";
  for (const std::string_view known : {"mix", "dor", "phr", "lyd", "loc"}) {
    if (mode == known) return mode;
  }
  return "";
}

// Accidentals of a key beyond its signature: "D ^f =c" gives " ^f =c".
std::string KeyAccidentals(std::string_view value) {
  std::string accidentals;
  for (std::size_t i = 1; i + 1 < value.size() && accidentals.size() < kMaxFieldChars; ++i) {
    const bool is_first = Contains(kBlanks, value[i - 1]);
    if (is_first && Contains("^_=", value[i]) && Contains(kNotes, value[i + 1])) {
      accidentals += {' ', value[i], value[i + 1]};
    }
  }
  return accidentals;
}

// Empty if the field names no key (a clef, say). H, Es and As are the German names of B, Eb and Ab.
std::string CleanKey(std::string_view value) {
  if (Lower(value).starts_with("none")) return "none";
  if (Lower(value.substr(0, 2)) == "hp") return "HP";
  if (value.empty() || !Contains("ABCDEFGH", value[0])) return "";
  const std::size_t word_end = std::min(value.find_first_of(" \t"), value.size());
  const std::string_view word = value.substr(0, word_end);
  std::string key(1, value[0] == 'H' ? 'B' : value[0]);
  std::string_view rest = value.substr(1);
  if (!rest.empty() && Contains("#b", rest[0])) {
    key.push_back(rest[0]);
    rest.remove_prefix(1);
  } else if (word == "Es" || word == "As") {
    key.push_back('b');
    rest.remove_prefix(1);
  }
  return key + CleanMode(Trim(rest)) + KeyAccidentals(rest);
}

// Lower-case letters and digits of a title without what editions vary: "(comments)", " -- Reel",
// the article.
std::string TitleKey(std::string_view title) {
  if (const std::size_t dash = title.find(" --"); dash != std::string_view::npos && dash > 0) {
    title = title.substr(0, dash);
  }
  std::string key;
  int depth = 0;
  for (const char c : title) {
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    if (depth == 0 && (IsLetter(c) || IsDigit(c))) key.push_back(ToLower(c));
  }
  if (key.starts_with("the")) key.erase(0, 3);
  if (key.ends_with("the")) key.resize(key.size() - 3);
  return key;
}

// `text` from `at` to the next `mark`, if that closes a name and not another phrase.
std::optional<std::string_view> NameWithin(std::string_view text, std::size_t at, char mark) {
  const std::size_t end = text.find(mark, at);
  if (end == std::string_view::npos || end == at || end - at > kMaxOrnamentName) return {};
  const std::string_view name = text.substr(at, end - at);
  if (name.find_first_of(" |") != std::string_view::npos) return {};
  return name;
}

// Words, not music: two neighbouring letters that stand for nothing in ABC.
bool IsProse(std::string_view line) {
  bool quoted = false;
  int strangers = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '%' && !quoted) return false;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '!' || c == '+') {
      if (const auto name = NameWithin(line, i + 1, c)) i += name->size() + 1;
    }
    if (c == '[' && i + 2 < line.size() && line[i + 2] == ':') {
      i = std::min(line.find(']', i), line.size() - 1);
    }
    strangers = IsLetter(c) && !Contains(kMusic, c) && c != 'y' ? strangers + 1 : 0;
    if (strangers == 2) return true;
  }
  return false;
}

CleanTune Dropped(TuneFault fault) {
  CleanTune tune;
  tune.fault = fault;
  return tune;
}

class TuneCleaner {
 public:
  void AddLine(std::string_view line) {
    if (const auto field = ParseField(line, in_music_)) {
      AddField(*field);
    } else if (in_music_ && !IsProse(line)) {
      AddMusic(line);
    }
  }

  CleanTune Finish() {
    CleanTune tune;
    EndLine();
    if (!in_music_) return Dropped(TuneFault::kNoKey);
    if (opening_.empty()) return Dropped(TuneFault::kNoMusic);
    tune.text = Header();
    for (const std::string& line : lines_) tune.text += line + "\n";
    if (tune.text.size() > kMaxTuneChars) return Dropped(TuneFault::kTooLong);
    tune.body_key = BodyKey();
    tune.version_keys = VersionKeys();
    return tune;
  }

 private:
  std::string Header() const {
    std::string header;
    if (!meter_.empty()) header += "M:" + meter_ + "\n";
    if (!unit_.empty()) header += "L:" + unit_ + "\n";
    return header + "K:" + key_ + "\n";
  }

  void AddField(const Field& field) {
    if (field.letter == 'T' && titles_.size() < kMaxTitles)
      titles_.push_back(TitleKey(field.value));
    const std::string value = CleanValue(field);
    if (in_music_) {
      if (!value.empty()) AddWholeLine(std::string{field.letter, ':'} + value);
      return;
    }
    if (field.letter == 'M') meter_ = value;
    if (field.letter == 'L') unit_ = value;
    if (field.letter == 'K') {
      key_ = value.empty() ? "none" : value;
      in_music_ = true;
    }
  }

  // Empty for a field that is not kept.
  std::string CleanValue(const Field& field) {
    switch (field.letter) {
      case 'K':
        return CleanKey(field.value);
      case 'M':
        return CleanMeter(field.value);
      case 'L':
        return CleanUnit(field.value);
      case 'V':
        return in_music_ ? VoiceNumber(field.value) : "";
      default:
        return "";
    }
  }

  std::string VoiceNumber(std::string_view value) {
    const std::string name(value.substr(0, std::min(value.find_first_of(" \t"), value.size())));
    auto found = std::find(voices_.begin(), voices_.end(), name);
    if (found == voices_.end()) found = voices_.insert(voices_.end(), name);
    return std::to_string(found - voices_.begin() + 1);
  }

  void AddWholeLine(std::string line) {
    EndLine();
    lines_.push_back(std::move(line));
    field_lines_.push_back(true);
  }

  void EndLine() {
    const std::string_view line = Trim(current_);
    // What is left may read as a field, as after the quotes of "solo"T:Name.
    const bool is_field = ParseField(line, /*in_music=*/true).has_value();
    if (!is_field && line.find_first_of("ABCDEFGabcdefgzZxX|") != std::string_view::npos) {
      lines_.emplace_back(line);
      field_lines_.push_back(false);
    }
    current_.clear();
  }

  void AddMusic(std::string_view line) {
    bool continued = false;
    for (std::size_t i = 0; i < line.size() && line[i] != '%'; ++i) {
      const char c = line[i];
      if (Contains(kBlanks, c)) {
        AddBlank();
        continue;
      }
      continued = c == '\\';
      if (c == '"') {
        i = std::min(line.find('"', i + 1), line.size() - 1);
      } else if (c == '!' || c == '+') {
        i = AddMarked(line, i);
      } else if (c == '[' && i + 2 < line.size() && IsLetter(line[i + 1]) && line[i + 2] == ':') {
        i = AddInlineField(line, i);
      } else if (Contains(kMusic, c)) {
        AddMusicChar(c);
      }
    }
    if (continued) {
      AddBlank();
    } else {
      EndLine();
    }
  }

  void AddBlank() {
    if (!current_.empty() && current_.back() != ' ') current_.push_back(' ');
  }

  void AddMusicChar(char c) {
    current_.push_back(c);
    if (c == '{' || c == '}') in_grace_ = c == '{';
    if (!in_grace_ && Contains(kNotes, c) && opening_.size() <= kOpeningSteps) {
      opening_.push_back(ToLower(c));
    }
  }

  // !trill! is dropped; +E3A3+ is a chord of the first ABC standard, +trill+ an ornament of a later
  // one; a mark alone was a line break. Returns the index of the last character used.
  std::size_t AddMarked(std::string_view line, std::size_t at) {
    const auto name = NameWithin(line, at + 1, line[at]);
    if (!name) return at;
    if (line[at] == '+' &&
        name->find_first_not_of("ABCDEFGabcdefg^_=,'0123456789/") == std::string_view::npos) {
      current_.push_back('[');
      for (const char c : *name) AddMusicChar(c);
      current_.push_back(']');
    }
    return at + name->size() + 1;
  }

  std::size_t AddInlineField(std::string_view line, std::size_t at) {
    const std::size_t end = std::min(line.find(']', at), line.size());
    const Field field{line[at + 1], Trim(line.substr(at + 3, end - std::min(end, at + 3)))};
    const std::string value = CleanValue(field);
    if (!value.empty()) current_ += std::string{'[', field.letter, ':'} + value + "]";
    return std::min(end, line.size() - 1);
  }

  std::string BodyKey() const;

  std::vector<std::string> VersionKeys() const {
    std::vector<std::string> keys;
    for (const std::string& title : titles_) {
      if (!title.empty()) keys.push_back("title " + title);
    }
    if (opening_.size() > kOpeningSteps) {
      std::string steps = "opening ";
      for (std::size_t i = 1; i < opening_.size(); ++i) {
        steps.push_back(static_cast<char>('0' + (opening_[i] - opening_[i - 1] + 7) % 7));
      }
      keys.push_back(std::move(steps));
    }
    return keys;
  }

  bool in_music_ = false;
  bool in_grace_ = false;
  std::string meter_, unit_, key_;
  std::vector<std::string> titles_;
  std::vector<std::string> voices_;
  std::vector<std::string> lines_;  // cleaned lines of the body
  std::vector<bool> field_lines_;   // which of them are fields
  std::string current_;             // the line being put together
  std::string opening_;             // letters of the first notes
};

// Appends `line` to `key` with every kind of bar line as '|', without blanks and slurs.
void AppendBodyKey(std::string_view line, std::string& key) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const char next = i + 1 < line.size() ? line[i + 1] : '\0';
    const bool is_slur = c == ')' || (c == '(' && !IsDigit(next));
    const bool is_bracket_of_bar = (c == '[' && (next == '|' || IsDigit(next))) ||
                                   (c == ']' && !key.empty() && key.back() == '|');
    if (c == ' ' || is_slur) continue;
    if (c == '|' || c == ':' || is_bracket_of_bar) {
      if (!key.empty() && key.back() != '|') key.push_back('|');
    } else {
      key.push_back(c);
    }
  }
}

std::string TuneCleaner::BodyKey() const {
  std::string key;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (field_lines_[i]) {
      key += lines_[i];
    } else {
      AppendBodyKey(lines_[i], key);
    }
  }
  while (key.ends_with('|')) key.pop_back();
  return "K:" + key_ + "\n" + key;
}

}  // namespace

std::vector<std::string_view> SplitTunes(std::string_view text) {
  std::vector<std::string_view> tunes;
  const std::string_view whole = text;
  std::optional<std::size_t> start;
  while (!text.empty()) {
    const std::size_t at = whole.size() - text.size();
    if (!Trim(TakeLine(text)).starts_with("X:")) continue;
    if (start) tunes.push_back(whole.substr(*start, at - *start));
    start = at;
  }
  if (start) tunes.push_back(whole.substr(*start));
  return tunes;
}

CleanTune CleanAbcTune(std::string_view tune) {
  if (tune.size() > kMaxTuneChars) return Dropped(TuneFault::kTooLong);
  TuneCleaner cleaner;
  while (!tune.empty()) cleaner.AddLine(TakeLine(tune));
  return cleaner.Finish();
}

}  // namespace etude
