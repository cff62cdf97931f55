// The chunks of a Standard MIDI File (RP-001, 1996): its header, and where each track's events lie.
// Wrong lengths, wrong names and bytes between chunks are reported and stepped over.
#ifndef ETUDE_LIB_MUSIC_MIDI_CHUNKS_H_
#define ETUDE_LIB_MUSIC_MIDI_CHUNKS_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "lib/music/midi_fault.h"

namespace etude {

// What is taken where a file does not say how long a quarter is.
inline constexpr int kDefaultMidiDivision = 480;

struct MidiHeader {
  int format = 1;  // 0: one track; 1: tracks together; 2: tracks one after the other
  int tracks = 0;  // as promised
  // Ticks of a quarter; or with frames_per_second, ticks of a SMPTE frame.
  int division = kDefaultMidiDivision;
  int frames_per_second = 0;  // 24, 25, 29 (which is 29.97) or 30; 0: no SMPTE time
};

// Offsets from the start of the file.
struct MidiTrackExtent {
  std::size_t begin = 0;     // of the first event
  std::size_t end = 0;       // its events lie before here
  std::size_t promised = 0;  // where the chunk says that it ends
  bool cut = false;          // which is beyond the end of the file

  // The promise leads nowhere; `end` is the next track, or the end of the file.
  bool is_guess() const { return end != promised; }
};

// Walks the file once, front to back. `bytes` and `faults` must outlive it.
class MidiChunks {
 public:
  MidiChunks(std::string_view bytes, MidiFaults& faults);

  const MidiHeader& header() const { return header_; }
  // nullopt: no more. Chunks of other names are skipped.
  std::optional<MidiTrackExtent> NextTrack();
  // Where the events of that track ended, and whether with End of Track: what follows it is looked
  // at, whatever the chunk's length said.
  void EndTrack(const MidiTrackExtent& extent, std::size_t offset, bool has_end);

 private:
  void EnterRiff();
  void ReadHeader();
  void ReadDivision(std::size_t at);
  bool HasHeaderLength(std::size_t at) const;
  bool IsChunkAt(std::size_t at) const;
  bool IsTrackAt(std::size_t at) const;
  std::size_t FindTrack(std::size_t from) const;
  std::size_t EndOfChunk(std::size_t at) const;
  MidiTrackExtent ExtentOf(std::size_t at);

  const std::string_view bytes_;
  MidiFaults& faults_;
  MidiHeader header_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_CHUNKS_H_
