// A MIDI file to ABC text, and how much of its music the text keeps.
#ifndef ETUDE_LIB_MUSIC_MIDI_CONVERT_H_
#define ETUDE_LIB_MUSIC_MIDI_CONVERT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/music/abc_layout.h"
#include "lib/music/note_f1.h"
#include "lib/music/quantize.h"
#include "lib/music/score.h"

namespace etude {

// Raised whenever the text made of a file may change: conversions with another number are stale.
inline constexpr int kConverterVersion = 1;

struct MidiConvertOptions {
  std::optional<int> grid;  // steps per quarter (IsGrid); nullopt: as the file needs
  AbcLayout layout = AbcLayout::kVoices;
};

struct MidiConversion {
  // Why there is no text, or why it may be less than the file once held: a MidiFaultName,
  // "too_long" (kMaxScoreBars bars, or kMaxAbcBytes of text); empty: all is there.
  std::string reason;
  std::string abc;  // empty: the file could not be converted
  std::int64_t notes_in = 0;
  std::int64_t notes_out = 0;  // that ReadAbc finds in `abc`
  NoteAgreement agreement;     // of the file's notes with those
  NoteGrid grid;               // as used
  Key key;                     // at the beginning
  MeterChange meter;           // likewise
  // 1 where the file says it, else the guess's.
  double key_confidence = 0;
  double meter_confidence = 0;
};

// Key and meter are guessed where the file has none. Titles and other names of the file are left
// out. Pure; any bytes are accepted.
MidiConversion ConvertMidi(std::string_view bytes, const MidiConvertOptions& options = {});

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MIDI_CONVERT_H_
