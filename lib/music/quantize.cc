#include "lib/music/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <utility>
#include <vector>

namespace etude {
namespace {

constexpr std::array<int, 9> kGrids = {1, 2, 3, 4, 6, 8, 12, 16, kMaxGridSteps};

// Of those, the ones chosen from, plain ones first: coarser grids hold onsets and lose the lengths
// of short notes.
constexpr std::array<int, 7> kChosenGrids = {4, 3, 6, 8, 12, 16, kMaxGridSteps};

// Steps a beat that a person plays to; finer ones cannot be told from chance. On each of them a
// note stays within an eighth of a quarter of its time, as on every grid that not all notes lie on.
constexpr std::array<int, 4> kPlayedGrids = {4, 6, 8, 12};
constexpr double kAllFit = 0.98;
constexpr int kPerformedSteps = 16;

// An onset lies on a grid when it is this near, in quarters: a sequencer's rounding or slack.
constexpr double kOnGridQuarters = 1.0 / 64;
constexpr double kFitEnough = 0.9;
// A finer grid must hold this much more.
constexpr double kWorthFiner = 0.01;
// Mean distance to a played grid, of what chance would give.
constexpr double kPlayedResidual = 0.6;

// How many onsets each tick of the quarter has; whatever the grid, only this matters.
std::vector<std::int64_t> OnsetPhases(const Score& score) {
  std::vector<std::int64_t> phases(static_cast<std::size_t>(score.ticks_per_quarter));
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) {
      ++phases[static_cast<std::size_t>(note.onset % score.ticks_per_quarter)];
    }
  }
  return phases;
}

// Of each phase the distance to the grid, in quarters.
double Residual(std::size_t phase, std::size_t ticks_per_quarter, int steps) {
  const double position =
      static_cast<double>(phase) * steps / static_cast<double>(ticks_per_quarter);
  return std::abs(position - std::round(position)) / steps;
}

template <typename Weight>
double MeanOverOnsets(const std::vector<std::int64_t>& phases, Weight weight) {
  double sum = 0;
  std::int64_t onsets = 0;
  for (std::size_t phase = 0; phase < phases.size(); ++phase) {
    if (phases[phase] == 0) continue;
    sum += weight(phase) * static_cast<double>(phases[phase]);
    onsets += phases[phase];
  }
  return onsets == 0 ? 0 : sum / static_cast<double>(onsets);
}

// Beyond what onsets anywhere would give.
double FitOf(const std::vector<std::int64_t>& phases, int steps) {
  const double rounding = 0.51 / static_cast<double>(phases.size());
  const double near = std::max(rounding, std::min(kOnGridQuarters, 1.0 / (6 * steps)));
  const double share = MeanOverOnsets(phases, [&](std::size_t phase) {
    return Residual(phase, phases.size(), steps) <= near ? 1.0 : 0.0;
  });
  const double chance = std::min(0.9, 2 * near * steps);
  return std::max(0.0, (share - chance) / (1 - chance));
}

NoteGrid PlayedGrid(const std::vector<std::int64_t>& phases) {
  NoteGrid best{.steps = kPerformedSteps, .fit = 0, .performed = true};
  double least = kPlayedResidual;
  for (const int steps : kPlayedGrids) {
    const double residual = MeanOverOnsets(phases, [&](std::size_t phase) {
      return Residual(phase, phases.size(), steps) * 4 * steps;
    });
    if (residual >= least) continue;
    least = residual;
    best = {.steps = steps, .fit = 1 - residual, .performed = false};
  }
  return best;
}

// A bar of n/64 on a grid of triplets is beyond the finest grid; then the triplets go.
int FinerFor(int steps, const std::vector<MeterChange>& meters) {
  int finer = steps;
  for (const MeterChange& meter : meters) {
    if (meter.unit > 4) finer = std::lcm(finer, std::min(meter.unit, 64) / 4);
  }
  return finer <= kMaxGridSteps ? finer : 16;
}

// Times of a source in its ticks to steps of a grid.
class Rounding {
 public:
  Rounding(int ticks_per_quarter, int steps) : ticks_(ticks_per_quarter), steps_(steps) {}

  std::int64_t Step(std::int64_t tick) const { return (tick * steps_ + ticks_ / 2) / ticks_; }
  // Unrounded, for what is near.
  double Exact(std::int64_t tick) const {
    return static_cast<double>(tick) * static_cast<double>(steps_) / static_cast<double>(ticks_);
  }
  std::int64_t steps() const { return steps_; }

 private:
  std::int64_t ticks_;
  std::int64_t steps_;
};

// The end of a note by the beat: the largest division of the quarter that has a point within
// `tolerance` of `end`, after `onset`.
std::int64_t NearBeat(double end, std::int64_t onset, double tolerance, std::int64_t steps) {
  for (const std::int64_t division : {1, 2, 3, 4, 6, 8}) {
    if (steps % division != 0) continue;
    const std::int64_t width = steps / division;
    const std::int64_t point = std::llrint(end / static_cast<double>(width)) * width;
    if (point > onset && std::abs(static_cast<double>(point) - end) <= tolerance) return point;
  }
  return std::max(onset + 1, static_cast<std::int64_t>(std::llround(end)));
}

// A voice's onsets in steps, sorted and distinct.
using Onsets = std::vector<std::int64_t>;

// The first onset at `time` or later, from `place` on. Notes seldom outlast a few others.
std::size_t FirstFrom(const Onsets& onsets, std::size_t place, std::int64_t time) {
  constexpr std::size_t kNear = 8;
  for (std::size_t i = place; i < std::min(place + kNear, onsets.size()); ++i) {
    if (onsets[i] >= time) return i;
  }
  const auto from = onsets.begin() + static_cast<std::ptrdiff_t>(place);
  return static_cast<std::size_t>(std::lower_bound(from, onsets.end(), time) - onsets.begin());
}

// `place` is that of the note's own onset.
std::int64_t PitchedEnd(const Rounding& rounding, const Note& source, const Onsets& onsets,
                        std::size_t place) {
  const std::int64_t onset = onsets[place];
  const double end = rounding.Exact(source.onset + source.duration);
  const double tolerance =
      std::max(static_cast<double>(rounding.steps()) / 8, rounding.Exact(source.duration) / 5);
  const auto whole = static_cast<std::int64_t>(end);
  const std::size_t after = FirstFrom(onsets, place, whole < onset ? onset : whole);
  // Of the onsets around the end the nearest, if it is near.
  std::int64_t nearest = -1;
  for (std::size_t i = after == 0 ? 0 : after - 1; i < std::min(after + 2, onsets.size()); ++i) {
    const double distance = std::abs(static_cast<double>(onsets[i]) - end);
    if (onsets[i] <= onset || distance > tolerance) continue;
    if (nearest < 0 || distance < std::abs(static_cast<double>(nearest) - end)) nearest = onsets[i];
  }
  return nearest >= 0 ? nearest : NearBeat(end, onset, tolerance, rounding.steps());
}

std::int64_t DrumEnd(std::int64_t steps, const Onsets& onsets, std::size_t place) {
  const std::int64_t beat = (onsets[place] / steps + 1) * steps;
  return place + 1 == onsets.size() ? beat : std::min(beat, onsets[place + 1]);
}

// Shortens a note that still sounds when its pitch begins again. Notes of one onset keep their
// length.
void EndBeforeRepeats(std::vector<Note>& notes) {
  constexpr std::size_t kNone = ~std::size_t{0};
  std::array<std::size_t, 128> newest;
  newest.fill(kNone);
  std::vector<std::size_t> with_it(notes.size(), kNone);  // the note of the same onset before it
  for (std::size_t i = 0; i < notes.size(); ++i) {
    std::size_t& last = newest[static_cast<std::size_t>(notes[i].pitch & 127)];
    if (last != kNone && notes[last].onset == notes[i].onset) {
      with_it[i] = last;
    } else {
      for (std::size_t e = last; e != kNone; e = with_it[e]) {
        notes[e].duration = std::min(notes[e].duration, notes[i].onset - notes[e].onset);
      }
    }
    last = i;
  }
}

Voice QuantizeVoice(const Voice& voice, const Rounding& rounding) {
  Voice quantized{.name = voice.name, .program = voice.program, .drums = voice.drums, .notes = {}};
  Onsets onsets;
  quantized.notes.reserve(voice.notes.size());
  for (const Note& note : voice.notes) {
    const std::int64_t onset = rounding.Step(note.onset);
    if (onsets.empty() || onsets.back() < onset) onsets.push_back(onset);
    quantized.notes.push_back({onset, 1, note.pitch, note.velocity});
  }
  std::size_t place = 0;
  for (std::size_t i = 0; i < voice.notes.size(); ++i) {
    Note& note = quantized.notes[i];
    if (onsets[place] != note.onset) ++place;
    const std::int64_t end = voice.drums ? DrumEnd(rounding.steps(), onsets, place)
                                         : PitchedEnd(rounding, voice.notes[i], onsets, place);
    note.duration = end - note.onset;
  }
  EndBeforeRepeats(quantized.notes);
  return quantized;
}

std::int64_t BarSteps(const MeterChange& meter, std::int64_t steps) {
  return std::max<std::int64_t>(1, 4 * steps * meter.beats / meter.unit);
}

// The meter of a bar of `length` steps: in quarters, eighths where they do not divide it, longer
// units where their count would not fit.
MeterChange MeterOfLength(std::int64_t at, std::int64_t length, std::int64_t steps) {
  for (const int unit : {4, 8, 2, 1}) {
    const std::int64_t width = 4 * steps / unit;
    if (4 * steps % unit == 0 && length % width == 0 && length / width <= 255) {
      return {at, static_cast<int>(length / width), unit};
    }
  }
  return {at, 1, 4};
}

// Meters on the grid, each change at a bar line of the meter before it.
class MeterPlan {
 public:
  explicit MeterPlan(std::int64_t steps) : steps_(steps) {}

  void Add(MeterChange meter) {
    const MeterChange before = meters_.empty() ? MeterChange{} : meters_.back();
    const std::int64_t bar = BarSteps(before, steps_);
    const std::int64_t since = std::max<std::int64_t>(0, meter.at - before.at);
    const std::int64_t line = before.at + since / bar * bar;
    const std::int64_t rest = RoundedRest(since % bar, bar);
    if (rest > 0 && rest < bar) {
      Place(MeterOfLength(line, rest, steps_));
    }
    meter.at = line + rest;
    Place(meter);
  }

  std::vector<MeterChange> Take() && { return std::move(meters_); }

 private:
  // What a bar keeps when the next meter comes inside it: whole eighths (quarters where the grid
  // has no eighths), none or all of it where that is within an eighth.
  std::int64_t RoundedRest(std::int64_t rest, std::int64_t bar) const {
    const std::int64_t width = steps_ % 2 == 0 ? steps_ / 2 : steps_;
    if (rest < width) return 0;
    if (rest > bar - width) return bar;
    const std::int64_t rounded = (rest + width / 2) / width * width;
    const std::int64_t quarters = (rest + steps_ / 2) / steps_ * steps_;
    return std::min(bar, rounded / width <= 255 ? rounded : quarters);
  }

  void Place(const MeterChange& meter) {
    if (meters_.empty() && meter.at > 0) meters_.push_back({});  // 4/4 until then
    if (!meters_.empty() && meters_.back().at >= meter.at) meters_.pop_back();
    meters_.push_back(meter);
  }

  std::int64_t steps_;
  std::vector<MeterChange> meters_;
};

std::int64_t NearestLine(const std::vector<std::int64_t>& lines, std::int64_t at) {
  const auto after = std::ranges::lower_bound(lines, at);
  if (after == lines.end()) return lines.back();
  if (after == lines.begin()) return *after;
  return at - *(after - 1) <= *after - at ? *(after - 1) : *after;
}

}  // namespace

bool IsGrid(int steps) { return std::ranges::find(kGrids, steps) != kGrids.end(); }

NoteGrid ChooseGrid(const Score& score) {
  if (NoteCount(score) == 0) return {};
  const std::vector<std::int64_t> phases = OnsetPhases(score);
  std::array<double, kChosenGrids.size()> fits{};
  std::ranges::transform(kChosenGrids, fits.begin(),
                         [&](int steps) { return FitOf(phases, steps); });
  const double best = std::ranges::max(fits);
  if (best < kFitEnough) return PlayedGrid(phases);
  const auto fit = std::ranges::find_if(fits, [&](double f) { return f >= best - kWorthFiner; });
  const int steps = kChosenGrids[static_cast<std::size_t>(fit - fits.begin())];
  return {.steps = *fit < kAllFit ? std::lcm(steps, 4) : steps, .fit = *fit};
}

Score Quantize(const Score& score, int steps) {
  Score quantized;
  quantized.ticks_per_quarter = FinerFor(steps, score.meters);
  const Rounding rounding(score.ticks_per_quarter, quantized.ticks_per_quarter);
  for (const Voice& voice : score.voices) {
    quantized.voices.push_back(QuantizeVoice(voice, rounding));
  }
  MeterPlan meters(quantized.ticks_per_quarter);
  for (MeterChange meter : score.meters) {
    meter.at = rounding.Step(meter.at);
    meters.Add(meter);
  }
  quantized.meters = std::move(meters).Take();
  quantized.pickup = rounding.Step(score.pickup);
  for (const TempoChange& tempo : score.tempos) {
    quantized.tempos.push_back({rounding.Step(tempo.at), tempo.us_per_quarter});
  }
  const std::vector<std::int64_t> lines = BarLines(quantized);
  for (const KeyChange& key : score.keys) {
    quantized.keys.push_back({NearestLine(lines, rounding.Step(key.at)), key.key});
  }
  Normalize(quantized);
  return quantized;
}

}  // namespace etude
