// ABC text (abcnotation.com, standard 2.1) as lexemes: views that, put one after another, give the
// text again byte for byte. Any bytes are accepted; what means nothing is kUnknown.
#ifndef ETUDE_LIB_MUSIC_ABC_LEXER_H_
#define ETUDE_LIB_MUSIC_ABC_LEXER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/music/rational.h"

namespace etude {

enum class AbcLexKind : std::uint8_t {
  // Whole lines, without their end; a field ends where a comment begins.
  kField,      // "K:Gm"; also "+:goes on"
  kDirective,  // "%%MIDI program 24"
  kComment,    // "% sic", at the end of any line
  kText,       // a line that is neither field nor music: in a header, after the tune's empty line,
               // between %%begintext and %%endtext
  kLineEnd,    // "\n", "\r\n" or "\r"
  // In lines of music.
  kSpace,         // blanks; backquotes, which mean as little
  kContinuation,  // the backslash at a line's end
  kNote,          // "^f'3/2": accidental, letter, octave, length
  kRest,          // "z2", "x/"
  kBarRest,       // "Z4", "X": whole bars
  kSpacer,        // "y", which takes no time
  kChordOpen,     // "["
  kChordClose,    // "]", "]3/2": with the chord's length
  kGraceOpen,     // "{", "{/"
  kGraceClose,    // "}"
  kTuplet,        // "(3", "(3:2:4", "(3::2"
  kSlurOpen,      // "(", ".("
  kSlurClose,     // ")"
  kTie,           // "-", ".-"
  kBroken,        // ">", "<<"
  kBar,           // "|", "|]", "[|:", ":|", "::", ".|"
  kEnding,        // "1", "1,3" right after a bar, also over a continued line's end; "[1", "[2-4"
  kOverlay,       // "&"
  kInlineField,   // "[K:G]"
  kQuoted,        // "\"Am\""
  kDecoration,    // "!trill!", "+trill+"
  kMark,          // one-letter ornaments of the standard: "~", ".", "H", "u"
  kBreak,         // "!" alone, "$": a line break of the score
  kUnknown,       // one character; among them letters that only U: would give a meaning
};

struct AbcLexeme {
  AbcLexKind kind = AbcLexKind::kUnknown;
  std::string_view text;  // never empty
};

// Reads lexemes one by one; the text must outlive it.
class AbcLexer {
 public:
  // kMusic: `text` begins with music, as a part of a tune does; "X:" or "K:" lines are then fields
  // of the tune's body.
  enum class Start { kHeader, kMusic };
  explicit AbcLexer(std::string_view text, Start start = Start::kHeader);

  // False at the end of the text.
  bool Next(AbcLexeme& lexeme);

 private:
  enum class Part : std::uint8_t { kHeader, kMusic, kAfter };

  AbcLexeme Take(AbcLexKind kind, std::size_t size);
  AbcLexeme LineStart();
  AbcLexeme FieldLine(std::size_t size);
  AbcLexeme LineEnd();
  AbcLexeme Music();
  AbcLexeme Bracket();
  AbcLexeme Parenthesis();
  AbcLexeme Dot();
  AbcLexeme Named(char mark);
  AbcLexeme Backslash();
  AbcLexeme Unknown();
  std::string_view LineRest() const;

  std::string_view rest_;
  std::size_t line_left_ = 0;  // of the line, once it is begun
  Part part_ = Part::kHeader;
  bool at_line_start_ = true;
  bool line_empty_ = true;
  bool text_block_ = false;  // between %%begintext and %%endtext
  bool after_bar_ = false;   // where a digit is an ending
  bool continued_ = false;   // the line goes on after its end
};

std::vector<AbcLexeme> LexAbc(std::string_view text,
                              AbcLexer::Start start = AbcLexer::Start::kHeader);

// "3/2", "/", "//", "" (1) as ABC writes lengths; not exact for a number too large, or "/0".
Rational ParseAbcLength(std::string_view text);

// A kNote, taken apart.
struct AbcNote {
  std::optional<int> accidental;  // semitones, -2..2; nullopt: none is written
  char letter = 'C';              // 'A'..'G'
  int octave = 0;                 // above the one of middle C; "C" 0, "c" 1, "C," -1
  std::string_view length;        // for ParseAbcLength

  // MIDI key number without key signature and accidentals; may lie outside 0..127.
  int NaturalPitch() const;
};
// `text` is that of a kNote.
AbcNote ParseAbcNote(std::string_view text);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_LEXER_H_
