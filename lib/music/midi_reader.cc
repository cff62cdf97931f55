#include "lib/music/midi_reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "lib/music/midi_chunks.h"
#include "lib/music/midi_events.h"
#include "lib/music/midi_notes.h"

namespace etude {
namespace {

constexpr int kMetaTrackName = 0x03;
constexpr int kMetaInstrumentName = 0x04;
constexpr int kMetaTempo = 0x51;
constexpr int kMetaMeter = 0x58;
constexpr int kMetaKey = 0x59;
constexpr int kNoteOff = 0x80;
constexpr int kNoteOn = 0x90;
constexpr int kProgramChange = 0xC0;
constexpr int kMaxUnitPower = 6;  // a 64th, as score.h has it
constexpr int kMaxSharps = 7;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kLastTick = kMaxScoreTicks - 1;  // so that a note may last a tick
constexpr int kPrograms = 128;

struct ProgramChange {
  std::int64_t at = 0;
  int channel = 0;
  int program = 0;
};

int Byte(std::string_view payload, std::size_t i) { return static_cast<unsigned char>(payload[i]); }

// Notes lie in the order of onsets already; only chords need sorting.
void SortChords(std::vector<Note>& notes) {
  for (auto begin = notes.begin(); begin != notes.end();) {
    auto end = begin + 1;
    while (end != notes.end() && end->onset == begin->onset) ++end;
    std::sort(begin, end);
    begin = end;
  }
}

// Ticks that real time, not a tempo, gives their length.
void SetSmpteTime(const MidiHeader& header, Score& score) {
  // 29 frames stand for 30000/1001 a second: 30 frames last 1.001 s.
  const bool drops = header.frames_per_second == 29;
  const int frames = drops ? 30 : header.frames_per_second;
  const std::int64_t ticks = std::int64_t{frames} * header.division;
  const std::int64_t micros = drops ? kMicrosPerSecond * 1001 / 1000 : kMicrosPerSecond;
  const int quarters = ticks % 2 == 0 ? 2 : 1;  // in a second; 120 a minute where that is whole
  score.ticks_per_quarter = static_cast<int>(ticks / quarters);
  score.tempos = {{.at = 0, .us_per_quarter = micros / quarters}};
}

class Reader {
 public:
  Reader(std::string_view bytes, bool sorts_chords) : bytes_(bytes), sorts_chords_(sorts_chords) {}

  MidiReading Read();

 private:
  void ReadTrack(const MidiTrackExtent& extent, MidiEvents& events);
  void BeginTrack();
  void EndTrack(std::int64_t offset);
  void Advance(std::uint32_t delta, std::int64_t offset);
  void OnChannel(const MidiEvent& event, std::int64_t offset);
  void OnNote(const MidiEvent& event, std::int64_t offset);
  void OnProgram(int channel, int program);
  void OnMeta(const MidiEvent& event, std::int64_t offset);
  void OnTempo(std::string_view payload, std::int64_t offset);
  void OnMeter(std::string_view payload, std::int64_t offset);
  void OnKey(std::string_view payload, std::int64_t offset);
  template <typename Change>
  void AddChange(std::vector<Change>& changes, const Change& change, std::int64_t offset);
  std::int32_t VoiceOf(int channel, std::int64_t offset);
  void BorrowPrograms();
  std::vector<Voice> VoicesAsWritten() const;
  void Finish(const MidiChunks& chunks);

  // What is known of a voice beside its notes.
  struct Part {
    int track = 0;
    int channel = 0;
    bool has_program = false;  // its own track set it
  };

  const std::string_view bytes_;
  bool sorts_chords_;
  MidiFaults faults_;
  MidiReading reading_;
  std::vector<Part> parts_;  // of reading_.score.voices
  std::vector<ProgramChange> program_changes_;
  bool is_smpte_ = false;

  // Of the track that is read.
  std::int64_t now_ = 0;
  std::size_t first_voice_ = 0;
  std::string name_;
  std::string instrument_;
  std::array<int, 16> program_{};
  std::array<bool, 16> has_program_{};
  std::array<std::int32_t, 16> voice_{};  // of the channel now; -1: not known yet
  std::array<std::int32_t, std::size_t{16} * kPrograms> voice_of_program_{};
  MidiNotes notes_;
};

MidiReading Reader::Read() {
  if (std::ssize(bytes_) > kMaxMidiBytes) faults_.Add(MidiFault::kTooLarge, kMaxMidiBytes);
  const std::string_view bytes = bytes_.substr(0, kMaxMidiBytes);
  MidiChunks chunks(bytes, faults_);
  const MidiHeader& header = chunks.header();
  reading_.format = header.format;
  reading_.score.ticks_per_quarter = header.division;
  is_smpte_ = header.frames_per_second > 0;
  while (const std::optional<MidiTrackExtent> extent = chunks.NextTrack()) {
    if (reading_.tracks == kMaxMidiTracks) {
      faults_.Add(MidiFault::kTooLarge, static_cast<std::int64_t>(extent->begin));
      break;
    }
    MidiEvents events(bytes, *extent, faults_);
    ReadTrack(*extent, events);
    chunks.EndTrack(*extent, events.at(), events.has_end());
  }
  Finish(chunks);
  return std::move(reading_);
}

void Reader::ReadTrack(const MidiTrackExtent& extent, MidiEvents& events) {
  BeginTrack();
  MidiEvent event;
  for (std::size_t offset = extent.begin; events.Next(event); offset = events.at()) {
    ++reading_.events;
    const auto where = static_cast<std::int64_t>(offset);
    Advance(event.delta, where);
    if (event.status < kMidiSysEx) {
      OnChannel(event, where);
    } else if (event.status == kMidiMeta) {
      OnMeta(event, where);
    }
  }
  EndTrack(static_cast<std::int64_t>(events.at()));
}

void Reader::BeginTrack() {
  ++reading_.tracks;
  now_ = reading_.format == 2 ? reading_.score.end : 0;
  first_voice_ = parts_.size();
  name_.clear();
  instrument_.clear();
  program_.fill(0);
  has_program_.fill(false);
  voice_.fill(-1);
  voice_of_program_.fill(-1);
  notes_.Clear();
}

void Reader::EndTrack(std::int64_t offset) {
  const std::int64_t unended = notes_.EndAll(now_);
  if (unended > 0) faults_.Add(MidiFault::kUnendedNotes, offset, unended);
  std::vector<Voice>& voices = reading_.score.voices;
  std::vector<std::size_t> counts(voices.size() - first_voice_);
  for (const MidiNote& played : notes_.notes()) {
    ++counts[static_cast<std::size_t>(played.voice) - first_voice_];
  }
  for (std::size_t v = 0; v < counts.size(); ++v) {
    voices[first_voice_ + v].notes.reserve(counts[v]);
  }
  for (const MidiNote& played : notes_.notes()) {
    voices[static_cast<std::size_t>(played.voice)].notes.push_back(played.note);
  }
  for (Voice& voice : std::span(voices).subspan(first_voice_)) {
    voice.name = name_.empty() ? instrument_ : name_;
  }
  reading_.score.end = std::max(reading_.score.end, now_);
}

void Reader::Advance(std::uint32_t delta, std::int64_t offset) {
  now_ += delta;
  if (now_ <= kLastTick) return;
  now_ = kLastTick;
  faults_.Add(MidiFault::kTooLarge, offset);
}

void Reader::OnChannel(const MidiEvent& event, std::int64_t offset) {
  switch (event.status & 0xF0) {
    case kNoteOff:
    case kNoteOn:
      OnNote(event, offset);
      break;
    case kProgramChange:
      OnProgram(event.status & 0x0F, event.first);
      break;
    default:
      break;
  }
}

void Reader::OnNote(const MidiEvent& event, std::int64_t offset) {
  const int channel = event.status & 0x0F;
  if ((event.status & 0xF0) == kNoteOff || event.second == 0) {
    if (!notes_.Off(now_, channel, event.first)) faults_.Add(MidiFault::kStrayNoteOffs, offset);
    return;
  }
  const std::int32_t voice = VoiceOf(channel, offset);
  if (voice < 0 || reading_.notes == kMaxScoreNotes) {
    faults_.Add(MidiFault::kTooLarge, offset);
    return;
  }
  ++reading_.notes;
  notes_.On(now_, channel, event.first, event.second, voice);
}

void Reader::OnProgram(int channel, int program) {
  const auto c = static_cast<std::size_t>(channel);
  program_[c] = program;
  has_program_[c] = true;
  if (channel != kDrumChannel) voice_[c] = -1;
  if (std::ssize(program_changes_) < kMaxMidiChanges) {
    program_changes_.push_back({.at = now_, .channel = channel, .program = program});
  }
}

// -1: there are too many.
std::int32_t Reader::VoiceOf(int channel, std::int64_t offset) {
  const auto c = static_cast<std::size_t>(channel);
  if (voice_[c] >= 0) return voice_[c];
  const bool drums = channel == kDrumChannel;
  const int program = drums ? 0 : program_[c];
  std::int32_t& known = voice_of_program_[c * kPrograms + static_cast<std::size_t>(program)];
  if (known < 0) {
    if (std::ssize(parts_) == kMaxScoreVoices) {
      faults_.Add(MidiFault::kTooLarge, offset);
      return -1;
    }
    known = static_cast<std::int32_t>(parts_.size());
    parts_.push_back(
        {.track = reading_.tracks, .channel = channel, .has_program = has_program_[c]});
    reading_.score.voices.push_back({.name = {}, .program = program, .drums = drums, .notes = {}});
  }
  voice_[c] = known;
  return known;
}

void Reader::OnMeta(const MidiEvent& event, std::int64_t offset) {
  switch (event.first) {
    case kMetaTrackName:
      if (name_.empty()) name_ = event.payload.substr(0, kMaxVoiceNameBytes);
      break;
    case kMetaInstrumentName:
      if (instrument_.empty()) instrument_ = event.payload.substr(0, kMaxVoiceNameBytes);
      break;
    case kMetaTempo:
      OnTempo(event.payload, offset);
      break;
    case kMetaMeter:
      OnMeter(event.payload, offset);
      break;
    case kMetaKey:
      OnKey(event.payload, offset);
      break;
    default:
      break;
  }
}

template <typename Change>
void Reader::AddChange(std::vector<Change>& changes, const Change& change, std::int64_t offset) {
  if (std::ssize(changes) == kMaxMidiChanges) {
    faults_.Add(MidiFault::kTooLarge, offset);
  } else {
    changes.push_back(change);
  }
}

void Reader::OnTempo(std::string_view payload, std::int64_t offset) {
  if (is_smpte_) return;
  const std::int64_t micros =
      payload.size() < 3 ? 0 : Byte(payload, 0) << 16 | Byte(payload, 1) << 8 | Byte(payload, 2);
  if (micros == 0) {
    faults_.Add(MidiFault::kBadMeta, offset);
  } else {
    AddChange(reading_.score.tempos, {.at = now_, .us_per_quarter = micros}, offset);
  }
}

// The last two of the four bytes, about clicks and 32nds in a quarter, are often wrong; what they
// mean is not needed here.
void Reader::OnMeter(std::string_view payload, std::int64_t offset) {
  if (payload.size() < 2 || Byte(payload, 0) == 0 || Byte(payload, 1) > kMaxUnitPower) {
    faults_.Add(MidiFault::kBadMeta, offset);
    return;
  }
  AddChange(reading_.score.meters,
            {.at = now_, .beats = Byte(payload, 0), .unit = 1 << Byte(payload, 1)}, offset);
}

void Reader::OnKey(std::string_view payload, std::int64_t offset) {
  const int fifths = payload.size() < 2 ? kMaxSharps + 1 : static_cast<signed char>(payload[0]);
  if (fifths < -kMaxSharps || fifths > kMaxSharps || Byte(payload, 1) > 1) {
    faults_.Add(MidiFault::kBadMeta, offset);
    return;
  }
  const Mode mode = Byte(payload, 1) == 1 ? Mode::kMinor : Mode::kMajor;
  AddChange(reading_.score.keys, {.at = now_, .key = {.fifths = fifths, .mode = mode}}, offset);
}

// Channels belong to the whole file: one track may set the programs of all the others.
void Reader::BorrowPrograms() {
  std::ranges::stable_sort(program_changes_, {}, &ProgramChange::at);
  for (std::size_t v = 0; v < parts_.size(); ++v) {
    Voice& voice = reading_.score.voices[v];
    if (parts_[v].has_program || voice.drums) continue;
    for (const ProgramChange& change : program_changes_) {
      if (change.at > voice.notes.front().onset) break;
      if (change.channel == parts_[v].channel) voice.program = change.program;
    }
  }
}

std::vector<Voice> Reader::VoicesAsWritten() const {
  std::vector<std::size_t> order(parts_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::vector<Voice>& voices = reading_.score.voices;
  std::ranges::stable_sort(order, {}, [&](std::size_t v) {
    return std::tuple(parts_[v].track, parts_[v].channel, voices[v].program);
  });
  std::vector<Voice> as_written;
  for (const std::size_t v : order) as_written.push_back(voices[v]);
  return as_written;
}

void Reader::Finish(const MidiChunks& chunks) {
  const MidiHeader& header = chunks.header();
  const auto size = static_cast<std::int64_t>(bytes_.size());
  const bool promised = !faults_.Has(MidiFault::kNotMidi) && !faults_.Has(MidiFault::kBadHeader);
  if (promised && reading_.tracks < header.tracks) {
    faults_.Add(MidiFault::kMissingTracks, size, header.tracks - reading_.tracks);
  } else if (promised && reading_.tracks > header.tracks) {
    faults_.Add(MidiFault::kExtraTracks, size, reading_.tracks - header.tracks);
  }
  if (reading_.notes == 0) faults_.Add(MidiFault::kNoNotes, size);
  if (is_smpte_) SetSmpteTime(header, reading_.score);
  if (reading_.format == 1) BorrowPrograms();
  std::vector<Voice> as_written;
  if (!sorts_chords_) as_written = VoicesAsWritten();
  for (Voice& voice : reading_.score.voices) SortChords(voice.notes);
  Normalize(reading_.score);
  if (!sorts_chords_) reading_.score.voices = std::move(as_written);
  reading_.faults = faults_.list();
  reading_.whole = std::ranges::none_of(
      reading_.faults, [](const MidiFaultCount& fault) { return LosesMusic(fault.fault); });
}

}  // namespace

MidiReading ReadMidi(std::string_view bytes) { return Reader(bytes, /*sorts_chords=*/true).Read(); }

MidiReading ReadMidiAsWritten(std::string_view bytes) {
  return Reader(bytes, /*sorts_chords=*/false).Read();
}

}  // namespace etude
