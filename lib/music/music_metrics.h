// Numbers that describe a score, each with its formula and source. A value that is undefined for a
// score (no notes, one bar only) is nullopt: it is counted, never averaged away.
#ifndef ETUDE_LIB_MUSIC_MUSIC_METRICS_H_
#define ETUDE_LIB_MUSIC_MUSIC_METRICS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/music/score.h"

namespace etude {

struct MusicMetrics {
  // - sum p log2 p over the 12 pitch classes, by number of notes, in bits: 0 to log2 12 = 3.58.
  // Percussion left out, as in all pitch metrics. (MusPy, Dong et al. 2020, pitch_class_entropy.)
  std::optional<double> pitch_class_entropy;
  // The same over 128 pitches, in bits. (MusPy, pitch_entropy.)
  std::optional<double> pitch_entropy;
  // Largest share of notes that lie in one of the 12 major scales; natural minor scales are the
  // same sets. (MusPy, scale_consistency; Mogren 2016.)
  std::optional<double> scale_consistency;
  // 1 - mean over neighbouring bars of the share of grid steps at which exactly one of the two has
  // an onset: 1 = always the same rhythm. Grid: 24 steps a quarter. Undefined for one bar, or where
  // the meter changes. (Wu and Yang 2020, grooving similarity; MusPy, groove_consistency.)
  std::optional<double> groove_consistency;
  // Share of bars in which no note sounds. (MusPy, empty_measure_rate.)
  std::optional<double> empty_bar_rate;
  // Share of the time from 0 to the last note's end in which no note sounds.
  std::optional<double> rest_share;
  // Mean number of pitches sounding while any is. (MusPy, polyphony.)
  std::optional<double> polyphony;
  // Share of the time to the last note's end with two pitches or more. (MusPy, polyphony_rate.)
  std::optional<double> polyphony_rate;
  // Share of bars from the second on that repeat an earlier bar: the same onsets, lengths and
  // pitches; empty bars left out of both.
  std::optional<double> repeated_bar_rate;
  // Share of melody notes that have the pitch of the one before.
  std::optional<double> repeated_note_rate;
  // Share of distinct ones among the runs of four melody steps (melody.h): 1 = nothing comes twice.
  std::optional<double> distinct_4grams;
  std::int64_t notes = 0;  // with percussion
  std::int64_t bars = 0;
  int pitches = 0;      // distinct
  int pitch_range = 0;  // semitones from the lowest to the highest
};

MusicMetrics MeasureMusic(const Score& score);

// Every metric with its JSON key, for tables: undefined ones are nullopt, counts are numbers too.
struct NamedMetric {
  std::string_view name;
  std::optional<double> value;
};
inline constexpr std::size_t kMusicMetricCount = 15;
std::array<NamedMetric, kMusicMetricCount> ListMetrics(const MusicMetrics& metrics);

// Notes by pitch class, 0 = C, percussion left out.
std::array<std::int64_t, 12> PitchClassHistogram(const Score& score);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_MUSIC_METRICS_H_
