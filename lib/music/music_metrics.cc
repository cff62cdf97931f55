#include "lib/music/music_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/music/melody.h"

namespace etude {
namespace {

constexpr int kGrooveStepsPerQuarter = 24;
constexpr std::size_t kRunSteps = 4;
constexpr std::array<int, 7> kMajorScale = {0, 2, 4, 5, 7, 9, 11};

std::vector<Note> PitchedNotes(const Score& score) {
  std::vector<Note> notes;
  for (const Voice& voice : score.voices) {
    if (!voice.drums) notes.insert(notes.end(), voice.notes.begin(), voice.notes.end());
  }
  return notes;
}

std::vector<Note> AllNotes(const Score& score) {
  std::vector<Note> notes;
  for (const Voice& voice : score.voices) {
    notes.insert(notes.end(), voice.notes.begin(), voice.notes.end());
  }
  std::ranges::sort(notes);
  return notes;
}

std::optional<double> Ratio(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::optional<double> EntropyBits(std::span<const std::int64_t> counts) {
  std::int64_t total = 0;
  for (const std::int64_t count : counts) total += count;
  if (total == 0) return std::nullopt;
  double entropy = 0;
  for (const std::int64_t count : counts) {
    if (count == 0) continue;
    const double p = static_cast<double>(count) / static_cast<double>(total);
    entropy -= p * std::log2(p);
  }
  return entropy;
}

std::optional<double> ScaleConsistency(std::span<const std::int64_t> pitch_classes) {
  std::int64_t total = 0;
  for (const std::int64_t count : pitch_classes) total += count;
  std::int64_t best = 0;
  for (int root = 0; root < 12; ++root) {
    std::int64_t inside = 0;
    for (const int degree : kMajorScale) {
      inside += pitch_classes[static_cast<std::size_t>((root + degree) % 12)];
    }
    best = std::max(best, inside);
  }
  return Ratio(best, total);
}

struct Sounding {
  std::int64_t any = 0;      // ticks with at least one pitch
  std::int64_t several = 0;  // with two or more
  std::int64_t pitches = 0;  // ticks summed over pitches
};

// Sweeps over the starts and ends of notes; a pitch that sounds twice counts once.
Sounding MeasureSounding(std::span<const Note> notes) {
  std::vector<std::pair<std::int64_t, int>>
      edges;  // (tick, +pitch + 1 at a start, negative at an end)
  for (const Note& note : notes) {
    edges.emplace_back(note.onset, note.pitch + 1);
    edges.emplace_back(note.onset + note.duration, -(note.pitch + 1));
  }
  std::ranges::sort(edges);
  Sounding sounding;
  std::array<int, 128> held = {};
  int pitches = 0;
  std::int64_t before = 0;
  for (const auto& [tick, edge] : edges) {
    const std::int64_t span = tick - before;
    sounding.any += pitches > 0 ? span : 0;
    sounding.several += pitches > 1 ? span : 0;
    sounding.pitches += pitches * span;
    before = tick;
    int& count = held[static_cast<std::size_t>(std::abs(edge) - 1)];
    if (edge > 0 && count++ == 0) ++pitches;
    if (edge < 0 && --count == 0) --pitches;
  }
  return sounding;
}

std::int64_t LastEnd(std::span<const Note> notes) {
  std::int64_t end = 0;
  for (const Note& note : notes) end = std::max(end, note.onset + note.duration);
  return end;
}

std::size_t BarOf(std::span<const std::int64_t> lines, std::int64_t tick) {
  const auto after = std::ranges::upper_bound(lines, tick);
  return static_cast<std::size_t>(std::distance(lines.begin(), after) - 1);
}

std::int64_t EmptyBars(std::span<const std::int64_t> lines, std::span<const Note> notes) {
  std::vector<int> begins(lines.size() + 1,
                          0);  // +1 where a note's first bar is, -1 after its last
  for (const Note& note : notes) {
    ++begins[BarOf(lines, note.onset)];
    --begins[BarOf(lines, note.onset + note.duration - 1) + 1];
  }
  std::int64_t empty = 0;
  int sounding = 0;
  for (std::size_t bar = 0; bar + 1 < lines.size(); ++bar) {
    sounding += begins[bar];
    empty += sounding == 0 ? 1 : 0;
  }
  return empty;
}

// What a bar holds, its notes' times counted from its line.
using BarNotes = std::vector<Note>;

std::vector<BarNotes> NotesOfBars(std::span<const std::int64_t> lines,
                                  std::span<const Note> notes) {
  std::vector<BarNotes> bars(lines.size() - 1);
  for (Note note : notes) {
    const std::size_t bar = std::min(BarOf(lines, note.onset), bars.size() - 1);
    note.onset -= lines[bar];
    note.velocity = 0;
    bars[bar].push_back(note);
  }
  return bars;
}

std::optional<double> RepeatedBars(std::span<const BarNotes> bars) {
  std::set<BarNotes> seen;
  std::int64_t filled = 0;
  std::int64_t repeated = 0;
  for (const BarNotes& bar : bars) {
    if (bar.empty()) continue;
    if (!seen.insert(bar).second) ++repeated;
    ++filled;
  }
  return Ratio(repeated, filled - 1);
}

// Grid steps of a bar at which a note begins.
std::set<std::int64_t> Groove(const BarNotes& bar, int ticks_per_quarter) {
  std::set<std::int64_t> steps;
  for (const Note& note : bar) {
    steps.insert(note.onset * kGrooveStepsPerQuarter / ticks_per_quarter);
  }
  return steps;
}

std::optional<double> GrooveConsistency(const Score& score, std::span<const BarNotes> bars) {
  if (score.meters.size() > 1 || bars.size() < 2) return std::nullopt;
  const MeterChange meter = score.meters.empty() ? MeterChange{} : score.meters.front();
  const double steps = 4.0 * kGrooveStepsPerQuarter * meter.beats / meter.unit;
  double differing = 0;
  std::set<std::int64_t> before = Groove(bars.front(), score.ticks_per_quarter);
  for (std::size_t i = 1; i < bars.size(); ++i) {
    std::set<std::int64_t> groove = Groove(bars[i], score.ticks_per_quarter);
    std::vector<std::int64_t> difference;
    std::ranges::set_symmetric_difference(before, groove, std::back_inserter(difference));
    differing += static_cast<double>(difference.size()) / steps;
    before = std::move(groove);
  }
  return 1.0 - differing / static_cast<double>(bars.size() - 1);
}

std::optional<double> RepeatedNotes(std::span<const Note> melody) {
  std::int64_t repeated = 0;
  for (std::size_t i = 1; i < melody.size(); ++i) {
    repeated += melody[i].pitch == melody[i - 1].pitch ? 1 : 0;
  }
  return Ratio(repeated, std::ssize(melody) - 1);
}

std::optional<double> DistinctRuns(const std::vector<Note>& melody) {
  const std::vector<MelodyStep> shape = MelodyShape(melody);
  std::set<std::vector<MelodyStep>> distinct;
  std::int64_t total = 0;
  for (std::size_t i = 0; i + kRunSteps <= shape.size(); ++i) {
    const auto from = shape.begin() + static_cast<std::ptrdiff_t>(i);
    distinct.emplace(from, from + kRunSteps);
    ++total;
  }
  return Ratio(std::ssize(distinct), total);
}

void MeasurePitches(const Score& score, MusicMetrics& metrics) {
  std::array<std::int64_t, 128> pitches = {};
  for (const Note& note : PitchedNotes(score)) ++pitches[static_cast<std::size_t>(note.pitch)];
  const std::array<std::int64_t, 12> classes = PitchClassHistogram(score);
  metrics.pitch_class_entropy = EntropyBits(classes);
  metrics.pitch_entropy = EntropyBits(pitches);
  metrics.scale_consistency = ScaleConsistency(classes);
  int lowest = -1;
  for (int pitch = 0; pitch < 128; ++pitch) {
    if (pitches[static_cast<std::size_t>(pitch)] == 0) continue;
    if (lowest < 0) lowest = pitch;
    ++metrics.pitches;
    metrics.pitch_range = pitch - lowest;
  }
}

void MeasureTime(const Score& score, std::span<const Note> notes, MusicMetrics& metrics) {
  const std::int64_t end = LastEnd(notes);
  const Sounding all = MeasureSounding(notes);
  if (const std::optional<double> sounding = Ratio(all.any, end)) {
    metrics.rest_share = 1.0 - *sounding;
  }
  const Sounding pitched = MeasureSounding(PitchedNotes(score));
  metrics.polyphony = Ratio(pitched.pitches, pitched.any);
  metrics.polyphony_rate = Ratio(pitched.several, pitched.any > 0 ? end : 0);
}

}  // namespace

std::array<std::int64_t, 12> PitchClassHistogram(const Score& score) {
  std::array<std::int64_t, 12> classes = {};
  for (const Note& note : PitchedNotes(score)) ++classes[static_cast<std::size_t>(note.pitch % 12)];
  return classes;
}

MusicMetrics MeasureMusic(const Score& score) {
  MusicMetrics metrics;
  const std::vector<Note> notes = AllNotes(score);
  metrics.notes = std::ssize(notes);
  if (notes.empty()) return metrics;
  MeasurePitches(score, metrics);
  MeasureTime(score, notes, metrics);
  const std::vector<std::int64_t> lines = BarLines(score);
  metrics.bars = std::ssize(lines) - 1;
  metrics.empty_bar_rate = Ratio(EmptyBars(lines, notes), metrics.bars);
  const std::vector<BarNotes> bars = NotesOfBars(lines, notes);
  metrics.repeated_bar_rate = RepeatedBars(bars);
  metrics.groove_consistency = GrooveConsistency(score, bars);
  const std::vector<Note> melody = Melody(score);
  metrics.repeated_note_rate = RepeatedNotes(melody);
  metrics.distinct_4grams = DistinctRuns(melody);
  return metrics;
}

std::array<NamedMetric, kMusicMetricCount> ListMetrics(const MusicMetrics& m) {
  return {{
      {"pitch_class_entropy_bits", m.pitch_class_entropy},
      {"pitch_entropy_bits", m.pitch_entropy},
      {"scale_consistency", m.scale_consistency},
      {"groove_consistency", m.groove_consistency},
      {"empty_bar_rate", m.empty_bar_rate},
      {"rest_share", m.rest_share},
      {"polyphony", m.polyphony},
      {"polyphony_rate", m.polyphony_rate},
      {"repeated_bar_rate", m.repeated_bar_rate},
      {"repeated_note_rate", m.repeated_note_rate},
      {"distinct_4grams", m.distinct_4grams},
      {"notes", static_cast<double>(m.notes)},
      {"bars", static_cast<double>(m.bars)},
      {"pitches", static_cast<double>(m.pitches)},
      {"pitch_range", static_cast<double>(m.pitch_range)},
  }};
}

}  // namespace etude
