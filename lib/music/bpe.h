// Byte-pair encoding (Gage 1994; Sennrich et al. 2016, arXiv 1508.07909) over symbols: the most
// frequent neighbours become a symbol of their own, again and again. Deterministic.
#ifndef ETUDE_LIB_MUSIC_BPE_H_
#define ETUDE_LIB_MUSIC_BPE_H_

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace etude {

using Symbol = std::uint32_t;

struct BpeMerge {
  Symbol left = 0;
  Symbol right = 0;
  friend bool operator==(const BpeMerge&, const BpeMerge&) = default;
};

// At most `count` merges learned from `text`; merge i makes symbol `first` + i. Neighbours with a
// symbol below `free` or equal to `wall` are never merged: these end words. Counted are all
// neighbours; of pairs as frequent the one with the lower symbols is merged, and pairs that occur
// once are not. O(n log n) for n symbols; 40 bytes of memory for each.
struct BpeRules {
  Symbol first = 0;
  Symbol free = 0;
  Symbol wall = 0;
};
std::vector<BpeMerge> LearnMerges(std::span<const Symbol> text, int count, const BpeRules& rules);

// Applies merges in the order in which they were learned, each from left to right.
class BpeMerger {
 public:
  BpeMerger(std::span<const BpeMerge> merges, Symbol first);
  std::vector<Symbol> Apply(std::span<const Symbol> text) const;  // O(n log n)

 private:
  std::unordered_map<std::uint64_t, Symbol> merged_;  // by pair
};

}  // namespace etude

#endif  // ETUDE_LIB_MUSIC_BPE_H_
