#include "lib/music/midi_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lib/music/midi_events.h"
#include "lib/music/midi_reader.h"

namespace etude {
namespace {

constexpr int kMetaText = 0x01;
constexpr int kMetaTrackName = 0x03;
constexpr int kMetaTempo = 0x51;
constexpr int kMetaMeter = 0x58;
constexpr int kMetaKey = 0x59;
constexpr int kNoteOn = 0x90;
constexpr int kProgramChange = 0xC0;
constexpr int kMelodyChannels = 15;
constexpr int kClocksPerWhole = 96;  // MIDI clocks, of which a quarter has 24
constexpr int kThirtySecondsPerQuarter = 8;
constexpr std::int64_t kMaxDelta = (std::int64_t{1} << 28) - 1;
constexpr std::int64_t kMaxTempo = (std::int64_t{1} << 24) - 1;

void AppendBig(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

void AppendNumber(std::string& out, std::uint64_t value) {
  if (value <= 0x7F) {  // most are short
    out += static_cast<char>(value);
    return;
  }
  std::array<char, 5> digits{};
  std::size_t count = 0;
  do {
    digits[count] = static_cast<char>((value & 0x7F) | (count > 0 ? 0x80 : 0));
    value >>= 7;
    ++count;
  } while (value > 0);
  while (count > 0) out += digits[--count];
}

// A track in the making: events in the order of time.
class TrackBytes {
 public:
  void Meta(std::int64_t at, int type, std::string_view payload) {
    MoveTo(at);
    AppendMeta(type, payload);
  }
  void Channel(std::int64_t at, int status, int first) {
    MoveTo(at);
    AppendStatus(status);
    bytes_ += static_cast<char>(first & 0x7F);
  }
  void Channel(std::int64_t at, int status, int first, int second) {
    Channel(at, status, first);
    bytes_ += static_cast<char>(second & 0x7F);
  }
  // The whole chunk.
  std::string End(std::int64_t at) {
    Meta(std::max(at, now_), kMetaEndOfTrack, "");
    std::string chunk = "MTrk";
    AppendBig(chunk, bytes_.size(), 4);
    return chunk + bytes_;
  }

 private:
  void MoveTo(std::int64_t at) {
    std::int64_t delta = std::max<std::int64_t>(0, at - now_);
    now_ += delta;
    for (; delta > kMaxDelta; delta -= kMaxDelta) {  // a pause longer than one delta can be
      AppendNumber(bytes_, kMaxDelta);
      AppendMeta(kMetaText, "");
    }
    AppendNumber(bytes_, static_cast<std::uint64_t>(delta));
  }
  void AppendMeta(int type, std::string_view payload) {
    bytes_ += static_cast<char>(kMidiMeta);
    bytes_ += static_cast<char>(type);
    AppendNumber(bytes_, payload.size());
    bytes_ += payload;
    running_ = 0;
  }
  void AppendStatus(int status) {
    if (status != running_) bytes_ += static_cast<char>(status);
    running_ = status;
  }

  std::string bytes_;
  std::int64_t now_ = 0;
  int running_ = 0;
};

// Ticks of the score as ticks of the file.
class Scale {
 public:
  explicit Scale(int ticks_per_quarter) : from_(std::max(1, ticks_per_quarter)) {
    if (from_ > kMaxMidiTicksPerQuarter) to_ = kRescaledMidiTicks;
  }
  int ticks_per_quarter() const { return to_ > 0 ? to_ : from_; }
  std::int64_t operator()(std::int64_t ticks) const {
    ticks = std::clamp<std::int64_t>(ticks, 0, kMaxScoreTicks);
    return to_ > 0 ? (ticks * to_ + from_ / 2) / from_ : ticks;
  }

 private:
  int from_;
  int to_ = 0;
};

std::string TempoPayload(const TempoChange& change) {
  std::string payload;
  const auto micros = std::clamp<std::int64_t>(change.us_per_quarter, 1, kMaxTempo);
  AppendBig(payload, static_cast<std::uint64_t>(micros), 3);
  return payload;
}

std::string MeterPayload(const MeterChange& change) {
  const auto unit = static_cast<unsigned>(std::clamp(change.unit, 1, 64));
  std::string payload;
  payload += static_cast<char>(std::clamp(change.beats, 1, 255));
  payload += static_cast<char>(std::bit_width(unit) - 1);
  payload += static_cast<char>(static_cast<unsigned>(kClocksPerWhole) / unit);
  payload += static_cast<char>(kThirtySecondsPerQuarter);
  return payload;
}

std::string KeyPayload(const KeyChange& change) {
  const Mode mode = change.key.mode;
  const bool minor = mode == Mode::kMinor || mode == Mode::kDorian || mode == Mode::kPhrygian ||
                     mode == Mode::kLocrian;
  std::string payload;
  payload += static_cast<char>(std::clamp(change.key.fifths, -7, 7));
  payload += static_cast<char>(minor ? 1 : 0);
  return payload;
}

std::string ConductorTrack(const Score& score, const Scale& scale) {
  struct Entry {
    std::int64_t at = 0;
    int type = 0;
    std::string payload;
  };
  std::vector<Entry> entries;
  for (const auto& meter : score.meters) {
    entries.push_back({scale(meter.at), kMetaMeter, MeterPayload(meter)});
  }
  for (const auto& tempo : score.tempos) {
    entries.push_back({scale(tempo.at), kMetaTempo, TempoPayload(tempo)});
  }
  for (const auto& key : score.keys) {
    entries.push_back({scale(key.at), kMetaKey, KeyPayload(key)});
  }
  std::ranges::stable_sort(entries, {}, &Entry::at);
  TrackBytes track;
  for (const Entry& entry : entries) track.Meta(entry.at, entry.type, entry.payload);
  return track.End(scale(score.end));
}

// The start or end of a note as one number, in the order in which they are written: by time, ends
// before starts, by pitch.
constexpr int kPitchBits = 7;
constexpr int kVelocityBits = 7;
constexpr std::uint64_t kLow7 = 0x7F;

std::uint64_t Edge(std::int64_t at, const Note& note, bool is_on) {
  const auto velocity = static_cast<std::uint64_t>(is_on ? std::clamp(note.velocity, 1, 127) : 0);
  return ((static_cast<std::uint64_t>(at) << 1 | (is_on ? 1 : 0)) << kPitchBits |
          (static_cast<std::uint64_t>(note.pitch) & kLow7))
             << kVelocityBits |
         velocity;
}

std::vector<std::uint64_t> EdgesOf(const Voice& voice, const Scale& scale) {
  std::vector<std::uint64_t> edges;
  edges.reserve(voice.notes.size() * 2);
  for (const Note& note : voice.notes) {
    const std::int64_t onset = scale(note.onset);
    const std::int64_t end = std::max(onset + 1, scale(note.onset + note.duration));
    edges.push_back(Edge(onset, note, true));
    edges.push_back(Edge(end, note, false));
  }
  std::ranges::sort(edges);
  return edges;
}

std::string VoiceTrack(const Voice& voice, int channel, const Scale& scale) {
  TrackBytes track;
  if (!voice.name.empty()) {
    track.Meta(0, kMetaTrackName, std::string_view(voice.name).substr(0, kMaxVoiceNameBytes));
  }
  if (!voice.drums) track.Channel(0, kProgramChange | channel, voice.program);
  for (const std::uint64_t edge : EdgesOf(voice, scale)) {
    track.Channel(static_cast<std::int64_t>(edge >> (1 + kPitchBits + kVelocityBits)),
                  kNoteOn | channel, static_cast<int>(edge >> kVelocityBits & kLow7),
                  static_cast<int>(edge & kLow7));
  }
  return track.End(0);
}

int MelodyChannel(int nth) {
  const int channel = nth % kMelodyChannels;
  return channel < kDrumChannel ? channel : channel + 1;
}

std::vector<int> AssignChannels(std::span<const Voice> voices) {
  int melodies = 0;
  std::array<int, 128> nth_program{};
  nth_program.fill(-1);
  const auto program_of = [](const Voice& voice) {
    return static_cast<std::size_t>(voice.program & 0x7F);
  };
  int distinct = 0;
  for (const Voice& voice : voices) {
    if (voice.drums) continue;
    ++melodies;
    if (int& nth = nth_program[program_of(voice)]; nth < 0) nth = distinct++;
  }
  std::vector<int> channels;
  int melody = 0;
  for (const Voice& voice : voices) {
    if (voice.drums) {
      channels.push_back(kDrumChannel);
    } else {
      const int nth = melodies <= kMelodyChannels ? melody : nth_program[program_of(voice)];
      channels.push_back(MelodyChannel(nth));
      ++melody;
    }
  }
  return channels;
}

}  // namespace

std::string WriteMidi(const Score& score) {
  const auto voices =
      std::span(score.voices).first(std::min<std::size_t>(score.voices.size(), kMaxScoreVoices));
  const Scale scale(score.ticks_per_quarter);
  std::string file = "MThd";
  AppendBig(file, 6, 4);
  AppendBig(file, 1, 2);
  AppendBig(file, voices.size() + 1, 2);
  AppendBig(file, static_cast<std::uint64_t>(scale.ticks_per_quarter()), 2);
  file += ConductorTrack(score, scale);
  const std::vector<int> channels = AssignChannels(voices);
  for (std::size_t i = 0; i < voices.size(); ++i) {
    file += VoiceTrack(voices[i], channels[i], scale);
  }
  return file;
}

}  // namespace etude
