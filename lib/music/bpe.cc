#include "lib/music/bpe.h"

#include <algorithm>
#include <cstddef>
#include <queue>
#include <tuple>

namespace etude {
namespace {

using Place = std::uint32_t;  // an index into the text
constexpr Place kNowhere = 0xFFFFFFFF;

std::uint64_t PairKey(Symbol left, Symbol right) { return (std::uint64_t{left} << 32) | right; }
Symbol LeftOf(std::uint64_t pair) { return static_cast<Symbol>(pair >> 32); }
Symbol RightOf(std::uint64_t pair) { return static_cast<Symbol>(pair); }

// Symbols as a linked list in which two neighbours can become one.
class SymbolList {
 public:
  explicit SymbolList(std::span<const Symbol> text)
      : symbols_(text.begin(), text.end()), next_(text.size()), previous_(text.size()) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      previous_[i] = i == 0 ? kNowhere : static_cast<Place>(i - 1);
      next_[i] = i + 1 == text.size() ? kNowhere : static_cast<Place>(i + 1);
    }
  }

  Symbol at(Place place) const { return symbols_[place]; }
  Place next(Place place) const { return next_[place]; }
  Place previous(Place place) const { return previous_[place]; }
  // Whether `left` and `right` still stand at `place` and behind it.
  bool IsPairAt(Place place, Symbol left, Symbol right) const {
    return symbols_[place] == left && next_[place] != kNowhere && symbols_[next_[place]] == right;
  }
  void Merge(Place place, Symbol merged) {
    const Place gone = next_[place];
    symbols_[place] = merged;
    symbols_[gone] = kNowhere;
    next_[place] = next_[gone];
    if (next_[place] != kNowhere) previous_[next_[place]] = place;
  }
  std::vector<Symbol> ToVector() const {
    std::vector<Symbol> symbols;
    for (Place place = symbols_.empty() ? kNowhere : 0; place != kNowhere; place = next_[place]) {
      symbols.push_back(symbols_[place]);
    }
    return symbols;
  }

 private:
  std::vector<Symbol> symbols_;
  std::vector<Place> next_;
  std::vector<Place> previous_;
};

struct PairCount {
  std::int64_t count = 0;
  std::vector<Place> places;  // every place where the pair stands, and some where it stood
};

class MergeLearner {
 public:
  MergeLearner(std::span<const Symbol> text, const BpeRules& rules) : rules_(rules), list_(text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) Count(static_cast<Place>(i), 1);
    for (const auto& [pair, count] : pairs_) queue_.emplace(count.count, pair);
  }

  std::vector<BpeMerge> Learn(int count) {
    std::vector<BpeMerge> merges;
    while (std::ssize(merges) < count && !queue_.empty()) {
      const auto [queued, pair] = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(pair);
      if (found == pairs_.end()) continue;
      if (found->second.count != queued) {  // it has fallen since: queue it where it belongs
        if (found->second.count > 1) queue_.emplace(found->second.count, pair);
        continue;
      }
      if (queued < 2) break;
      const Symbol merged = rules_.first + static_cast<Symbol>(merges.size());
      merges.push_back({LeftOf(pair), RightOf(pair)});
      Merge(pair, merged, std::move(found->second.places));
    }
    return merges;
  }

 private:
  // The more frequent first, then the lower pair.
  struct Later {
    bool operator()(const std::pair<std::int64_t, std::uint64_t>& a,
                    const std::pair<std::int64_t, std::uint64_t>& b) const {
      return std::tie(a.first, b.second) < std::tie(b.first, a.second);
    }
  };

  bool MayMerge(Symbol symbol) const { return symbol >= rules_.free && symbol != rules_.wall; }

  // The pair at `place` and behind it, if there is one, has become more or less frequent.
  void Count(Place place, int change) {
    if (place == kNowhere || list_.next(place) == kNowhere) return;
    const Symbol left = list_.at(place);
    const Symbol right = list_.at(list_.next(place));
    if (!MayMerge(left) || !MayMerge(right)) return;
    PairCount& pair = pairs_[PairKey(left, right)];
    pair.count += change;
    if (change < 0) return;
    pair.places.push_back(place);
    risen_.push_back(PairKey(left, right));
  }

  void Merge(std::uint64_t pair, Symbol merged, std::vector<Place> places) {
    std::ranges::sort(places);
    risen_.clear();
    for (const Place place : places) {
      if (!list_.IsPairAt(place, LeftOf(pair), RightOf(pair))) continue;
      Count(list_.previous(place), -1);
      Count(place, -1);
      Count(list_.next(place), -1);
      list_.Merge(place, merged);
      Count(list_.previous(place), 1);
      Count(place, 1);
    }
    pairs_.erase(pair);
    std::ranges::sort(risen_);
    risen_.erase(std::unique(risen_.begin(), risen_.end()), risen_.end());
    for (const std::uint64_t key : risen_) {
      if (const auto found = pairs_.find(key); found != pairs_.end() && found->second.count > 1) {
        queue_.emplace(found->second.count, key);
      }
    }
  }

  BpeRules rules_;
  SymbolList list_;
  std::unordered_map<std::uint64_t, PairCount> pairs_;
  std::vector<std::uint64_t> risen_;  // pairs that became more frequent, with repeats
  std::priority_queue<std::pair<std::int64_t, std::uint64_t>,
                      std::vector<std::pair<std::int64_t, std::uint64_t>>, Later>
      queue_;
};

}  // namespace

std::vector<BpeMerge> LearnMerges(std::span<const Symbol> text, int count, const BpeRules& rules) {
  return MergeLearner(text, rules).Learn(count);
}

BpeMerger::BpeMerger(std::span<const BpeMerge> merges, Symbol first) {
  merged_.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    merged_.emplace(PairKey(merges[i].left, merges[i].right), first + static_cast<Symbol>(i));
  }
}

std::vector<Symbol> BpeMerger::Apply(std::span<const Symbol> text) const {
  SymbolList list(text);
  using Candidate = std::pair<Symbol, Place>;  // the merge learned first, then the leftmost place
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto add = [&](Place place) {
    if (place == kNowhere || list.next(place) == kNowhere) return;
    const auto found = merged_.find(PairKey(list.at(place), list.at(list.next(place))));
    if (found != merged_.end()) queue.emplace(found->second, place);
  };
  for (std::size_t i = 0; i < text.size(); ++i) add(static_cast<Place>(i));
  while (!queue.empty()) {
    const auto [merged, place] = queue.top();
    queue.pop();
    if (list.at(place) == kNowhere || list.next(place) == kNowhere) continue;
    const auto found = merged_.find(PairKey(list.at(place), list.at(list.next(place))));
    if (found == merged_.end() || found->second != merged) continue;
    list.Merge(place, merged);
    add(list.previous(place));
    add(place);
  }
  return list.ToVector();
}

}  // namespace etude
