#include "lib/music/leakage.h"

#include <bit>
#include <cstddef>
#include <vector>

namespace etude {
namespace {

constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15;  // odd, so no token is forgotten

constexpr std::uint64_t Power(std::uint64_t base, int exponent) {
  std::uint64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= base;
  return power;
}

std::uint64_t Finished(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
  hash ^= hash >> 33;
  return hash == 0 ? 1 : hash;  // 0 marks a free slot
}

// Calls use(hash) for the gram that ends at each token, by a rolling hash (Karp & Rabin 1987).
template <typename Use>
void ForEachGram(std::span<const std::uint16_t> tokens, std::optional<int> doc_token,
                 const Use& use) {
  constexpr std::uint64_t kLeaving = Power(kBase, kLeakageGram);
  std::uint64_t hash = 0;
  int length = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == doc_token) {
      hash = 0;
      length = 0;
      continue;
    }
    hash = hash * kBase + tokens[i] + 1;
    if (++length > kLeakageGram) hash -= kLeaving * (tokens[i - kLeakageGram] + 1);
    if (length >= kLeakageGram) use(Finished(hash));
  }
}

// Hashes in an open table, each with whether training holds it.
class GramTable {
 public:
  explicit GramTable(std::size_t grams)
      : hashes_(std::bit_ceil(2 * grams + 2)), is_seen_(hashes_.size()) {}
  void Insert(std::uint64_t hash) { hashes_[SlotOf(hash)] = hash; }
  void See(std::uint64_t hash) {
    const std::size_t slot = SlotOf(hash);
    if (hashes_[slot] == hash) is_seen_[slot] = true;
  }
  bool IsSeen(std::uint64_t hash) const { return is_seen_[SlotOf(hash)]; }

 private:
  // Where it is, or where it would be.
  std::size_t SlotOf(std::uint64_t hash) const {
    std::size_t slot = hash & (hashes_.size() - 1);
    while (hashes_[slot] != 0 && hashes_[slot] != hash) slot = (slot + 1) & (hashes_.size() - 1);
    return slot;
  }
  std::vector<std::uint64_t> hashes_;
  std::vector<bool> is_seen_;
};

}  // namespace

SharedGrams CountSharedGrams(std::span<const std::uint16_t> train,
                             std::span<const std::uint16_t> held_out,
                             std::optional<int> doc_token) {
  GramTable table(held_out.size());
  ForEachGram(held_out, doc_token, [&](std::uint64_t hash) { table.Insert(hash); });
  ForEachGram(train, doc_token, [&](std::uint64_t hash) { table.See(hash); });
  SharedGrams counts;
  ForEachGram(held_out, doc_token, [&](std::uint64_t hash) {
    ++counts.grams;
    if (table.IsSeen(hash)) ++counts.shared;
  });
  return counts;
}

}  // namespace etude
