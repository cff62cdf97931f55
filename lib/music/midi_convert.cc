#include "lib/music/midi_convert.h"

#include <utility>

#include "lib/music/abc_reader.h"
#include "lib/music/abc_writer.h"
#include "lib/music/key_guess.h"
#include "lib/music/meter_guess.h"
#include "lib/music/midi_fault.h"
#include "lib/music/midi_reader.h"

namespace etude {
namespace {

// The first fault that may have cost music, or silence; empty: none did.
std::string ReasonOf(const MidiReading& reading) {
  std::string reason;
  for (const MidiFaultCount& fault : reading.faults) {
    if (LosesMusic(fault.fault)) return std::string(MidiFaultName(fault.fault));
    if (fault.fault == MidiFault::kNoNotes) reason = MidiFaultName(fault.fault);
  }
  if (reason.empty() && reading.notes == 0) reason = MidiFaultName(MidiFault::kNoNotes);
  return reason;
}

void CompleteMeter(Score& score, MidiConversion& conversion) {
  conversion.meter_confidence = 1;
  if (score.meters.empty()) {
    const MeterGuess guess = GuessMeter(score);
    score.meters.push_back(guess.meter);
    conversion.meter_confidence = guess.confidence;
  }
}

void CompleteKey(Score& score, MidiConversion& conversion) {
  conversion.key_confidence = 1;
  if (score.keys.empty()) {
    const KeyGuess guess = GuessKey(score);
    score.keys.push_back({.at = 0, .key = guess.key});
    conversion.key_confidence = guess.confidence;
  }
}

}  // namespace

MidiConversion ConvertMidi(std::string_view bytes, const MidiConvertOptions& options) {
  MidiReading reading = ReadMidi(bytes);
  MidiConversion conversion;
  conversion.reason = ReasonOf(reading);
  conversion.notes_in = NoteCount(reading.score);
  if (conversion.notes_in == 0) return conversion;
  CompleteMeter(reading.score, conversion);
  CompleteKey(reading.score, conversion);
  conversion.grid = options.grid ? NoteGrid{.steps = *options.grid} : ChooseGrid(reading.score);
  const Score quantized = Quantize(reading.score, conversion.grid.steps);
  conversion.grid.steps = quantized.ticks_per_quarter;
  conversion.key = quantized.keys.front().key;
  conversion.meter = quantized.meters.front();
  absl::StatusOr<std::string> abc = WriteAbc(quantized, {.layout = options.layout});
  if (!abc.ok() || abc->size() > kMaxAbcBytes) {
    conversion.reason = "too_long";
    return conversion;
  }
  conversion.abc = *std::move(abc);
  const AbcReading written = ReadAbc(conversion.abc);
  conversion.notes_out = NoteCount(written.score);
  conversion.agreement = MatchNotes(reading.score, written.score);
  return conversion;
}

}  // namespace etude
