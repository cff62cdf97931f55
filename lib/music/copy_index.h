// Finds what a tune has from the tunes of a training set, in whatever key and tempo. Longest common
// runs of melody steps, by a suffix array of the training set (Manber and Myers 1993).
#ifndef ETUDE_LIB_MUSIC_COPY_INDEX_H_
#define ETUDE_LIB_MUSIC_COPY_INDEX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/music/melody.h"

namespace etude {

inline constexpr std::size_t kMaxCopySteps = std::size_t{1} << 28;  // of all tunes together

// The runs that are counted, in melody steps.
inline constexpr std::array<int, 4> kCopyLengths = {4, 8, 16, 32};

struct CopyReport {
  std::int64_t steps = 0;  // of the tune asked about
  // Share of its steps that lie in a run of at least kCopyLengths[i] steps found in the training
  // set; nullopt: it is shorter than that.
  std::array<std::optional<double>, kCopyLengths.size()> copied;
  // The longest run found, where it is here and there; 0: none.
  std::int64_t longest = 0;
  std::int64_t at = 0;       // step of the tune
  std::size_t tune = 0;      // of the training set, in the order given
  std::int64_t tune_at = 0;  // step of that tune
};

// Immutable once made; 8 bytes a step.
class CopyIndex {
 public:
  // kResourceExhausted: more than kMaxCopySteps.
  static absl::StatusOr<CopyIndex> Build(std::span<const std::vector<MelodyStep>> tunes);

  CopyReport Find(std::span<const MelodyStep> tune) const;

 private:
  struct Match {
    std::int64_t length = 0;
    std::size_t position = 0;  // in text_
  };

  Match LongestAt(std::span<const MelodyStep> rest) const;

  std::vector<std::uint32_t> text_;      // tunes, each ended by kMelodySteps + its number
  std::vector<std::uint32_t> suffixes_;  // positions of text_ in the order of their suffixes
  std::vector<std::size_t> begins_;      // of each tune in text_
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_COPY_INDEX_H_
