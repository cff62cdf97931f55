#include "lib/music/midi_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/music/midi_fixture.h"

namespace etude {
namespace {

using midi::Bytes;
using midi::Header;
using midi::Meta;
using midi::Off;
using midi::On;
using midi::OneTrackFile;
using midi::Program;
using midi::Running;
using midi::Track;

std::vector<Note> NotesOf(const MidiReading& reading, std::size_t voice = 0) {
  return reading.score.voices.size() > voice ? reading.score.voices[voice].notes
                                             : std::vector<Note>();
}

using Notes = std::vector<Note>;

TEST(MidiReaderTest, ReadsANote) {
  const MidiReading reading = ReadMidi(OneTrackFile(On(10, 60, 80) + Off(96, 60)));
  EXPECT_EQ(NotesOf(reading), (Notes{{.onset = 10, .duration = 96, .pitch = 60, .velocity = 80}}));
  EXPECT_TRUE(reading.whole);
  EXPECT_TRUE(reading.faults.empty());
  EXPECT_EQ(reading.score.ticks_per_quarter, 96);
  EXPECT_EQ(reading.score.end, 106);
  EXPECT_EQ(reading.format, 0);
  EXPECT_EQ(reading.events, 3);
}

TEST(MidiReaderTest, VelocityZeroEndsANoteUnderRunningStatus) {
  const MidiReading reading = ReadMidi(
      OneTrackFile(On(0, 60) + Running(48, 60, 0) + Running(0, 62, 70) + Running(200, 62, 0)));
  EXPECT_EQ(NotesOf(reading), (Notes{{.onset = 0, .duration = 48, .pitch = 60, .velocity = 80},
                                     {.onset = 48, .duration = 200, .pitch = 62, .velocity = 70}}));
}

TEST(MidiReaderTest, OverlappingNotesOfAPitchPairFirstOnFirstOff) {
  const MidiReading reading =
      ReadMidi(OneTrackFile(On(0, 60, 1) + On(10, 60, 2) + Off(10, 60) + Off(10, 60)));
  EXPECT_EQ(NotesOf(reading), (Notes{{.onset = 0, .duration = 20, .pitch = 60, .velocity = 1},
                                     {.onset = 10, .duration = 20, .pitch = 60, .velocity = 2}}));
  EXPECT_TRUE(reading.faults.empty());
}

TEST(MidiReaderTest, ANoteWithoutOffEndsAtTheNextOfItsPitch) {
  const MidiReading reading = ReadMidi(OneTrackFile(On(0, 60) + On(10, 60) + Off(5, 60)));
  EXPECT_EQ(NotesOf(reading), (Notes{{.onset = 0, .duration = 10, .pitch = 60, .velocity = 80},
                                     {.onset = 10, .duration = 5, .pitch = 60, .velocity = 80}}));
  EXPECT_EQ(reading.faults[0].fault, MidiFault::kUnendedNotes);
  EXPECT_TRUE(reading.whole);
}

TEST(MidiReaderTest, ANoteWithoutOffEndsWithItsTrack) {
  const MidiReading reading =
      ReadMidi(OneTrackFile(On(0, 60) + Off(5, 60) + On(5, 60) + Meta(30, 1, "")));
  EXPECT_EQ(NotesOf(reading), (Notes{{.onset = 0, .duration = 5, .pitch = 60, .velocity = 80},
                                     {.onset = 10, .duration = 30, .pitch = 60, .velocity = 80}}));
}

TEST(MidiReaderTest, AVoiceIsATrackChannelAndProgram) {
  const auto note = [](int channel) { return On(0, 60, 80, channel) + Off(9, 60, channel); };
  const MidiReading reading =
      ReadMidi(Header(1, 2, 96) +
               Track(Meta(0, 4, "instrument") + Meta(0, 3, "track") + Program(0, 5) + note(0) +
                     note(1) + Program(0, 6) + note(0) + note(9) + Program(0, 7, 9) + note(9) +
                     Program(0, 5) + note(0)) +
               Track(Meta(0, 4, "instrument") + note(2)));
  const std::vector<Voice>& voices = reading.score.voices;
  ASSERT_EQ(voices.size(), 5u);
  EXPECT_EQ(voices[0].notes.size(), 2u);
  EXPECT_EQ(voices[0].program, 5);
  EXPECT_EQ(voices[1].program, 0);
  EXPECT_EQ(voices[2].program, 6);
  EXPECT_TRUE(voices[3].drums);
  EXPECT_EQ(voices[3].notes.size(), 2u);
  EXPECT_EQ(voices[3].name, "track");
  EXPECT_EQ(voices[4].name, "instrument");
}

TEST(MidiReaderTest, ATrackMaySetTheProgramsOfAllTheOthers) {
  const std::string setup = Track(Program(0, 40, 3) + Program(500, 41, 3));
  const MidiReading reading =
      ReadMidi(Header(1, 3, 96) + setup + Track(On(0, 60, 80, 3) + Off(9, 60, 3)) +
               Track(On(500, 60, 80, 3) + Off(9, 60, 3)));
  ASSERT_EQ(reading.score.voices.size(), 2u);
  EXPECT_EQ(reading.score.voices[0].program, 40);
  EXPECT_EQ(reading.score.voices[1].program, 41);
}

TEST(MidiReaderTest, MetersTemposAndKeysChange) {
  const MidiReading reading = ReadMidi(OneTrackFile(
      Meta(0, 0x58, Bytes({6, 3, 36, 8})) + midi::Tempo(0, 600'000) +
      Meta(0, 0x59, Bytes({-3, 1})) + midi::OneNote() + Meta(0, 0x58, Bytes({7, 4, 24, 8})) +
      midi::Tempo(4, 1) + Meta(0, 0x59, Bytes({7, 0}))));
  EXPECT_EQ(reading.score.meters, (std::vector<MeterChange>{{0, 6, 8}, {96, 7, 16}}));
  EXPECT_EQ(reading.score.tempos, (std::vector<TempoChange>{{0, 600'000}, {100, 1}}));
  EXPECT_EQ(reading.score.keys,
            (std::vector<KeyChange>{{0, {-3, Mode::kMinor}}, {100, {7, Mode::kMajor}}}));
}

// Seen in ten of a hundred real files.
TEST(MidiReaderTest, TheThirtySecondsOfAQuarterAreIgnored) {
  const MidiReading reading =
      ReadMidi(OneTrackFile(Meta(0, 0x58, Bytes({4, 2, 7, 0xB1})) + midi::OneNote()));
  EXPECT_EQ(reading.score.meters, (std::vector<MeterChange>{{0, 4, 4}}));
  EXPECT_TRUE(reading.faults.empty());
}

TEST(MidiReaderTest, TracksOfFormatTwoFollowOneAnother) {
  const std::string track = Track(midi::OneNote());
  const MidiReading reading = ReadMidi(Header(2, 2, 96) + track + track);
  EXPECT_EQ(NotesOf(reading, 1)[0].onset, 96);
  EXPECT_EQ(reading.score.end, 192);
}

double SecondsOf(const MidiReading& reading, std::int64_t ticks) {
  return static_cast<double>(ticks * reading.score.tempos[0].us_per_quarter) / 1e6 /
         reading.score.ticks_per_quarter;
}

TEST(MidiReaderTest, SmpteTicksLastAsLongAsTheyShould) {
  const std::string track = Track(midi::Tempo(0, 250'000) + midi::OneNote());
  const auto read = [&](int frames, int ticks) {
    return ReadMidi(Header(0, 1, (256 - frames) << 8 | ticks) + track);
  };
  EXPECT_DOUBLE_EQ(SecondsOf(read(25, 40), 1000), 1.0);
  EXPECT_EQ(read(25, 40).score.ticks_per_quarter, 500);
  EXPECT_DOUBLE_EQ(SecondsOf(read(24, 4), 96), 1.0);
  EXPECT_DOUBLE_EQ(SecondsOf(read(25, 3), 75), 1.0);
  EXPECT_DOUBLE_EQ(SecondsOf(read(30, 80), 2400), 1.0);
  EXPECT_DOUBLE_EQ(SecondsOf(read(29, 100), 30000), 10.01);
  EXPECT_EQ(read(29, 100).score.tempos.size(), 1u);
}

TEST(MidiReaderTest, TimeStopsAtItsLimit) {
  std::string events;
  for (int i = 0; i < 5000; ++i) events += Meta((1U << 28) - 1, 1, "");
  const MidiReading reading = ReadMidi(OneTrackFile(events + On(0, 60) + Off(96, 60)));
  EXPECT_EQ(reading.faults[0].fault, MidiFault::kTooLarge);
  EXPECT_EQ(NotesOf(reading)[0].onset + NotesOf(reading)[0].duration, kMaxScoreTicks);
}

TEST(MidiReaderTest, VoicesAndTracksHaveALimit) {
  std::string events;
  for (int i = 0; i < kMaxScoreVoices + 10; ++i) {
    const int channel = i % 9;
    events += Program(0, i / 9, channel) + On(0, 60, 80, channel) + Off(1, 60, channel);
  }
  std::string file = Header(1, kMaxMidiTracks + 1, 96) + Track(events);
  for (int i = 0; i < kMaxMidiTracks; ++i) file += Track("");
  const MidiReading reading = ReadMidi(file);
  EXPECT_EQ(std::ssize(reading.score.voices), kMaxScoreVoices);
  EXPECT_EQ(reading.notes, kMaxScoreVoices);
  EXPECT_EQ(reading.tracks, kMaxMidiTracks);
  EXPECT_FALSE(reading.whole);
}

}  // namespace
}  // namespace etude
