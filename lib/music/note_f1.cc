#include "lib/music/note_f1.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

namespace etude {
namespace {

double F1Of(std::int64_t matched, const NoteMatch& match) {
  const std::int64_t notes = match.reference + match.found;
  return notes == 0 ? 1 : 2 * static_cast<double>(matched) / static_cast<double>(notes);
}

// A note's times in the product of both scores' ticks, so that they compare exactly: at most
// kMaxScoreTicks * 2^15 * 8 < 2^58.
struct TimedNote {
  std::int64_t onset = 0;
  std::int64_t duration = 0;

  friend auto operator<=>(const TimedNote&, const TimedNote&) = default;
};

constexpr std::size_t kPitches = 128;
// Of each kind (pitched, drums) and pitch the notes in time.
struct ByPitch {
  std::vector<TimedNote> notes;
  std::array<std::size_t, 2 * kPitches + 1> starts{};

  std::span<const TimedNote> Of(std::size_t bucket) const {
    return std::span(notes).subspan(starts[bucket], starts[bucket + 1] - starts[bucket]);
  }
};

std::size_t BucketOf(const Voice& voice, const Note& note) {
  return (voice.drums ? kPitches : 0) + static_cast<std::size_t>(note.pitch & 127);
}

ByPitch SortByPitch(const Score& score, std::int64_t scale) {
  ByPitch sorted;
  std::array<std::size_t, 2 * kPitches> counts{};
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) ++counts[BucketOf(voice, note)];
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    sorted.starts[i + 1] = sorted.starts[i] + counts[i];
  }
  sorted.notes.resize(sorted.starts.back());
  auto places = sorted.starts;
  for (const Voice& voice : score.voices) {
    for (const Note& note : voice.notes) {
      sorted.notes[places[BucketOf(voice, note)]++] = {note.onset * scale, note.duration * scale};
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto begin = sorted.notes.begin() + static_cast<std::ptrdiff_t>(sorted.starts[i]);
    const auto end = begin + static_cast<std::ptrdiff_t>(counts[i]);
    if (!std::is_sorted(begin, end)) std::sort(begin, end);
  }
  return sorted;
}

// Earliest with earliest: for windows of one width no other pairing has more pairs.
void MatchOnePitch(std::span<const TimedNote> reference, std::span<const TimedNote> found,
                   std::int64_t eighth, NoteMatch& match) {
  match.reference += std::ssize(reference);
  match.found += std::ssize(found);
  for (std::size_t a = 0, b = 0; a < reference.size() && b < found.size();) {
    const std::int64_t apart = found[b].onset - reference[a].onset;
    if (apart > eighth) {
      ++a;
    } else if (apart < -eighth) {
      ++b;
    } else {
      ++match.matched;
      const std::int64_t longer = std::abs(found[b].duration - reference[a].duration);
      if (longer <= std::max(eighth, reference[a].duration / 5)) ++match.durations;
      ++a;
      ++b;
    }
  }
}

}  // namespace

double NoteMatch::F1() const { return F1Of(matched, *this); }
double NoteMatch::DurationF1() const { return F1Of(durations, *this); }

NoteMatch NoteAgreement::All() const {
  return {.reference = pitched.reference + drums.reference,
          .found = pitched.found + drums.found,
          .matched = pitched.matched + drums.matched,
          .durations = pitched.durations + drums.durations};
}

NoteAgreement MatchNotes(const Score& reference, const Score& found) {
  // Times are in units of 1 / (8 * both) of a quarter, so that an eighth of one is whole.
  const ByPitch a = SortByPitch(reference, std::int64_t{8} * found.ticks_per_quarter);
  const ByPitch b = SortByPitch(found, std::int64_t{8} * reference.ticks_per_quarter);
  const std::int64_t eighth = std::int64_t{reference.ticks_per_quarter} * found.ticks_per_quarter;
  NoteAgreement agreement;
  for (std::size_t i = 0; i < 2 * kPitches; ++i) {
    MatchOnePitch(a.Of(i), b.Of(i), eighth, i < kPitches ? agreement.pitched : agreement.drums);
  }
  return agreement;
}

}  // namespace etude
