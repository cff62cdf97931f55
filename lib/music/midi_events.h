// The events of one MIDI track, one after the other, past damage too.
#ifndef ETUDE_LIB_MUSIC_MIDI_EVENTS_H_
#define ETUDE_LIB_MUSIC_MIDI_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/music/midi_chunks.h"
#include "lib/music/midi_fault.h"

namespace etude {

inline constexpr int kMidiSysEx = 0xF0;
inline constexpr int kMidiEscape = 0xF7;
inline constexpr int kMidiMeta = 0xFF;
inline constexpr int kMetaEndOfTrack = 0x2F;

struct MidiEvent {
  std::uint32_t delta = 0;  // ticks since the event before, below 2^28
  int status = 0;           // 0x80..0xEF with the channel in its low half; kMidiSysEx, …
  bool has_status = false;  // written out, not running
  int first = 0;            // data bytes, 0..127; of a meta event its type
  int second = 0;
  std::string_view payload = {};  // of SysEx, escape and meta events
};

// Reads legal events. Behind an illegal one it goes on at the nearest place from which events are
// legal again: what was damaged is left out, and with it perhaps some time.
class MidiEvents {
 public:
  // `bytes` is the whole file.
  MidiEvents(std::string_view bytes, const MidiTrackExtent& extent, MidiFaults& faults)
      : bytes_(bytes), extent_(extent), faults_(faults), at_(extent.begin) {}

  // False: no more.
  bool Next(MidiEvent& event);
  // Where the event after the last begins.
  std::size_t at() const { return at_; }
  bool has_end() const { return ended_; }  // End of Track was read

 private:
  enum class Outcome { kEvent, kCut, kOverrun, kBadStatus, kBadBytes };
  struct Step {
    Outcome outcome = Outcome::kEvent;
    std::size_t next = 0;  // behind the event; behind the status for kBadStatus
    int running = 0;       // status in force then
  };

  bool ReadPlain(MidiEvent& event);
  Step Read(std::size_t at, int running, MidiEvent& event) const;
  Step ReadChannel(std::size_t at, MidiEvent& event) const;
  Step ReadPayload(std::size_t at, int running, MidiEvent& event) const;
  bool ReadNumber(std::size_t& at, std::uint32_t& value) const;
  int ByteAt(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }

  // Where a status must be written out for events to be believed.
  enum class Statuses { kAny, kFirst, kAll, kNoneButFirst };

  bool RunsOn(std::size_t at, int running, Statuses written) const;
  bool RunsToEnd(std::size_t at) const;
  bool IsOutOfStep(const MidiEvent& event) const;
  bool FindStep();
  bool IsOnPath(std::size_t at) const;
  void Accept(const Step& step, const MidiEvent& event);
  bool StepOver(const Step& bad);
  bool StopAtCut();
  bool GoesOnAfterEnd();
  bool StopWithoutEnd();

  const std::string_view bytes_;
  const MidiTrackExtent extent_;
  MidiFaults& faults_;
  std::size_t at_;
  int running_ = 0;
  bool running_is_late_ = false;  // a SysEx or meta event came since
  int written_in_a_row_ = 0;      // channel events whose status was written out
  unsigned channels_ = 0;         // bits of those on which a note began
  bool ended_ = false;
  bool all_legal_ = false;  // the events behind it were checked
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_EVENTS_H_
