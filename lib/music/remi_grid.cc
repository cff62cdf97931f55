#include "lib/music/remi_grid.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>

namespace etude {
namespace {

constexpr MeterChange kCommonTime = {0, 4, 4};
constexpr double kLowestTempo = 40;
constexpr double kHighestTempo = 250;
constexpr double kDefaultTempo = 120;
constexpr double kUsPerMinute = 60'000'000;
constexpr int kTopVelocity = 127;

bool SameMeter(const MeterChange& a, const MeterChange& b) {
  return a.beats == b.beats && a.unit == b.unit;
}

bool IsSupported(const MeterChange& meter) {
  return std::ranges::any_of(kRemiMeters,
                             [&](const MeterChange& known) { return SameMeter(known, meter); });
}

// Index of the value of `ascending` next to `value`; of two as near the higher.
template <typename Number>
int Closest(std::span<const Number> ascending, Number value) {
  const auto above = std::ranges::lower_bound(ascending, value);
  const auto index = static_cast<int>(above - ascending.begin());
  if (above == ascending.end()) return index - 1;
  if (index > 0 && value - ascending[index - 1] < *above - value) return index - 1;
  return index;
}

std::vector<MeterChange> SupportedMeters(const Score& score) {
  std::vector<MeterChange> meters;
  std::ranges::copy_if(score.meters, std::back_inserter(meters), IsSupported);
  if (meters.empty() || meters.front().at != 0) meters.insert(meters.begin(), kCommonTime);
  return meters;
}

// Each change waits for the next bar line; one that changes nothing, or that another replaces at
// once, goes.
void DelayToBarLines(std::vector<MeterChange>& meters, int ticks_per_quarter) {
  std::vector<MeterChange> kept;
  for (MeterChange meter : meters) {
    if (!kept.empty()) {
      const MeterChange& last = kept.back();
      if (SameMeter(meter, last)) continue;
      const std::int64_t bar = TicksPerBar(last, ticks_per_quarter);
      const std::int64_t since = std::max(meter.at, last.at) - last.at;
      meter.at = last.at + (since + bar - 1) / bar * bar;
      if (meter.at == last.at) {
        kept.pop_back();
        if (!kept.empty() && SameMeter(meter, kept.back())) continue;
      }
    }
    kept.push_back(meter);
  }
  meters = std::move(kept);
}

// A stretch of the score in which beats are of one kind.
struct Section {
  std::int64_t begin = 0;
  std::int64_t end = 0;    // the last has none: its end is not looked at
  int step = 1;            // ticks of a position
  int ticks_per_beat = 0;  // kRemiPositionsPerBeat positions
};

std::vector<Section> Sections(const RemiScore& score) {
  std::vector<Section> sections;
  for (const MeterChange& meter : score.meters) {
    const int beat = TicksPerBeat(meter, score.ticks_per_quarter);
    if (!sections.empty() && sections.back().ticks_per_beat == beat) continue;
    if (!sections.empty()) sections.back().end = meter.at;
    sections.push_back({.begin = meter.at,
                        .end = meter.at,
                        .step = beat / kRemiPositionsPerBeat,
                        .ticks_per_beat = beat});
  }
  // A meter that made the grid finer may be gone; miditok then leaves the times between positions.
  if (sections.size() == 1) sections.front().step = 1;
  return sections;
}

// Walks along the sections with times that never fall.
class SectionCursor {
 public:
  explicit SectionCursor(std::span<const Section> sections) : sections_(sections) {}
  const Section& At(std::int64_t time) {
    while (at_ + 1 < sections_.size() && time >= sections_[at_].end) ++at_;
    return sections_[at_];
  }

 private:
  std::span<const Section> sections_;
  std::size_t at_ = 0;
};

// To the nearest position of its section; halves go to the even one.
std::int64_t ToPosition(std::int64_t time, const Section& section) {
  if (section.step == 1) return time;
  const auto steps = static_cast<double>(time - section.begin) / section.step;
  return static_cast<std::int64_t>(std::nearbyint(steps)) * section.step + section.begin;
}

class Resampler {
 public:
  Resampler(int from, int to) : is_equal_(from == to), factor_(static_cast<double>(to) / from) {}
  std::int64_t Time(std::int64_t ticks) const {
    return is_equal_ ? ticks : std::llround(static_cast<double>(ticks) * factor_);
  }
  std::int64_t Duration(std::int64_t ticks) const {
    return is_equal_ ? ticks : std::max<std::int64_t>(1, Time(ticks));
  }
  std::int64_t MeterTime(std::int64_t ticks) const {
    return is_equal_ ? ticks : static_cast<std::int64_t>(static_cast<double>(ticks) * factor_);
  }

 private:
  bool is_equal_;
  double factor_;
};

int ProgramOf(const Voice& voice) { return voice.drums ? kDrumProgram : voice.program; }

struct Track {
  int program = 0;
  std::vector<Note> notes;
};

// Tracks of one program lie where the first of them lay, their notes in order.
std::vector<Track> MergedByProgram(std::vector<Track> tracks) {
  std::map<int, std::size_t> first_of;
  std::vector<Track> merged;
  std::vector<bool> is_merged;
  for (Track& track : tracks) {
    const auto [found, is_new] = first_of.try_emplace(track.program, merged.size());
    if (is_new) {
      merged.push_back(std::move(track));
      is_merged.push_back(false);
      continue;
    }
    std::vector<Note>& notes = merged[found->second].notes;
    notes.insert(notes.end(), track.notes.begin(), track.notes.end());
    is_merged[found->second] = true;
  }
  for (std::size_t i = 0; i < merged.size(); ++i) {
    if (is_merged[i]) std::ranges::sort(merged[i].notes);
  }
  return merged;
}

std::vector<Track> Resampled(const Score& score, const Resampler& resampler) {
  std::vector<Track> tracks;
  for (const Voice& voice : score.voices) {
    Track track{.program = ProgramOf(voice), .notes = voice.notes};
    for (Note& note : track.notes) {
      note.onset = resampler.Time(note.onset);
      note.duration = resampler.Duration(note.duration);
    }
    tracks.push_back(std::move(track));
  }
  return tracks;
}

int VelocityBin(int velocity) {
  std::array<int, kRemiVelocities> bins{};
  for (int bin = 0; bin < kRemiVelocities; ++bin) bins[bin] = RemiVelocity(bin);
  return Closest<int>(bins, velocity);
}

int DurationBin(std::int64_t ticks, int ticks_per_beat) {
  std::array<std::int64_t, kRemiDurations> bins{};
  for (int bin = 0; bin < kRemiDurations; ++bin) {
    bins[bin] = RemiDurations()[bin].Ticks(ticks_per_beat);
  }
  return Closest<std::int64_t>(bins, ticks);
}

RemiTrack ToBins(const Track& track, const std::vector<Section>& sections) {
  const PitchRange range = track.program == kDrumProgram ? kRemiDrumPitches : kRemiPitches;
  RemiTrack binned{.program = track.program, .notes = {}};
  SectionCursor by_time(sections);
  SectionCursor by_position(sections);
  for (const Note& note : track.notes) {
    if (note.pitch < range.low || note.pitch > range.high) continue;
    const std::int64_t onset = ToPosition(note.onset, by_time.At(note.onset));
    binned.notes.push_back(
        {.onset = onset,
         .pitch = note.pitch,
         .velocity_bin = VelocityBin(note.velocity),
         .duration_bin = DurationBin(note.duration, by_position.At(onset).ticks_per_beat)});
  }
  return binned;
}

int TempoBin(double us_per_quarter) {
  std::array<double, kRemiTempos> ascending{};  // the slowest last
  for (int bin = 0; bin < kRemiTempos; ++bin) {
    ascending[kRemiTempos - 1 - bin] = kUsPerMinute / RemiTempos()[bin];
  }
  return kRemiTempos - 1 - Closest<double>(ascending, us_per_quarter);
}

int DefaultTempoBin() {
  const auto distance = [](double tempo) { return std::abs(tempo - kDefaultTempo); };
  const auto& tempos = RemiTempos();
  return static_cast<int>(std::ranges::min_element(tempos, {}, distance) - tempos.begin());
}

std::vector<RemiTempo> ToTempoBins(const Score& score, const Resampler& resampler,
                                   const std::vector<Section>& sections) {
  std::vector<RemiTempo> tempos;
  SectionCursor cursor(sections);
  for (const TempoChange& tempo : score.tempos) {
    const std::int64_t time = resampler.Time(tempo.at);
    const std::int64_t at = ToPosition(time, cursor.At(time));
    if (!tempos.empty() && tempos.back().at == at) tempos.pop_back();
    tempos.push_back({at, TempoBin(static_cast<double>(tempo.us_per_quarter))});
  }
  if (tempos.empty() || tempos.front().at != 0) {
    tempos.insert(tempos.begin(), {0, DefaultTempoBin()});
  }
  return tempos;
}

}  // namespace

const std::array<RemiDuration, kRemiDurations>& RemiDurations() {
  static const std::array<RemiDuration, kRemiDurations> kDurations = [] {
    std::array<RemiDuration, kRemiDurations> durations{};
    int bin = 0;
    for (int beat = 0; beat < 12; ++beat) {
      const int resolution = beat < 4 ? 8 : 4;
      for (int position = beat == 0 ? 1 : 0; position < resolution; ++position) {
        durations[bin++] = {beat, position, resolution};
      }
    }
    durations[bin] = {12, 0, 4};
    return durations;
  }();
  return kDurations;
}

const std::array<double, kRemiTempos>& RemiTempos() {
  static const std::array<double, kRemiTempos> kTempos = [] {
    std::array<double, kRemiTempos> tempos{};
    const double step = (kHighestTempo - kLowestTempo) / (kRemiTempos - 1);
    for (int bin = 0; bin < kRemiTempos; ++bin) {
      tempos[bin] = std::nearbyint((kLowestTempo + bin * step) * 100) / 100;
    }
    return tempos;
  }();
  return kTempos;
}

int RemiVelocity(int bin) { return (bin + 1) * kTopVelocity / kRemiVelocities; }

int TicksPerBeat(const MeterChange& meter, int ticks_per_quarter) {
  return ticks_per_quarter * 4 / meter.unit;
}

std::int64_t TicksPerBar(const MeterChange& meter, int ticks_per_quarter) {
  return std::int64_t{TicksPerBeat(meter, ticks_per_quarter)} * meter.beats;
}

RemiScore ToRemiGrid(const Score& score, const RemiGridOptions& options) {
  RemiScore grid;
  grid.meters = SupportedMeters(score);
  const int finest = std::ranges::max(grid.meters, {}, &MeterChange::unit).unit;
  grid.ticks_per_quarter = kRemiPositionsPerBeat * finest / 4;
  const Resampler resampler(score.ticks_per_quarter, grid.ticks_per_quarter);
  for (MeterChange& meter : grid.meters) meter.at = resampler.MeterTime(meter.at);
  DelayToBarLines(grid.meters, grid.ticks_per_quarter);
  const std::vector<Section> sections = Sections(grid);
  std::vector<Track> tracks = Resampled(score, resampler);
  if (options.merge_programs) tracks = MergedByProgram(std::move(tracks));
  for (const Track& track : tracks) {
    RemiTrack binned = ToBins(track, sections);
    if (!binned.notes.empty()) grid.tracks.push_back(std::move(binned));
  }
  grid.tempos = ToTempoBins(score, resampler, sections);
  return grid;
}

Score FillPickup(const Score& score) {
  if (score.pickup <= 0) return score;
  MeterChange meter = kCommonTime;
  if (!score.meters.empty() && score.meters.front().at <= score.pickup) {
    meter = score.meters.front();
  }
  const std::int64_t bar = 4LL * score.ticks_per_quarter * meter.beats / meter.unit;
  const std::int64_t shift = std::max<std::int64_t>(0, bar - score.pickup);
  Score filled = score;
  const auto move = [shift](auto& changes) {
    for (auto& change : changes) {
      if (change.at > 0) change.at += shift;
    }
  };
  for (Voice& voice : filled.voices) {
    for (Note& note : voice.notes) note.onset += shift;
  }
  move(filled.meters);
  move(filled.tempos);
  move(filled.keys);
  filled.pickup = 0;
  filled.end += shift;
  return filled;
}

}  // namespace etude
