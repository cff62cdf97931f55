#include <algorithm>

#include "lib/base/status.h"
#include "lib/music/midi_reader.h"
#include "lib/music/midi_writer.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/unit/music/midi_fixture.h"

namespace etude {
namespace {

void CheckNote(const Note& note, std::int64_t end) {
  ENSURE(note.onset >= 0 && note.duration >= 1 && note.onset + note.duration <= end);
  ENSURE(note.pitch >= 0 && note.pitch < 128 && note.velocity >= 1 && note.velocity < 128);
}

template <typename Change>
void CheckChanges(const std::vector<Change>& changes) {
  const auto not_later = [](const Change& a, const Change& b) { return a.at >= b.at; };
  ENSURE(std::ranges::adjacent_find(changes, not_later) == changes.end());
}

void Run(std::string_view bytes) {
  const MidiReading reading = ReadMidi(bytes);
  const Score& score = reading.score;
  ENSURE(NoteCount(score) == reading.notes && reading.notes <= kMaxScoreNotes);
  ENSURE(score.ticks_per_quarter >= 1 && score.end <= kMaxScoreTicks);
  ENSURE(std::ssize(score.voices) <= kMaxScoreVoices);
  for (const Voice& voice : score.voices) {
    ENSURE(!voice.notes.empty() && std::ranges::is_sorted(voice.notes));
    for (const Note& note : voice.notes) CheckNote(note, score.end);
  }
  CheckChanges(score.meters);
  CheckChanges(score.tempos);
  CheckChanges(score.keys);
  const MidiReading again = ReadMidi(WriteMidi(score));
  ENSURE(again.whole && again.notes == reading.notes);
  ENSURE(again.score.meters == score.meters && again.score.tempos == score.tempos &&
         again.score.keys == score.keys && again.score.end == score.end);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {midi::BandFile(1)};
  for (const midi::Damaged& file : midi::DamagedFiles()) seeds.push_back(file.bytes);
  return seeds;
}

}  // namespace

const FuzzTarget kMidiTarget = {.name = "midi", .run = Run, .seeds = Seeds};

}  // namespace etude
