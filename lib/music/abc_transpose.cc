#include "lib/music/abc_transpose.h"

#include <array>
#include <cstdlib>

#include "lib/music/abc_lexer.h"
#include "lib/music/key.h"

namespace etude {
namespace {

constexpr int kSteps = 7;
constexpr int kSemitones = 12;
constexpr int kMostSignature = 6;  // sharps or flats of a key that is chosen here
constexpr std::string_view kLetters = "CDEFGAB";
constexpr std::array<std::string_view, 5> kAccidentals = {"__", "_", "=", "^", "^^"};

int StepOf(char letter) { return static_cast<int>(kLetters.find(letter)); }

// A key, and where it goes.
struct KeyMove {
  Key from;
  Key to;
  int steps = 0;  // of the scale
};

// The signature moves by 7 fifths a semitone, by the way that stays within six of them.
std::optional<KeyMove> MoveKey(std::string_view field, int semitones) {
  const std::optional<Key> key = ParseKeyName(field);
  if (!key || KeyName(*key) != field) return std::nullopt;  // HP, none, accidentals of its own
  KeyMove move{.from = *key, .to = *key};
  int fifths = (key->fifths + 7 * semitones) % kSemitones;
  if (fifths < 0) fifths += kSemitones;
  move.to.fifths = fifths > kMostSignature ? fifths - kSemitones : fifths;
  const int up = StepOf(KeyName(move.to)[0]) - StepOf(KeyName(*key)[0]);
  const int expected = (semitones * kSteps + (semitones > 0 ? 6 : -6)) / kSemitones;
  move.steps = up;
  for (const int steps : {up - kSteps, up + kSteps}) {
    if (std::abs(steps - expected) < std::abs(move.steps - expected)) move.steps = steps;
  }
  return move;
}

std::optional<std::string> MoveNote(std::string_view text, const KeyMove& move) {
  const AbcNote note = ParseAbcNote(text);
  const int place = note.octave * kSteps + StepOf(note.letter) + move.steps;
  const int octave = place >= 0 ? place / kSteps : -((kSteps - 1 - place) / kSteps);
  const char letter = kLetters[place - octave * kSteps];
  std::string moved;
  if (note.accidental) {
    const int alteration = *note.accidental - SignatureAccidental(move.from, note.letter) +
                           SignatureAccidental(move.to, letter);
    if (alteration < -2 || alteration > 2) return std::nullopt;
    moved += kAccidentals[alteration + 2];
  }
  moved += octave >= 1 ? static_cast<char>(letter - 'A' + 'a') : letter;
  if (octave > 1) moved.append(octave - 1, '\'');
  if (octave < 0) moved.append(-octave, ',');
  moved += note.length;
  return moved;
}

class Transposer {
 public:
  explicit Transposer(int semitones) : semitones_(semitones) {}

  bool Add(const AbcLexeme& lexeme) {
    const std::string_view text = lexeme.text;
    if (lexeme.kind == AbcLexKind::kField && text.starts_with("K:")) return AddKey("", text);
    if (lexeme.kind == AbcLexKind::kInlineField && text.starts_with("[K:") && text.ends_with("]")) {
      return AddKey("[", text.substr(1, text.size() - 2)) && Append("]");
    }
    if (lexeme.kind != AbcLexKind::kNote) return Append(text);
    if (!move_) return false;
    const std::optional<std::string> note = MoveNote(text, *move_);
    return note && Append(*note);
  }
  bool has_key() const { return move_.has_value(); }
  std::string& text() { return text_; }

 private:
  bool Append(std::string_view text) {
    text_ += text;
    return true;
  }
  bool AddKey(std::string_view before, std::string_view field) {
    move_ = MoveKey(field.substr(2), semitones_);
    if (!move_) return false;
    text_ += before;
    text_ += "K:" + KeyName(move_->to);
    return true;
  }

  int semitones_;
  std::optional<KeyMove> move_;
  std::string text_;
};

}  // namespace

std::optional<std::string> TransposeAbc(std::string_view tune, int semitones) {
  Transposer transposer(semitones);
  AbcLexer lexer(tune);
  for (AbcLexeme lexeme; lexer.Next(lexeme);) {
    if (!transposer.Add(lexeme)) return std::nullopt;
  }
  if (!transposer.has_key()) return std::nullopt;
  return std::move(transposer.text());
}

std::optional<Score> TransposeScore(const Score& score, int semitones) {
  Score moved = score;
  for (Voice& voice : moved.voices) {
    if (voice.drums) continue;
    for (Note& note : voice.notes) {
      note.pitch += semitones;
      if (note.pitch < 0 || note.pitch > 127) return std::nullopt;
    }
  }
  return moved;
}

}  // namespace etude
