// A piece of music as notes in time: what a MIDI file and an ABC tune both mean. Plain values;
// times are whole ticks, so nothing drifts.
#ifndef ETUDE_LIB_MUSIC_SCORE_H_
#define ETUDE_LIB_MUSIC_SCORE_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/music/key.h"

namespace etude {

// Beyond these a reader stops and says so; real files are far below.
inline constexpr std::int64_t kMaxScoreNotes = 1'000'000;
inline constexpr std::int64_t kMaxScoreTicks = std::int64_t{1} << 40;
inline constexpr int kMaxScoreVoices = 1024;

// The MIDI channel of percussion, counted from 0 (General MIDI 1, "channel 10").
inline constexpr int kDrumChannel = 9;

struct Note {
  std::int64_t onset = 0;     // ticks
  std::int64_t duration = 0;  // ticks, at least 1
  int pitch = 60;             // MIDI key number 0..127, 60 = middle C; of drums the instrument
  int velocity = 64;          // 1..127

  // In the order of a voice: by onset, then pitch.
  friend auto operator<=>(const Note& a, const Note& b) = default;
};

// What one player plays: one MIDI (track, channel, program), or one ABC voice. May hold chords and
// overlapping notes.
struct Voice {
  std::string name;  // as the file gives it; may be empty, any bytes
  int program = 0;   // General MIDI program 0..127; ignored for drums
  bool drums = false;
  std::vector<Note> notes;  // sorted
};

struct MeterChange {
  std::int64_t at = 0;  // ticks
  int beats = 4;        // 1..255
  int unit = 4;         // a power of two, 1..64

  friend bool operator==(const MeterChange&, const MeterChange&) = default;
};

struct TempoChange {
  std::int64_t at = 0;                    // ticks
  std::int64_t us_per_quarter = 500'000;  // 1..2^24-1, as MIDI stores it

  friend bool operator==(const TempoChange&, const TempoChange&) = default;
};

struct KeyChange {
  std::int64_t at = 0;  // ticks
  Key key;

  friend bool operator==(const KeyChange&, const KeyChange&) = default;
};

struct Score {
  int ticks_per_quarter = 480;  // at least 1
  std::vector<Voice> voices;
  // Sorted by time, at most one at a time. Empty: the source does not say (a player would assume
  // 4/4, 120 quarters a minute).
  std::vector<MeterChange> meters;
  std::vector<TempoChange> tempos;
  std::vector<KeyChange> keys;
  // Ticks of an incomplete first bar; 0: the first bar is whole. Meters count from `pickup`.
  std::int64_t pickup = 0;
  std::int64_t end = 0;  // ticks; no note ends later
};

// Bar lines: the start of each bar from 0 to past the last note, by the meters in force (4/4 where
// there is none); the last entry is the end of the last bar. A meter change inside a bar ends that
// bar there. At most kMaxScoreBars bars: later music lies in the last one.
inline constexpr int kMaxScoreBars = 100'000;
std::vector<std::int64_t> BarLines(const Score& score);

std::int64_t NoteCount(const Score& score);

// Sorts notes, meters, tempos and keys; of changes at one time the last given stays; sets `end` no
// earlier than the last note's end.
void Normalize(Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_SCORE_H_
