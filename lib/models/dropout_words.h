// The random words behind dropout, generated several blocks at a time.
#ifndef ETUDE_LIB_MODELS_DROPOUT_WORDS_H_
#define ETUDE_LIB_MODELS_DROPOUT_WORDS_H_

#include <cstdint>
#include <span>

namespace etude {

// Which mask: the same four numbers always give the same mask.
struct DropoutSite {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;  // 1-based update
  std::uint32_t site = 0;  // place in the model
};

// Elements come in groups: element g * 64 + w * 16 + lane takes word w of block g * 16 + lane of
// the generator (seed, kDropout, step), whose block index has the site in its upper half.
inline constexpr std::int64_t kDropoutLanes = 16;
inline constexpr std::int64_t kDropoutGroup = 4 * kDropoutLanes;

// An element is dropped when its word is below this.
std::uint32_t DropoutThreshold(double probability);

// Writes the masks of elements first .. first + mask.size(): 0 where dropped, else `kept_value`.
// `first` is a multiple of kDropoutGroup.
void FillDropoutMask(const DropoutSite& site, std::uint32_t threshold, float kept_value,
                     std::int64_t first, std::span<float> mask);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_DROPOUT_WORDS_H_
