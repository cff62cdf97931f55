#include "lib/music/midi_notes.h"

#include <algorithm>
#include <cstddef>

namespace etude {
namespace {

std::size_t SlotOf(int channel, int pitch) {
  return static_cast<std::size_t>(channel) * 128 + static_cast<std::size_t>(pitch);
}

}  // namespace

void MidiNotes::Clear() {
  notes_.clear();
  first_.fill(-1);
  sounding_ = 0;
}

void MidiNotes::On(std::int64_t at, int channel, int pitch, int velocity, std::int32_t voice) {
  const std::size_t slot = SlotOf(channel, pitch);
  const auto index = static_cast<std::int32_t>(notes_.size());
  notes_.push_back({.note = {.onset = at, .duration = 0, .pitch = pitch, .velocity = velocity},
                    .voice = voice,
                    .slot = static_cast<std::int16_t>(slot)});
  if (first_[slot] < 0) {
    first_[slot] = index;
  } else {
    notes_[static_cast<std::size_t>(last_[slot])].next = index;
  }
  last_[slot] = index;
  ++sounding_;
}

bool MidiNotes::Off(std::int64_t at, int channel, int pitch) {
  const std::size_t slot = SlotOf(channel, pitch);
  if (first_[slot] < 0) return false;
  MidiNote& ended = notes_[static_cast<std::size_t>(first_[slot])];
  ended.note.duration = std::max<std::int64_t>(1, at - ended.note.onset);
  first_[slot] = ended.next;
  --sounding_;
  return true;
}

// `ons` are all notes of one slot; those that sound still are the last of them, since offs were
// given to the first. Nesting tells which ons have no off; the others are paired anew.
std::int64_t MidiNotes::EndSlot(const std::vector<std::int32_t>& ons, std::int64_t at) {
  const auto note = [&](std::size_t i) -> Note& {
    return notes_[static_cast<std::size_t>(ons[i])].note;
  };
  std::vector<std::int64_t> offs;
  for (std::size_t i = 0; i < ons.size() && note(i).duration > 0; ++i) {
    offs.push_back(note(i).onset + note(i).duration);
  }
  std::vector<std::size_t> open;
  for (std::size_t on = 0, off = 0; on < ons.size() || off < offs.size();) {
    const bool is_off =
        off < offs.size() && !open.empty() && (on == ons.size() || offs[off] <= note(on).onset);
    if (is_off) {
      open.pop_back();
      ++off;
    } else if (on < ons.size()) {
      open.push_back(on++);
    } else {
      break;
    }
  }
  std::size_t next_open = 0;
  std::size_t next_off = 0;
  for (std::size_t i = 0; i < ons.size(); ++i) {
    std::int64_t end = i + 1 < ons.size() ? note(i + 1).onset : at;
    if (next_open < open.size() && open[next_open] == i) {
      ++next_open;
    } else if (next_off < offs.size()) {
      end = offs[next_off++];
    }
    note(i).duration = std::max<std::int64_t>(1, end - note(i).onset);
  }
  return static_cast<std::int64_t>(open.size());
}

std::int64_t MidiNotes::EndAll(std::int64_t at) {
  if (sounding_ == 0) return 0;
  std::vector<std::vector<std::int32_t>> ons(kSlots);
  for (std::size_t i = 0; i < notes_.size(); ++i) {
    const auto slot = static_cast<std::size_t>(notes_[i].slot);
    if (first_[slot] >= 0) ons[slot].push_back(static_cast<std::int32_t>(i));
  }
  std::int64_t unended = 0;
  for (std::size_t slot = 0; slot < ons.size(); ++slot) {
    if (!ons[slot].empty()) unended += EndSlot(ons[slot], at);
    first_[slot] = -1;
  }
  sounding_ = 0;
  return unended;
}

}  // namespace etude
