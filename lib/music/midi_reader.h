// Reads Standard MIDI Files (formats 0, 1 and 2; also inside RMID) from anybody. A damaged or
// truncated file gives every complete event that can still be found, and the reasons why there may
// have been more.
#ifndef ETUDE_LIB_MUSIC_MIDI_READER_H_
#define ETUDE_LIB_MUSIC_MIDI_READER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/music/midi_fault.h"
#include "lib/music/score.h"

namespace etude {

// Beyond these kTooLarge is reported and the rest left out; kMaxScoreNotes, kMaxScoreVoices and
// kMaxScoreTicks of score.h hold too.
inline constexpr std::int64_t kMaxMidiBytes = std::int64_t{64} << 20;
inline constexpr int kMaxMidiTracks = 4096;
inline constexpr int kMaxMidiChanges = 100'000;  // of the meter; likewise tempo, key and program
inline constexpr std::int64_t kMaxVoiceNameBytes = 256;

struct MidiReading {
  Score score;
  std::vector<MidiFaultCount> faults;  // each once, in the order in which they were met
  bool whole = true;                   // no fault that may have cost music
  int format = 1;                      // 0, 1 or 2
  int tracks = 0;                      // found
  std::int64_t events = 0;             // read
  std::int64_t notes = 0;
};

// One voice a (track, channel, program in force at the note), in that order of first notes; channel
// 10 is drums, one voice a track whatever its program. A voice is named by its track's FF 03, else
// FF 04. Where a track sets no program, the one that another track set for the channel holds.
//
// Notes of one pitch that overlap pair first on, first off. A note without an off ends at the next
// note of its pitch, else at the end of its track. Tracks of format 2 follow one another. Under
// SMPTE time ticks stay as they are and one tempo makes them last as long as they should: 29 frames
// a second are 29.97 (30000/1001). Pedals, bends and volumes are not music here.
MidiReading ReadMidi(std::string_view bytes);

// The same, but notes that begin together stay in the order of their note-ons, so that a voice is
// sorted by onset alone, and the voices of a track lie by channel and program. symusic reads so,
// and tokens written in that order equal miditok's.
MidiReading ReadMidiAsWritten(std::string_view bytes);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_READER_H_
