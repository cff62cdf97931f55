// Files that are not what they should be: what is said of them and what is saved.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lib/music/midi_reader.h"
#include "tests/unit/music/midi_fixture.h"

namespace etude {
namespace {

std::vector<std::string> FaultNames(const MidiReading& reading) {
  std::vector<std::string> names;
  for (const MidiFaultCount& fault : reading.faults) names.emplace_back(MidiFaultName(fault.fault));
  return names;
}

TEST(MidiDamageTest, EachFaultIsNamedAndTheNotesAreSaved) {
  for (const midi::Damaged& file : midi::DamagedFiles()) {
    const MidiReading reading = ReadMidi(file.bytes);
    EXPECT_EQ(FaultNames(reading), file.faults) << file.name;
    EXPECT_EQ(reading.notes, file.notes) << file.name;
  }
}

TEST(MidiDamageTest, AFaultSaysWhereAndHowOften) {
  const std::string bad_tempo = midi::Tempo(0, 0);
  const std::string file = midi::OneTrackFile(midi::OneNote() + bad_tempo + bad_tempo);
  const MidiReading reading = ReadMidi(file);
  const auto offset = static_cast<std::int64_t>(14 + 8 + midi::OneNote().size());
  EXPECT_EQ(reading.faults, (std::vector<MidiFaultCount>{{MidiFault::kBadMeta, 2, offset}}));
}

using Start = std::pair<std::int64_t, int>;  // onset and pitch

std::vector<Start> Starts(const MidiReading& reading) {
  std::vector<Start> starts;
  for (const Voice& voice : reading.score.voices) {
    for (const Note& note : voice.notes) starts.emplace_back(note.onset, note.pitch);
  }
  std::ranges::sort(starts);
  return starts;
}

// In a file of one format-1 track after the other a note begins at its on; those whose on lies
// wholly before the cut are there.
TEST(MidiDamageTest, ACutLosesNoMoreThanTheUnfinishedEvent) {
  const std::string file = midi::BandFile(3);
  const std::vector<Start> whole = Starts(ReadMidi(file));
  ASSERT_EQ(whole.size(), 3u * midi::kBandNotesPerBar);
  std::size_t before = 0;
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    const MidiReading reading = ReadMidi(std::string_view(file).substr(0, cut));
    const std::vector<Start> starts = Starts(reading);
    ASSERT_TRUE(std::ranges::includes(whole, starts)) << cut;
    ASSERT_LE(starts.size() - before, 1u) << cut;  // each byte finishes at most one note
    ASSERT_GE(starts.size(), before) << cut;       // and costs none
    ASSERT_FALSE(reading.whole) << cut;
    before = starts.size();
  }
  EXPECT_EQ(before, whole.size());
}

struct Mutant {
  std::string bytes;
  std::mt19937 dice{1};

  std::size_t Place(std::size_t from = 0) { return from + dice() % (bytes.size() - from); }
  void Flip(std::size_t at) { bytes[at] = static_cast<char>(bytes[at] ^ (1 << dice() % 8)); }
  void Delete(std::size_t at) { bytes.erase(at, 1 + dice() % 3); }
  void Insert(std::size_t at) { bytes.insert(at, 1 + dice() % 3, static_cast<char>(dice())); }
  void Overwrite(std::size_t at) { bytes[at] = static_cast<char>(dice()); }
};

bool IsSound(const Note& note, std::int64_t end) {
  return note.onset >= 0 && note.duration >= 1 && note.onset + note.duration <= end &&
         note.pitch >= 0 && note.pitch < 128 && note.velocity >= 1 && note.velocity < 128;
}

// What every reading promises, whatever was read.
bool IsSound(const MidiReading& reading) {
  const Score& score = reading.score;
  return NoteCount(score) == reading.notes && score.ticks_per_quarter >= 1 &&
         std::ranges::all_of(score.voices, [&](const Voice& voice) {
           return !voice.notes.empty() && std::ranges::is_sorted(voice.notes) &&
                  std::ranges::all_of(voice.notes,
                                      [&](const Note& note) { return IsSound(note, score.end); });
         });
}

// Mean share of the notes that are found again, by pitch and velocity, after `damage` once.
template <typename Damage>
double SharesSaved(int rounds, const Damage& damage) {
  const std::string file = midi::BandFile(8);
  const auto count = [](const MidiReading& reading) {
    std::vector<std::pair<int, int>> notes;
    for (const Voice& voice : reading.score.voices) {
      for (const Note& note : voice.notes) notes.emplace_back(note.pitch, note.velocity);
    }
    std::ranges::sort(notes);
    return notes;
  };
  const auto whole = count(ReadMidi(file));
  Mutant mutant{.bytes = file};
  double saved = 0;
  for (int round = 0; round < rounds; ++round) {
    mutant.bytes = file;
    damage(mutant);
    std::vector<std::pair<int, int>> found;
    std::ranges::set_intersection(whole, count(ReadMidi(mutant.bytes)), std::back_inserter(found));
    saved += static_cast<double>(found.size()) / static_cast<double>(whole.size());
  }
  return saved / rounds;
}

TEST(MidiDamageTest, MostNotesOfADamagedFileAreSaved) {
  EXPECT_GE(SharesSaved(2000, [](Mutant& mutant) { mutant.Flip(mutant.Place()); }), 0.98);
  EXPECT_GE(SharesSaved(2000, [](Mutant& mutant) { mutant.Delete(mutant.Place()); }), 0.95);
  EXPECT_GE(SharesSaved(2000, [](Mutant& mutant) { mutant.Insert(mutant.Place()); }), 0.95);
  EXPECT_GE(SharesSaved(2000, [](Mutant& mutant) { mutant.Overwrite(mutant.Place()); }), 0.95);
  EXPECT_GE(SharesSaved(500, [](Mutant& mutant) { mutant.Flip(mutant.dice() % 14); }), 0.99);
}

TEST(MidiDamageTest, NoDamageBreaksTheReader) {
  Mutant mutant;
  const std::string file = midi::BandFile(1);
  for (int round = 0; round < 200'000; ++round) {
    if (round % 16 == 0) mutant.bytes = file;  // else one more on top of the last
    switch (mutant.dice() % 4) {
      case 0:
        mutant.Flip(mutant.Place());
        break;
      case 1:
        mutant.Delete(mutant.Place());
        break;
      case 2:
        mutant.Insert(mutant.Place());
        break;
      default:
        mutant.Overwrite(mutant.Place());
    }
    ASSERT_TRUE(IsSound(ReadMidi(mutant.bytes))) << round;
  }
}

}  // namespace
}  // namespace etude
