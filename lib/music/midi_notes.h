// Pairs the note-ons and note-offs of one MIDI track.
#ifndef ETUDE_LIB_MUSIC_MIDI_NOTES_H_
#define ETUDE_LIB_MUSIC_MIDI_NOTES_H_

#include <array>
#include <cstdint>
#include <vector>

#include "lib/music/score.h"

namespace etude {

struct MidiNote {
  Note note;
  std::int32_t voice = 0;  // the caller's
  std::int16_t slot = 0;   // channel * 128 + pitch
  std::int32_t next = -1;  // of its slot, while it sounds
};

// Notes come and go in the order of time.
class MidiNotes {
 public:
  MidiNotes() { Clear(); }

  void On(std::int64_t at, int channel, int pitch, int velocity, std::int32_t voice);
  // Ends the first of the notes of that pitch that sound; false: none does.
  bool Off(std::int64_t at, int channel, int pitch);
  // Ends what still sounds: at the next note of its pitch, or at `at`. Which of several notes lacks
  // its off is read from the nesting: on, on, off lacks the first's. Returns their number.
  std::int64_t EndAll(std::int64_t at);

  // In the order of their ons.
  const std::vector<MidiNote>& notes() const { return notes_; }
  void Clear();

 private:
  static constexpr int kSlots = 16 * 128;

  std::int64_t EndSlot(const std::vector<std::int32_t>& ons, std::int64_t at);

  std::vector<MidiNote> notes_;
  std::array<std::int32_t, kSlots> first_{};  // that sounds; -1: none
  std::array<std::int32_t, kSlots> last_{};
  std::int64_t sounding_ = 0;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_NOTES_H_
