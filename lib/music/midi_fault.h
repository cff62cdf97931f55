// What can be wrong with a MIDI file, and the list of it that a reading brings along.
#ifndef ETUDE_LIB_MUSIC_MIDI_FAULT_H_
#define ETUDE_LIB_MUSIC_MIDI_FAULT_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace etude {

enum class MidiFault {
  kNotMidi,            // neither a header nor a track anywhere
  kBadHeader,          // MThd missing, short, or with values that mean nothing; 480 ticks a quarter
                       // are taken where the division is one of them
  kTruncated,          // the file ends inside a chunk or an event
  kTooLarge,           // beyond a limit of midi_reader.h or score.h; the rest is left out
  kNoNotes,            // readable, and silent
  kBadChunk,           // a chunk's length or name is wrong, or bytes lie between chunks
  kMissingTracks,      // the header promises more tracks
  kExtraTracks,        // the header promises fewer
  kBadEvent,           // an illegal status, data or length; reading went on behind it
  kBadMeta,            // a meter, tempo or key that means nothing; ignored
  kMissingEnd,         // a track without End of Track
  kAfterEnd,           // bytes behind End of Track; events among them are read
  kLateRunningStatus,  // running status behind a SysEx or meta event, which end it; kept
  kUnendedNotes,       // a note without its off
  kStrayNoteOffs,      // an off without its note
};

// "truncated", "bad_header", …: the words of manifests and tables.
std::string_view MidiFaultName(MidiFault fault);

// True for what may have cost music: kNotMidi, kBadHeader, kTruncated, kTooLarge, kMissingTracks,
// kBadEvent.
bool LosesMusic(MidiFault fault);

struct MidiFaultCount {
  MidiFault fault = MidiFault::kNotMidi;
  std::int64_t count = 0;
  std::int64_t first_offset = 0;  // bytes from the start of the file

  friend bool operator==(const MidiFaultCount&, const MidiFaultCount&) = default;
};

// Each fault once, in the order in which they were met first.
class MidiFaults {
 public:
  void Add(MidiFault fault, std::int64_t offset, std::int64_t count = 1);
  bool Has(MidiFault fault) const;
  const std::vector<MidiFaultCount>& list() const { return list_; }

 private:
  std::vector<MidiFaultCount> list_;
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_FAULT_H_
