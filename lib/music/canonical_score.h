// What all schemes are compared on: the notes of a piece on one fine grid, whatever wrote them.
#ifndef ETUDE_LIB_MUSIC_CANONICAL_SCORE_H_
#define ETUDE_LIB_MUSIC_CANONICAL_SCORE_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/score.h"
#include "lib/music/tokenizer.h"

namespace etude {

// Of a quarter: eighths, triplets and thirty-seconds lie on it.
inline constexpr int kCanonicalSteps = 24;

struct CanonicalNote {
  bool drums = false;
  std::int64_t onset = 0;  // steps
  int pitch = 0;
  std::int64_t duration = 0;  // steps, at least 1; 0 for drums, which only begin
  friend auto operator<=>(const CanonicalNote&, const CanonicalNote&) = default;
};

// Sorted. An incomplete first bar is filled with rest; instruments, velocities and voices are
// dropped; of notes that begin together on one pitch the longest stays.
std::vector<CanonicalNote> CanonicalNotes(const Score& score);

// Quarters from the beginning to the end of the last note, rounded up; 0 without notes.
std::int64_t QuarterCount(const Score& score);

// How much of a piece survives encoding and decoding.
struct Fidelity {
  std::int64_t notes = 0;  // canonical notes before, or after where there are more
  std::int64_t kept = 0;   // those that are the same
  double share() const {
    return notes == 0 ? 1 : static_cast<double>(kept) / static_cast<double>(notes);
  }
  void Add(const Fidelity& other) {
    notes += other.notes;
    kept += other.kept;
  }
};

// A scheme below this is not ranked against others: it leaves out what they have to predict.
inline constexpr double kRankedFidelity = 0.999;

Fidelity CompareScores(const Score& before, const Score& after);

// Of `score`, whose cleaned ABC is `text` (not looked at by schemes over scores), as `ids`.
Fidelity RoundTrip(const Tokenizer& tokenizer, const TokenIds& ids, const Score& score,
                   std::string_view text);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_CANONICAL_SCORE_H_
