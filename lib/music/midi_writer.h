// Writes a score as a Standard MIDI File of format 1.
#ifndef ETUDE_LIB_MUSIC_MIDI_WRITER_H_
#define ETUDE_LIB_MUSIC_MIDI_WRITER_H_

#include <string>

#include "lib/music/score.h"

namespace etude {

// The most that the header has room for. A score with more ticks a quarter is written with
// kRescaledMidiTicks of them, each time rounded by itself.
inline constexpr int kMaxMidiTicksPerQuarter = 32767;
inline constexpr int kRescaledMidiTicks = 30720;

// Equal scores give equal bytes. First a track of meters, tempos and keys that ends at score.end,
// then a track a voice: drums on channel 10, the others on a channel each. Beyond fifteen, voices
// of one program share a channel, and beyond fifteen programs channels are used again.
//
// ReadMidi(WriteMidi(score)) gives the score back, except: the pickup; modes other than major and
// minor; the program of drums; voices without notes; and notes of one pitch in one voice of which
// one ends inside the other.
std::string WriteMidi(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_WRITER_H_
