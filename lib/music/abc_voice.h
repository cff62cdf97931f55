// Writes one voice of an ABC tune: turns lengths, accidentals, chords, tuplets and broken rhythms
// into notes of exact length and pitch, and measures bars.
#ifndef ETUDE_LIB_MUSIC_ABC_VOICE_H_
#define ETUDE_LIB_MUSIC_ABC_VOICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/music/abc_lexer.h"
#include "lib/music/abc_written.h"

namespace etude {

// How far an accidental in the music reaches (2.1, 11.3).
enum class AccidentalReach : std::uint8_t { kNote, kOctave, kPitch };

// The MIDI key that a written pitch of a drum voice stands for, by %%MIDI drummap.
using DrumMap = std::array<int, 128>;

// What a voice begins with, as the header or its fields say.
struct VoiceSettings {
  AbcMeter meter;
  Rational unit = Rational(1, 8);
  AbcSignature signature = {};
  int transpose = 0;  // semitones, of K: and V:
  int midi_transpose = 0;
  int program = 0;
  bool drums = false;
  AccidentalReach reach = AccidentalReach::kPitch;
};

class AbcVoice {
 public:
  // What voices of one tune share; all of it outlives them.
  struct Shared {
    WrittenTune& tune;  // takes the bars
    AbcFaults& faults;
    const DrumMap& drums;
  };
  AbcVoice(int index, std::string_view id, const Shared& shared);

  VoiceSettings& settings() { return settings_; }
  WrittenVoice& written() { return written_; }

  void AddNote(const AbcLexeme& lexeme, std::size_t offset);
  void AddRest(std::string_view length, std::size_t offset);
  void AddBarRest(std::string_view bars, std::size_t offset);
  void OpenChord(std::size_t offset);
  void CloseChord(std::string_view length, std::size_t offset);
  void OpenGrace(std::size_t offset);
  void CloseGrace(std::size_t offset);
  void AddTie(std::size_t offset);
  void AddBroken(std::string_view marks, std::size_t offset);
  void AddTuplet(std::string_view numbers, std::size_t offset);
  void AddBar(std::string_view line, std::size_t offset);
  void AddEnding(std::string_view numbers, std::size_t offset);
  void AddOverlay(std::size_t offset);
  void AddMeter(const AbcMeter& meter, std::size_t offset);
  void AddTempo(std::int64_t us_per_quarter, std::size_t offset);
  void AddKey(const AbcKey& key, std::size_t offset);
  void CloseGroups(std::size_t offset);  // chords and grace notes, as a bar line does
  void Finish(std::size_t offset);       // the end of the tune

 private:
  static constexpr int kOctaves = 24;  // beyond them nothing sounds
  // A note as it is written, which a tie may carry on.
  struct Tie {
    char letter = 'A';
    int octave = 0;
    int accidental = 0;
  };

  Rational LengthOf(std::string_view length, std::size_t offset);
  int AccidentalOf(const AbcNote& note);
  std::int8_t& BarAccidental(const AbcNote& note);
  std::optional<int> PitchOf(const AbcNote& note, std::size_t offset);
  void AddTimed(WrittenKind kind, std::size_t first, Rational time, std::size_t offset);
  Rational TakeTupletFactor();
  void ApplyBroken(WrittenElement& first, WrittenElement& second);
  void DropBroken(const char* before);
  void Lengthen(WrittenElement& element, Rational factor);
  void ForgetAccidentals();
  void MeasureLayer();
  void CheckBar(bool edge);
  void RecordBar(Rational length, bool edge, std::size_t offset);
  WrittenElement& Append(WrittenKind kind, std::size_t offset);

  int index_;
  WrittenTune& tune_;
  AbcFaults& faults_;
  const DrumMap& drums_;
  VoiceSettings settings_;
  WrittenVoice written_;

  std::array<std::int8_t, 7 * kOctaves> bar_accidentals_;
  std::vector<Tie> ties_;        // that the last element leaves open
  std::vector<Tie> named_;       // the notes of the element being written
  std::vector<Tie> chord_ties_;  // of those, the ones tied inside their chord

  std::ptrdiff_t last_timed_ = -1;  // the element that "-" and ">" are about; -1: none in this bar
  std::string_view broken_;         // ">" or "<" that wait for their second note
  std::size_t broken_offset_ = 0;
  int tuplet_left_ = 0;
  Rational tuplet_factor_ = 1;
  std::size_t tuplet_offset_ = 0;

  bool in_chord_ = false;
  std::size_t chord_first_ = 0;
  std::size_t chord_offset_ = 0;
  Rational chord_time_;
  bool in_grace_ = false;

  bool bar_begun_ = false;
  bool at_edge_ = true;  // the bar begins where one may be short
  std::size_t bar_offset_ = 0;
  int bars_ = 0;
  Rational bar_length_;
  std::optional<Rational> main_length_;  // of the bar's first layer, where "&" gave it another
  std::optional<Rational> odd_layer_;    // a layer of another length
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_ABC_VOICE_H_
