#include "lib/music/canonical_score.h"

#include <algorithm>
#include <iterator>

#include "lib/music/abc_reader.h"
#include "lib/music/remi_grid.h"

namespace etude {
namespace {

std::int64_t ToSteps(std::int64_t ticks, int ticks_per_quarter) {
  return (2 * ticks * kCanonicalSteps + ticks_per_quarter) / (2 * std::int64_t{ticks_per_quarter});
}

bool BeginTogether(const CanonicalNote& a, const CanonicalNote& b) {
  return a.drums == b.drums && a.onset == b.onset && a.pitch == b.pitch;
}

}  // namespace

std::vector<CanonicalNote> CanonicalNotes(const Score& score) {
  std::vector<CanonicalNote> notes;
  const Score filled = FillPickup(score);
  for (const Voice& voice : filled.voices) {
    for (const Note& note : voice.notes) {
      const std::int64_t onset = ToSteps(note.onset, filled.ticks_per_quarter);
      const std::int64_t end = ToSteps(note.onset + note.duration, filled.ticks_per_quarter);
      notes.push_back({.drums = voice.drums,
                       .onset = onset,
                       .pitch = note.pitch,
                       .duration = voice.drums ? 0 : std::max<std::int64_t>(1, end - onset)});
    }
  }
  std::ranges::sort(notes, std::ranges::greater());  // the longest first
  notes.erase(std::unique(notes.begin(), notes.end(), BeginTogether), notes.end());
  std::ranges::reverse(notes);
  return notes;
}

std::int64_t QuarterCount(const Score& score) {
  std::int64_t end = 0;
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) end = std::max(end, note.onset + note.duration);
  }
  return (end + score.ticks_per_quarter - 1) / score.ticks_per_quarter;
}

Fidelity CompareScores(const Score& before, const Score& after) {
  const std::vector<CanonicalNote> expected = CanonicalNotes(before);
  const std::vector<CanonicalNote> actual = CanonicalNotes(after);
  std::vector<CanonicalNote> both;
  std::ranges::set_intersection(expected, actual, std::back_inserter(both));
  return {.notes = std::ssize(expected.size() > actual.size() ? expected : actual),
          .kept = std::ssize(both)};
}

Fidelity RoundTrip(const Tokenizer& tokenizer, const TokenIds& ids, const Score& score,
                   std::string_view text) {
  if (tokenizer.form() == MusicForm::kScore) {
    return CompareScores(score, tokenizer.DecodeScore(ids));
  }
  const std::string decoded = tokenizer.Decode(ids);
  if (decoded == text) return CompareScores(score, score);
  return CompareScores(score, ReadAbc(decoded).score);
}

}  // namespace etude
