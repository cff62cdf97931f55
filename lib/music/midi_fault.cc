#include "lib/music/midi_fault.h"

#include <algorithm>

namespace etude {

std::string_view MidiFaultName(MidiFault fault) {
  switch (fault) {
    case MidiFault::kNotMidi:
      return "not_midi";
    case MidiFault::kBadHeader:
      return "bad_header";
    case MidiFault::kTruncated:
      return "truncated";
    case MidiFault::kTooLarge:
      return "too_large";
    case MidiFault::kNoNotes:
      return "no_notes";
    case MidiFault::kBadChunk:
      return "bad_chunk";
    case MidiFault::kMissingTracks:
      return "missing_tracks";
    case MidiFault::kExtraTracks:
      return "extra_tracks";
    case MidiFault::kBadEvent:
      return "bad_event";
    case MidiFault::kBadMeta:
      return "bad_meta";
    case MidiFault::kMissingEnd:
      return "missing_end";
    case MidiFault::kAfterEnd:
      return "after_end";
    case MidiFault::kLateRunningStatus:
      return "late_running_status";
    case MidiFault::kUnendedNotes:
      return "unended_notes";
    case MidiFault::kStrayNoteOffs:
      return "stray_note_offs";
  }
  return "unknown";
}

bool LosesMusic(MidiFault fault) {
  switch (fault) {
    case MidiFault::kNotMidi:
    case MidiFault::kBadHeader:
    case MidiFault::kTruncated:
    case MidiFault::kTooLarge:
    case MidiFault::kMissingTracks:
    case MidiFault::kBadEvent:
      return true;
    default:
      return false;
  }
}

void MidiFaults::Add(MidiFault fault, std::int64_t offset, std::int64_t count) {
  const auto found = std::ranges::find(list_, fault, &MidiFaultCount::fault);
  if (found != list_.end()) {
    found->count += count;
  } else {
    list_.push_back({.fault = fault, .count = count, .first_offset = offset});
  }
}

bool MidiFaults::Has(MidiFault fault) const {
  return std::ranges::find(list_, fault, &MidiFaultCount::fault) != list_.end();
}

}  // namespace etude
