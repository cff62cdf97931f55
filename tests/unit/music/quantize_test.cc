#include "lib/music/quantize.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "lib/music/note_f1.h"
#include "tests/unit/music/score_builder.h"

namespace etude {
namespace {

// A note at each of `times` quarters, written in `ticks` a quarter and rounded as a sequencer does.
Score AtQuarters(int ticks, const std::vector<double>& times) {
  std::vector<Note> notes;
  for (const double time : times) {
    notes.push_back(MakeNote(static_cast<std::int64_t>(time * ticks + 0.5), ticks / 8 + 1));
  }
  return MakeScore(ticks, notes);
}

std::vector<double> EveryQuarterOf(int steps, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(static_cast<double>(i) / steps);
  return times;
}

TEST(QuantizeTest, TheGridIsTheFirstThatHoldsTheNotes) {
  for (const int steps : {3, 4, 6, 8, 12, 16, 24}) {
    EXPECT_EQ(ChooseGrid(AtQuarters(480, EveryQuarterOf(steps, 200))).steps, steps);
  }
}

TEST(QuantizeTest, NoGridIsCoarserThanSixteenths) {
  EXPECT_EQ(ChooseGrid(AtQuarters(480, EveryQuarterOf(1, 200))).steps, 4);
  EXPECT_EQ(ChooseGrid(AtQuarters(480, EveryQuarterOf(2, 200))).steps, 4);
}

TEST(QuantizeTest, SixteenthsBesideTripletsNeedTwelfths) {
  std::vector<double> times = EveryQuarterOf(4, 100);
  for (const double time : EveryQuarterOf(3, 60)) times.push_back(time);
  EXPECT_EQ(ChooseGrid(AtQuarters(480, times)).steps, 12);
}

TEST(QuantizeTest, EightyNineTicksAQuarterDoNotDrift) {
  const Score source = AtQuarters(89, EveryQuarterOf(4, 4000));
  const NoteGrid grid = ChooseGrid(source);
  EXPECT_EQ(grid.steps, 4);
  EXPECT_FALSE(grid.performed);
  const Score quantized = Quantize(source, grid.steps);
  for (std::size_t i = 0; i < 4000; ++i) {
    ASSERT_EQ(quantized.voices[0].notes[i].onset, static_cast<std::int64_t>(i));
  }
}

TEST(QuantizeTest, APlayerNearTheBeatIsOnTheBeatsGrid) {
  std::vector<double> times;
  for (int i = 0; i < 400; ++i) times.push_back(1 + i / 4.0 + (i * 7 % 11 - 5) / 120.0);
  const NoteGrid grid = ChooseGrid(AtQuarters(480, times));
  EXPECT_EQ(grid.steps, 4);
  EXPECT_FALSE(grid.performed);
  EXPECT_LT(grid.fit, 0.9);
}

TEST(QuantizeTest, MusicWithoutABeatGetsAFineGridAndIsMarked) {
  std::vector<double> times;
  for (int i = 0; i < 1000; ++i) times.push_back(i * 0.381966);
  const NoteGrid grid = ChooseGrid(AtQuarters(480, times));
  EXPECT_TRUE(grid.performed);
  EXPECT_EQ(grid.steps, 16);
}

TEST(QuantizeTest, ShortNotesAreKept) {
  const Score quantized = Quantize(MakeScore(480, {MakeNote(0, 1), MakeNote(500, 1)}), 4);
  EXPECT_EQ(quantized.voices[0].notes, (std::vector<Note>{MakeNote(0, 1), MakeNote(4, 1)}));
}

TEST(QuantizeTest, NotesThatEndAlmostAtTheNextOneEndThere) {
  const Score source = MakeScore(480, {MakeNote(0, 430), MakeNote(480, 110, 62)});
  const Score quantized = Quantize(source, 8);
  EXPECT_EQ(quantized.voices[0].notes, (std::vector<Note>{MakeNote(0, 8), MakeNote(8, 2, 62)}));
}

TEST(QuantizeTest, ARepeatedPitchEndsTheNoteBefore) {
  const Score quantized = Quantize(MakeScore(480, {MakeNote(0, 960), MakeNote(480, 480)}), 4);
  EXPECT_EQ(quantized.voices[0].notes, (std::vector<Note>{MakeNote(0, 4), MakeNote(4, 4)}));
}

TEST(QuantizeTest, TwoStrokesOnOneStepBothStay) {
  Score source = MakeScore(480, {MakeNote(0, 1), MakeNote(30, 1)});
  source.voices[0].drums = true;
  EXPECT_EQ(NoteCount(Quantize(source, 4)), 2);
  EXPECT_EQ(MatchNotes(source, Quantize(source, 4)).drums.F1(), 1);
}

TEST(QuantizeTest, TheGridIsFineEnoughForTheMeters) {
  Score source = MakeScore(480, {MakeNote(0, 480)});
  source.meters = {{.at = 0, .beats = 7, .unit = 16}};
  EXPECT_EQ(Quantize(source, 3).ticks_per_quarter, 12);
}

TEST(QuantizeTest, WhatIsLeftOfABarBeforeAnotherMeterIsABarOfItsOwn) {
  Score source = MakeScore(480, {MakeNote(0, 480 * 10)});
  source.meters = {{.at = 480 * 6, .beats = 3, .unit = 4}};
  const Score quantized = Quantize(source, 4);
  EXPECT_EQ(quantized.meters, (std::vector<MeterChange>{{0, 4, 4}, {16, 2, 4}, {24, 3, 4}}));
}

TEST(QuantizeTest, AMeterThatComesATickLateComesWithTheBar) {
  Score source = MakeScore(480, {MakeNote(0, 480 * 10)});
  source.meters = {{.at = 0, .beats = 4, .unit = 4}, {.at = 480 * 8 + 3, .beats = 3, .unit = 4}};
  EXPECT_EQ(Quantize(source, 16).meters, (std::vector<MeterChange>{{0, 4, 4}, {128, 3, 4}}));
}

}  // namespace
}  // namespace etude
