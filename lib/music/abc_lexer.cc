#include "lib/music/abc_lexer.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace etude {
namespace {

constexpr std::size_t kMaxDecorationName = 24;
constexpr std::size_t kMaxInlineField = 4096;
constexpr std::size_t kMaxDigits = 9;  // of a length
constexpr std::string_view kBlanks = " \t\v\f`";

enum : std::uint8_t { kIsNote = 1, kIsAccidental = 2, kIsDigit = 4, kIsBlank = 8, kIsMark = 16 };

constexpr std::array<std::uint8_t, 256> MakeClasses() {
  std::array<std::uint8_t, 256> classes = {};
  const auto add = [&](std::string_view set, std::uint8_t what) {
    for (const char c : set) classes[static_cast<unsigned char>(c)] |= what;
  };
  add("ABCDEFGabcdefg", kIsNote);
  add("^_=", kIsAccidental);
  add("0123456789", kIsDigit);
  add(kBlanks, kIsBlank);
  add("~HLMOPSTuvJR", kIsMark);
  return classes;
}
constexpr std::array<std::uint8_t, 256> kClasses = MakeClasses();

bool Is(char c, std::uint8_t what) { return (kClasses[static_cast<unsigned char>(c)] & what) != 0; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char At(std::string_view text, std::size_t i) { return i < text.size() ? text[i] : '\0'; }

std::size_t LineSize(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size() && text[i] != '\n' && text[i] != '\r') ++i;
  return i;
}

std::size_t SkipBlanks(std::string_view text, std::size_t i) {
  while (i < text.size() && Is(text[i], kIsBlank)) ++i;
  return i;
}

std::size_t SkipDigits(std::string_view text, std::size_t i) {
  while (i < text.size() && Is(text[i], kIsDigit)) ++i;
  return i;
}

std::size_t SkipLength(std::string_view text, std::size_t i) {
  i = SkipDigits(text, i);
  if (At(text, i) != '/') return i;
  const std::size_t after = SkipDigits(text, i + 1);
  if (after > i + 1) return after;
  while (At(text, i) == '/') ++i;
  return i;
}

// Of a note at the start of `text`; 0 if there is none.
std::size_t NoteSize(std::string_view text) {
  std::size_t i = 0;
  const char first = At(text, 0);
  if (Is(first, kIsAccidental)) {
    ++i;
    if (first != '=' && At(text, i) == first) ++i;
  }
  if (!Is(At(text, i), kIsNote)) return 0;
  ++i;
  while (At(text, i) == '\'' || At(text, i) == ',') ++i;
  return SkipLength(text, i);
}

// Of a bar line at the start of `text`: colons, a bracket, bars, a bracket, colons; or two colons.
// A colon before a bar is that one's.
std::size_t BarSize(std::string_view text) {
  std::size_t i = 0;
  while (At(text, i) == ':') ++i;
  const std::size_t colons = i;
  if (At(text, i) == '[' && At(text, i + 1) == '|') ++i;
  const std::size_t bars = i;
  while (At(text, i) == '|') ++i;
  if (i == bars) return colons >= 2 ? colons : 0;
  const bool closed = At(text, i) == ']';
  if (closed) ++i;
  while (At(text, i) == ':' && !(closed && At(text, i + 1) == '|')) ++i;
  return i;
}

// Digits with "," and "-" between them.
std::size_t EndingSize(std::string_view text, std::size_t i) {
  i = SkipDigits(text, i);
  while ((At(text, i) == ',' || At(text, i) == '-') && Is(At(text, i + 1), kIsDigit)) {
    i = SkipDigits(text, i + 1);
  }
  return i;
}

// "p", "p:q", "p:q:r" after the parenthesis; a colon that begins a bar line is none of it.
std::size_t TupletSize(std::string_view text) {
  std::size_t i = SkipDigits(text, 1);
  for (int part = 0; part < 2 && At(text, i) == ':' && At(text, i + 1) != '|'; ++part) {
    i = SkipDigits(text, i + 1);
  }
  return i;
}

// A line that begins "X:" is a field, but in music "A:|" and "c::" end a section.
bool IsFieldLine(std::string_view line, bool in_music) {
  if (line.size() < 2 || line[1] != ':' || !(IsLetter(line[0]) || line[0] == '+')) return false;
  if (!in_music || line[0] == 'w' || line[0] == 'W' || line[0] == '+') return true;
  const char next = At(line, 2);
  return std::string_view("abcdefgxyz").find(line[0]) == std::string_view::npos && next != '|' &&
         next != ':';
}

// Not exact where there are too many digits.
Rational Number(std::string_view digits) {
  if (digits.size() > kMaxDigits) return {1, 0};
  std::int64_t number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return number;
}

}  // namespace

AbcLexer::AbcLexer(std::string_view text, Start start)
    : rest_(text), part_(start == Start::kHeader ? Part::kHeader : Part::kMusic) {}

bool AbcLexer::Next(AbcLexeme& lexeme) {
  if (rest_.empty()) return false;
  if (rest_.front() == '\n' || rest_.front() == '\r') {
    lexeme = LineEnd();
  } else if (at_line_start_) {
    lexeme = LineStart();
  } else {
    lexeme = Music();
  }
  return true;
}

AbcLexeme AbcLexer::Take(AbcLexKind kind, std::size_t size) {
  const AbcLexeme lexeme{kind, rest_.substr(0, size)};
  rest_.remove_prefix(size);
  line_left_ -= std::min(size, line_left_);
  return lexeme;
}

std::string_view AbcLexer::LineRest() const { return rest_.substr(0, line_left_); }

AbcLexeme AbcLexer::LineEnd() {
  if (line_empty_ && part_ == Part::kMusic && !text_block_) part_ = Part::kAfter;
  at_line_start_ = true;
  line_empty_ = true;
  after_bar_ = after_bar_ && continued_;
  continued_ = false;
  return Take(AbcLexKind::kLineEnd, rest_.starts_with("\r\n") ? 2 : 1);
}

AbcLexeme AbcLexer::LineStart() {
  line_left_ = LineSize(rest_);
  const std::string_view line = LineRest();
  if (const std::size_t blanks = SkipBlanks(line, 0); blanks != 0) {
    return Take(AbcLexKind::kSpace, blanks);
  }
  at_line_start_ = false;
  line_empty_ = false;
  if (line.starts_with("%%")) {
    if (line.starts_with("%%begintext")) text_block_ = true;
    if (line.starts_with("%%endtext")) text_block_ = false;
    return Take(AbcLexKind::kDirective, line.size());
  }
  if (line.front() == '%') return Take(AbcLexKind::kComment, line.size());
  if (!text_block_ && IsFieldLine(line, part_ == Part::kMusic)) return FieldLine(line.size());
  if (text_block_ || part_ != Part::kMusic) return Take(AbcLexKind::kText, line.size());
  return Music();
}

AbcLexeme AbcLexer::FieldLine(std::size_t size) {
  const char letter = rest_.front();
  if (letter == 'X' && part_ != Part::kHeader) part_ = Part::kHeader;
  if (letter == 'K' && part_ == Part::kHeader) part_ = Part::kMusic;
  return Take(AbcLexKind::kField, std::min(rest_.substr(0, size).find('%'), size));
}

// The rest of a line of music; after a field only its comment is left.
AbcLexeme AbcLexer::Music() {
  const bool after_bar = std::exchange(after_bar_, false);
  const char c = rest_.front();
  if (Is(c, kIsNote | kIsAccidental)) {
    const std::size_t size = NoteSize(rest_);
    return size > 0 ? Take(AbcLexKind::kNote, size) : Unknown();
  }
  switch (c) {
    case '|':
    case ':': {
      const std::size_t size = BarSize(rest_);
      after_bar_ = size > 0;
      return size > 0 ? Take(AbcLexKind::kBar, size) : Unknown();
    }
    case ' ':
    case '\t':
    case '\v':
    case '\f':
    case '`':
      return Take(AbcLexKind::kSpace, SkipBlanks(rest_, 0));
    case 'z':
    case 'x':
      return Take(AbcLexKind::kRest, SkipLength(rest_, 1));
    case 'Z':
    case 'X':
      return Take(AbcLexKind::kBarRest, SkipDigits(rest_, 1));
    case 'y':
      return Take(AbcLexKind::kSpacer, SkipLength(rest_, 1));
    case '[':
      return Bracket();
    case ']':
      return Take(AbcLexKind::kChordClose, SkipLength(rest_, 1));
    case '{':
      return Take(AbcLexKind::kGraceOpen, At(rest_, 1) == '/' ? 2 : 1);
    case '}':
      return Take(AbcLexKind::kGraceClose, 1);
    case '(':
      return Parenthesis();
    case ')':
      return Take(AbcLexKind::kSlurClose, 1);
    case '-':
      return Take(AbcLexKind::kTie, 1);
    case '<':
    case '>':
      return Take(AbcLexKind::kBroken, std::min(rest_.find_first_not_of(c), rest_.size()));
    case '&':
      return Take(AbcLexKind::kOverlay, 1);
    case '.':
      return Dot();
    case '"':
    case '!':
    case '+':
      return Named(c);
    case '$':
      return Take(AbcLexKind::kBreak, 1);
    case '%':
      return Take(AbcLexKind::kComment, LineRest().size());
    case '\\':
      after_bar_ = after_bar;
      return Backslash();
    default:
      if (after_bar && Is(c, kIsDigit)) return Take(AbcLexKind::kEnding, EndingSize(rest_, 0));
      return Is(c, kIsMark) ? Take(AbcLexKind::kMark, 1) : Unknown();
  }
}

AbcLexeme AbcLexer::Bracket() {
  const char next = At(rest_, 1);
  if (next == '|') {
    after_bar_ = true;
    return Take(AbcLexKind::kBar, BarSize(rest_));
  }
  if (Is(next, kIsDigit)) return Take(AbcLexKind::kEnding, EndingSize(rest_, 1));
  if (IsLetter(next) && At(rest_, 2) == ':') {
    const std::size_t end = LineRest().substr(0, kMaxInlineField).find(']');
    if (end != std::string_view::npos) return Take(AbcLexKind::kInlineField, end + 1);
  }
  return Take(AbcLexKind::kChordOpen, 1);
}

AbcLexeme AbcLexer::Parenthesis() {
  if (Is(At(rest_, 1), kIsDigit)) return Take(AbcLexKind::kTuplet, TupletSize(rest_));
  return Take(AbcLexKind::kSlurOpen, 1);
}

AbcLexeme AbcLexer::Dot() {
  switch (At(rest_, 1)) {
    case '|':
      after_bar_ = true;
      return Take(AbcLexKind::kBar, 1 + BarSize(rest_.substr(1)));
    case '(':
      if (!Is(At(rest_, 2), kIsDigit)) return Take(AbcLexKind::kSlurOpen, 2);
      break;
    case '-':
      return Take(AbcLexKind::kTie, 2);
    default:
      break;
  }
  return Take(AbcLexKind::kMark, 1);
}

// Text between two of `mark` on one line. An exclamation mark that begins no name is a line break.
AbcLexeme AbcLexer::Named(char mark) {
  if (mark == '"') {
    const std::size_t end = LineRest().find(mark, 1);
    return end == std::string_view::npos ? Unknown() : Take(AbcLexKind::kQuoted, end + 1);
  }
  const std::string_view line = LineRest().substr(0, kMaxDecorationName + 2);
  const std::size_t end = line.find(mark, 1);
  const bool named = end != std::string_view::npos && end > 1 &&
                     line.substr(0, end).find_first_of(" |") == std::string_view::npos;
  if (named) return Take(AbcLexKind::kDecoration, end + 1);
  return mark == '!' ? Take(AbcLexKind::kBreak, 1) : Unknown();
}

AbcLexeme AbcLexer::Backslash() {
  const std::string_view line = LineRest();
  const std::size_t after = SkipBlanks(line, 1);
  const bool ends_line = after == line.size() || line[after] == '%';
  continued_ = ends_line;
  return ends_line ? Take(AbcLexKind::kContinuation, 1) : Unknown();
}

// One character, UTF-8 or not.
AbcLexeme AbcLexer::Unknown() {
  const char c = rest_.front();
  std::size_t size = 1;
  while (size < 4 && (static_cast<unsigned char>(c) & 0xC0) == 0xC0 &&
         (static_cast<unsigned char>(At(rest_, size)) & 0xC0) == 0x80) {
    ++size;
  }
  return Take(AbcLexKind::kUnknown, size);
}

std::vector<AbcLexeme> LexAbc(std::string_view text, AbcLexer::Start start) {
  std::vector<AbcLexeme> lexemes;
  AbcLexer lexer(text, start);
  AbcLexeme lexeme;
  while (lexer.Next(lexeme)) lexemes.push_back(lexeme);
  return lexemes;
}

Rational ParseAbcLength(std::string_view text) {
  if (text.empty()) return 1;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const Rational num = slash == 0 ? Rational(1) : Number(text.substr(0, slash));
  const std::string_view den = text.substr(slash);
  if (den.empty()) return num;
  if (den.back() != '/') return num / Number(den.substr(1));
  return num * (den.size() < 31 ? Rational(1, std::int64_t{1} << den.size()) : Rational(1, 0));
}

AbcNote ParseAbcNote(std::string_view text) {
  AbcNote note;
  std::size_t i = 0;
  int accidental = 0;
  for (; Is(At(text, i), kIsAccidental); ++i) {
    if (text[i] != '=') accidental += text[i] == '^' ? 1 : -1;
    note.accidental = accidental;
  }
  note.letter = At(text, i);
  if (note.letter >= 'a') {
    note.letter = static_cast<char>(note.letter - 'a' + 'A');
    note.octave = 1;
  }
  for (++i; At(text, i) == '\'' || At(text, i) == ','; ++i) {
    constexpr int kFarOctave = 100;  // nothing sounds there
    if (std::abs(note.octave) < kFarOctave) note.octave += text[i] == '\'' ? 1 : -1;
  }
  note.length = text.substr(std::min(i, text.size()));
  return note;
}

int AbcNote::NaturalPitch() const {
  constexpr std::array<int, 7> kFromC = {9, 11, 0, 2, 4, 5, 7};  // of A..G
  return 60 + 12 * octave + kFromC[static_cast<std::size_t>(letter - 'A')];
}

}  // namespace etude
