#include "lib/music/music_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <vector>

#include "lib/music/melody.h"

namespace etude {
namespace {

// Quarters one after the other from tick 0; 4 ticks a quarter.
Score Quarters(std::initializer_list<int> pitches) {
  Score score;
  score.ticks_per_quarter = 4;
  Voice voice;
  for (const int pitch : pitches) {
    voice.notes.push_back({.onset = 4 * std::ssize(voice.notes), .duration = 4, .pitch = pitch});
  }
  score.voices.push_back(voice);
  Normalize(score);
  return score;
}

TEST(MusicMetricsTest, EntropyOfFourEqualPitchClassesIsTwoBits) {
  const MusicMetrics metrics = MeasureMusic(Quarters({60, 62, 64, 65}));
  EXPECT_DOUBLE_EQ(*metrics.pitch_class_entropy, 2.0);
  const MusicMetrics octaves = MeasureMusic(Quarters({60, 72}));
  EXPECT_DOUBLE_EQ(*octaves.pitch_class_entropy, 0.0);
  EXPECT_DOUBLE_EQ(*octaves.pitch_entropy, 1.0);
}

TEST(MusicMetricsTest, AScaleIsConsistentAndAChromaticRunIsNot) {
  EXPECT_DOUBLE_EQ(*MeasureMusic(Quarters({62, 64, 66, 67, 69, 71, 73})).scale_consistency, 1.0);
  EXPECT_DOUBLE_EQ(
      *MeasureMusic(Quarters({60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71})).scale_consistency,
      7.0 / 12);
}

TEST(MusicMetricsTest, EqualBarsHaveOneGrooveAndAreRepeats) {
  const MusicMetrics metrics = MeasureMusic(Quarters({60, 62, 64, 65, 60, 62, 64, 65}));
  EXPECT_DOUBLE_EQ(*metrics.groove_consistency, 1.0);
  EXPECT_DOUBLE_EQ(*metrics.repeated_bar_rate, 1.0);
}

TEST(MusicMetricsTest, AnOnsetThatOnlyOneBarHasCostsOneStepOfNinetySix) {
  Score score = Quarters({60, 62, 64, 65, 60, 62, 64, 65});
  score.voices[0].notes.push_back({.onset = 18, .duration = 1, .pitch = 80});
  Normalize(score);
  const MusicMetrics metrics = MeasureMusic(score);
  EXPECT_DOUBLE_EQ(*metrics.groove_consistency, 1.0 - 1.0 / 96);
  EXPECT_DOUBLE_EQ(*metrics.repeated_bar_rate, 0.0);
}

TEST(MusicMetricsTest, CountsSilenceAndEmptyBars) {
  Score score = Quarters({60});
  score.voices[0].notes.push_back({.onset = 44, .duration = 4, .pitch = 62});
  const MusicMetrics metrics = MeasureMusic(score);  // bars 0..2, the middle one empty
  EXPECT_DOUBLE_EQ(*metrics.empty_bar_rate, 1.0 / 3);
  EXPECT_DOUBLE_EQ(*metrics.rest_share, 40.0 / 48);
}

TEST(MusicMetricsTest, PolyphonyIsTheMeanOfWhatSoundsAtOnce) {
  Score score = Quarters({60, 62});
  score.voices.push_back({.name = {}, .notes = {{.onset = 0, .duration = 4, .pitch = 67}}});
  const MusicMetrics metrics = MeasureMusic(score);
  EXPECT_DOUBLE_EQ(*metrics.polyphony, 1.5);
  EXPECT_DOUBLE_EQ(*metrics.polyphony_rate, 0.5);
}

TEST(MusicMetricsTest, PercussionHasRhythmButNoPitch) {
  Score score = Quarters({36, 38, 36, 38});
  score.voices[0].drums = true;
  const MusicMetrics metrics = MeasureMusic(score);
  EXPECT_EQ(metrics.pitch_class_entropy, std::nullopt);
  EXPECT_EQ(metrics.scale_consistency, std::nullopt);
  EXPECT_EQ(metrics.polyphony, std::nullopt);
  EXPECT_EQ(metrics.notes, 4);
  EXPECT_DOUBLE_EQ(*metrics.rest_share, 0.0);
}

TEST(MusicMetricsTest, NothingIsDefinedForSilence) {
  for (const NamedMetric& metric : ListMetrics(MeasureMusic({}))) {
    EXPECT_EQ(metric.value.value_or(0), 0) << metric.name;
  }
  EXPECT_EQ(MeasureMusic({}).rest_share, std::nullopt);
}

TEST(MusicMetricsTest, OneBarHasNoGrooveToKeep) {
  EXPECT_EQ(MeasureMusic(Quarters({60, 62})).groove_consistency, std::nullopt);
}

TEST(MelodyTest, IsTheHighestNoteOfEachOnset) {
  Score score = Quarters({60, 62});
  score.voices.push_back({.name = {}, .notes = {{.onset = 0, .duration = 8, .pitch = 72}}});
  const std::vector<Note> melody = Melody(score);
  ASSERT_EQ(melody.size(), 2U);
  EXPECT_EQ(melody[0].pitch, 72);
  EXPECT_EQ(melody[1].pitch, 62);
}

TEST(MelodyTest, ShapeIsTheSameInAnotherKeyAndTempo) {
  Score score = Quarters({60, 64, 62, 67, 60});
  score.voices[0].notes[3].onset -= 2;
  const std::vector<MelodyStep> shape = MelodyShape(Melody(score));
  for (Note& note : score.voices[0].notes) {
    note.pitch += 5;
    note.onset *= 3;
  }
  EXPECT_EQ(MelodyShape(Melody(score)), shape);
  score.voices[0].notes[2].pitch += 1;
  EXPECT_NE(MelodyShape(Melody(score)), shape);
  for (const MelodyStep step : shape) EXPECT_LT(step, kMelodySteps);
}

}  // namespace
}  // namespace etude
