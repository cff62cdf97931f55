#include "lib/music/remi_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lib/base/status.h"
#include "lib/music/vocabulary_json.h"

namespace etude {
namespace {

constexpr int kBos = 1;
constexpr int kBar = 4;
constexpr int kPitch = 5;
constexpr int kVelocity = kPitch + kRemiPitches.high - kRemiPitches.low + 1;
constexpr int kDuration = kVelocity + kRemiVelocities;
constexpr int kPosition = kDuration + kRemiDurations;
constexpr int kPositions = kRemiPositionsPerBeat * 12;  // of 12/8, the longest bar in beats
constexpr int kPitchDrum = kPosition + kPositions;
constexpr int kTempo = kPitchDrum + kRemiDrumPitches.high - kRemiDrumPitches.low + 1;
constexpr int kProgramCount = 129;  // 0..127, then drums
constexpr double kUsPerMinute = 60'000'000;
constexpr int kDecodedTicksPerQuarter = 2 * kRemiPositionsPerBeat;

// First ids of what the options may leave out.
struct Layout {
  explicit Layout(const RemiOptions& options)
      : program(kTempo + (options.tempos ? kRemiTempos : 0)),
        meter(program + (options.programs ? kProgramCount : 0)) {}
  int program;
  int meter;
};

int MeterIndex(const MeterChange& meter) {
  const auto found = std::ranges::find_if(kRemiMeters, [&](const MeterChange& known) {
    return known.beats == meter.beats && known.unit == meter.unit;
  });
  return static_cast<int>(found - kRemiMeters.begin());
}

// As Python writes a float of at most two decimals: "40.0", "46.77".
std::string TempoText(double tempo) {
  const std::string text = fmt::format("{}", tempo);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::vector<std::string> RemiTokens(const RemiOptions& options) {
  std::vector<std::string> tokens = {"PAD_None", "BOS_None", "EOS_None", "MASK_None", "Bar_None"};
  const auto add = [&](std::string_view type, const auto& value) {
    tokens.push_back(fmt::format("{}_{}", type, value));
  };
  for (int pitch = kRemiPitches.low; pitch <= kRemiPitches.high; ++pitch) add("Pitch", pitch);
  for (int bin = 0; bin < kRemiVelocities; ++bin) add("Velocity", RemiVelocity(bin));
  for (const auto& [beat, position, resolution] : RemiDurations()) {
    add("Duration", fmt::format("{}.{}.{}", beat, position, resolution));
  }
  for (int position = 0; position < kPositions; ++position) add("Position", position);
  for (int pitch = kRemiDrumPitches.low; pitch <= kRemiDrumPitches.high; ++pitch) {
    add("PitchDrum", pitch);
  }
  if (options.tempos) {
    for (const double tempo : RemiTempos()) add("Tempo", TempoText(tempo));
  }
  if (options.programs) {
    for (int program = 0; program < kProgramCount - 1; ++program) add("Program", program);
    add("Program", kDrumProgram);
  }
  for (const MeterChange& meter : kRemiMeters) {
    add("TimeSig", fmt::format("{}/{}", meter.beats, meter.unit));
  }
  return tokens;
}

struct Event {
  enum class Kind { kMeter, kTempo, kNote };
  std::int64_t time = 0;
  Kind kind = Kind::kNote;
  int value = 0;  // index of the meter, bin of the tempo, program of the note
  RemiNote note = {};
};

// By time; at one time meters, tempos, then the tracks' notes in their order.
std::vector<Event> SortedEvents(const RemiScore& grid, std::span<const RemiTrack> tracks,
                                bool with_tempos) {
  std::vector<Event> events;
  for (const MeterChange& meter : grid.meters) {
    events.push_back({meter.at, Event::Kind::kMeter, MeterIndex(meter)});
  }
  for (const RemiTempo& tempo : grid.tempos) {
    if (with_tempos) events.push_back({tempo.at, Event::Kind::kTempo, tempo.bin});
  }
  for (const RemiTrack& track : tracks) {
    for (const RemiNote& note : track.notes) {
      events.push_back({note.onset, Event::Kind::kNote, track.program, note});
    }
  }
  std::ranges::stable_sort(events, {}, &Event::time);
  return events;
}

// Writes one sequence; miditok's REMI._add_time_events.
class RemiWriter {
 public:
  RemiWriter(const RemiOptions& options, int ticks_per_quarter)
      : options_(options), layout_(options), ticks_per_quarter_(ticks_per_quarter) {}

  // False: more than Tokenizer::kMaxPieceTokens.
  bool Write(std::span<const Event> events, TokenIds& ids) {
    SetMeter(kRemiMeters[events.front().value]);  // the first event is the meter at 0
    for (const Event& event : events) {
      const bool is_meter = event.kind == Event::Kind::kMeter;
      if (event.time != previous_time_) {
        const std::int64_t bar = bar_at_meter_ + (event.time - meter_time_) / ticks_per_bar_;
        if (std::ssize(ids) + 2 * (bar - bar_) > Tokenizer::kMaxPieceTokens) return false;
        AddBars(bar, is_meter, ids);
        if (!is_meter) {
          const std::int64_t start = meter_time_ + (bar_ - bar_at_meter_) * ticks_per_bar_;
          Add(kPosition + static_cast<int>((event.time - start) / ticks_per_position_), ids);
        }
        previous_time_ = event.time;
      }
      if (is_meter) ChangeMeter(event);
      AddEvent(event, ids);
    }
    return true;
  }

 private:
  static void Add(int id, TokenIds& ids) { ids.push_back(static_cast<std::uint16_t>(id)); }

  void SetMeter(const MeterChange& meter) {
    meter_ = meter;
    ticks_per_bar_ = TicksPerBar(meter, ticks_per_quarter_);
    ticks_per_position_ = TicksPerBeat(meter, ticks_per_quarter_) / kRemiPositionsPerBeat;
  }

  // Every bar names its meter; the last one's comes with the event if that is a meter.
  void AddBars(std::int64_t until, bool is_meter, TokenIds& ids) {
    for (; bar_ < until; ++bar_) {
      Add(kBar, ids);
      if (!(is_meter && bar_ + 1 == until)) Add(layout_.meter + MeterIndex(meter_), ids);
    }
  }

  void ChangeMeter(const Event& event) {
    bar_at_meter_ += (event.time - meter_time_) / ticks_per_bar_;
    meter_time_ = event.time;
    SetMeter(kRemiMeters[event.value]);
    --previous_time_;  // what comes at the same time names its position
  }

  void AddEvent(const Event& event, TokenIds& ids) {
    if (event.kind == Event::Kind::kMeter) return Add(layout_.meter + event.value, ids);
    if (event.kind == Event::Kind::kTempo) return Add(kTempo + event.value, ids);
    const bool is_drum = event.value == kDrumProgram;
    if (options_.programs) {
      Add(layout_.program + (is_drum ? kProgramCount - 1 : event.value), ids);
    }
    Add(is_drum ? kPitchDrum + event.note.pitch - kRemiDrumPitches.low
                : kPitch + event.note.pitch - kRemiPitches.low,
        ids);
    Add(kVelocity + event.note.velocity_bin, ids);
    Add(kDuration + event.note.duration_bin, ids);
  }

  RemiOptions options_;
  Layout layout_;
  int ticks_per_quarter_;
  MeterChange meter_;
  std::int64_t ticks_per_bar_ = 1;
  std::int64_t ticks_per_position_ = 1;
  std::int64_t bar_ = -1;
  std::int64_t bar_at_meter_ = 0;
  std::int64_t meter_time_ = 0;
  std::int64_t previous_time_ = -1;
};

// Reads ids that a model may have made up; miditok's REMI._tokens_to_score.
class RemiReader {
 public:
  explicit RemiReader(const RemiOptions& options) : layout_(options) {
    score_.ticks_per_quarter = kDecodedTicksPerQuarter;
  }

  Score Read(std::span<const std::uint16_t> ids) {
    StartMeter(ids);
    for (std::size_t at = 0; at < ids.size(); ++at) AddToken(ids, at);
    Normalize(score_);
    return std::move(score_);
  }

 private:
  bool IsMeter(int id) const {
    return id >= layout_.meter && id < layout_.meter + static_cast<int>(kRemiMeters.size());
  }
  static bool IsNote(int id) {
    return (id >= kPitch && id < kVelocity) || (id >= kPitchDrum && id < kTempo);
  }

  // The first meter named before a note holds from the start.
  void StartMeter(std::span<const std::uint16_t> ids) {
    MeterChange meter = {0, 4, 4};
    for (const int id : ids) {
      if (IsMeter(id)) meter = kRemiMeters[id - layout_.meter];
      if (IsMeter(id) || IsNote(id)) break;
    }
    SetMeter(meter, 0);
  }

  void SetMeter(const MeterChange& meter, std::int64_t at) {
    meter_ = meter;
    score_.meters.push_back({at, meter.beats, meter.unit});
  }

  void AddToken(std::span<const std::uint16_t> ids, std::size_t at) {
    const int id = ids[at];
    if (id == kBar) {
      if (++bar_ > 0) now_ = bar_start_ + TicksPerBar(meter_, kDecodedTicksPerQuarter);
      bar_start_ = now_;
    } else if (id >= kPosition && id < kPitchDrum) {
      bar_ = std::max<std::int64_t>(bar_, 0);
      now_ = bar_start_ + std::int64_t{id - kPosition} * Beat() / kRemiPositionsPerBeat;
    } else if (IsNote(id)) {
      AddNote(ids.subspan(at));
    } else if (id >= kTempo && id < std::min(layout_.program, kTempo + kRemiTempos)) {
      score_.tempos.push_back({now_, std::llround(kUsPerMinute / RemiTempos()[id - kTempo])});
    } else if (id >= layout_.program && id < layout_.meter) {
      program_ = id - layout_.program;
    } else if (IsMeter(id)) {
      const MeterChange& meter = kRemiMeters[id - layout_.meter];
      if (MeterIndex(meter) != MeterIndex(meter_)) SetMeter(meter, now_);
    }
  }

  int Beat() const { return TicksPerBeat(meter_, kDecodedTicksPerQuarter); }

  // A pitch without velocity and duration behind it is no note.
  void AddNote(std::span<const std::uint16_t> ids) {
    if (ids.size() < 3 || ids[1] < kVelocity || ids[1] >= kDuration || ids[2] < kDuration ||
        ids[2] >= kPosition) {
      return;
    }
    const bool is_drum = ids[0] >= kPitchDrum;
    const int pitch =
        is_drum ? ids[0] - kPitchDrum + kRemiDrumPitches.low : ids[0] - kPitch + kRemiPitches.low;
    VoiceNow(is_drum).notes.push_back(
        {.onset = now_,
         .duration = RemiDurations()[ids[2] - kDuration].Ticks(Beat()),
         .pitch = pitch,
         .velocity = RemiVelocity(ids[1] - kVelocity)});
  }

  // Voices in the order of their first notes.
  Voice& VoiceNow(bool is_drum) {
    const bool drums = is_drum || program_ == kProgramCount - 1;
    const int program = drums ? 0 : program_;
    const auto [found, is_new] =
        voice_of_.try_emplace({drums, program}, static_cast<int>(score_.voices.size()));
    if (is_new) {
      score_.voices.push_back({.name = "", .program = program, .drums = drums, .notes = {}});
    }
    return score_.voices[found->second];
  }

  Layout layout_;
  Score score_;
  MeterChange meter_;
  int program_ = 0;
  std::int64_t bar_ = -1;
  std::int64_t bar_start_ = 0;
  std::int64_t now_ = 0;
  std::map<std::pair<bool, int>, int> voice_of_;
};

}  // namespace

RemiTokenizer::RemiTokenizer(const RemiOptions& options)
    : Tokenizer(RemiTokens(options), kBos, std::nullopt), options_(options) {}

absl::StatusOr<RemiTokenizer> RemiTokenizer::FromJson(const nlohmann::json& root,
                                                      const std::string& where) {
  ASSIGN_OR_RETURN(const std::vector<std::string> tokens, TokensFromJson(root, where));
  for (const RemiOptions& options : {RemiOptions{}, RemiOptions{false, false}}) {
    if (tokens == RemiTokens(options)) return RemiTokenizer(options);
  }
  return DamagedVocabulary(where, "not the tokens of REMI as this version writes it");
}

std::string RemiTokenizer::ToJson() const {
  return VocabularyText(VocabularyToJson(scheme(), tokens()));
}

absl::StatusOr<TokenIds> RemiTokenizer::EncodeScore(const Score& score) const {
  const RemiScore grid = ToRemiGrid(FillPickup(score), {.merge_programs = options_.programs});
  std::vector<std::span<const RemiTrack>> sequences;
  if (options_.programs || grid.tracks.empty()) {
    sequences.emplace_back(grid.tracks);
  } else {
    for (const RemiTrack& track : grid.tracks) sequences.emplace_back(&track, 1);
  }
  TokenIds ids;
  for (const std::span<const RemiTrack> tracks : sequences) {
    RemiWriter writer(options_, grid.ticks_per_quarter);
    if (!writer.Write(SortedEvents(grid, tracks, options_.tempos), ids) ||
        std::ssize(ids) > kMaxPieceTokens) {
      return ResourceExhausted(
          fmt::format("more than {} tokens in one piece; leave it out", kMaxPieceTokens));
    }
  }
  return ids;
}

Score RemiTokenizer::DecodeScore(std::span<const std::uint16_t> ids) const {
  return RemiReader(options_).Read(ids);
}

}  // namespace etude
