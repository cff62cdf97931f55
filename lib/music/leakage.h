// How much of held-out text a model may have seen in training.
#ifndef ETUDE_LIB_MUSIC_LEAKAGE_H_
#define ETUDE_LIB_MUSIC_LEAKAGE_H_

#include <cstdint>
#include <optional>
#include <span>

namespace etude {

inline constexpr int kLeakageGram = 16;  // tokens

struct SharedGrams {
  std::int64_t grams = 0;   // places in the held-out split where one begins
  std::int64_t shared = 0;  // those whose gram also stands in training
  double rate() const {
    return grams == 0 ? 0 : static_cast<double>(shared) / static_cast<double>(grams);
  }
};

// Runs of kLeakageGram tokens that hold no document token. Grams are compared by 64-bit hashes.
// O(train + held_out) time, at most 33 bytes of memory for each held-out token.
SharedGrams CountSharedGrams(std::span<const std::uint16_t> train,
                             std::span<const std::uint16_t> held_out, std::optional<int> doc_token);

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_LEAKAGE_H_
