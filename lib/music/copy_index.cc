#include "lib/music/copy_index.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "lib/base/status.h"

namespace etude {
namespace {

using Ranks = std::vector<std::uint32_t>;

// Positions in a stable order of their keys 0..largest.
std::vector<std::uint32_t> CountingSort(std::span<const std::uint32_t> positions,
                                        std::span<const std::uint32_t> key, std::size_t largest) {
  std::vector<std::uint32_t> first(largest + 2, 0);
  for (const std::uint32_t k : key) ++first[k + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<std::uint32_t> sorted(positions.size());
  for (const std::uint32_t position : positions) sorted[first[key[position]]++] = position;
  return sorted;
}

// Numbers of equal values from 0, in their order.
Ranks RanksOf(std::span<const std::uint32_t> text) {
  std::vector<std::uint32_t> values(text.begin(), text.end());
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  Ranks ranks;
  ranks.reserve(text.size());
  for (const std::uint32_t value : text) {
    ranks.push_back(
        static_cast<std::uint32_t>(std::ranges::lower_bound(values, value) - values.begin()));
  }
  return ranks;
}

// Prefix doubling: after the pass of `width`, positions are in the order of their first 2 `width`
// letters.
std::vector<std::uint32_t> SuffixArray(std::span<const std::uint32_t> text) {
  const std::size_t size = text.size();
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0U);
  if (size == 0) return order;
  Ranks rank = RanksOf(text);
  order = CountingSort(order, rank, size);
  for (std::size_t width = 1; width < size; width *= 2) {
    std::vector<std::uint32_t> by_second;  // shorter suffixes first, then by the rank `width` later
    by_second.reserve(size);
    for (std::size_t i = size - width; i < size; ++i) {
      by_second.push_back(static_cast<std::uint32_t>(i));
    }
    for (const std::uint32_t position : order) {
      if (position >= width) by_second.push_back(position - static_cast<std::uint32_t>(width));
    }
    order = CountingSort(by_second, rank, size);
    const auto second = [&](std::uint32_t p) { return p + width < size ? rank[p + width] + 1 : 0; };
    Ranks next(size);
    for (std::size_t i = 1; i < size; ++i) {
      const std::uint32_t a = order[i - 1];
      const std::uint32_t b = order[i];
      const bool same = rank[a] == rank[b] && second(a) == second(b);
      next[b] = next[a] + (same ? 0 : 1);
    }
    rank = std::move(next);
    if (rank[order.back()] + 1 == size) break;
  }
  return order;
}

std::int64_t CommonLength(std::span<const std::uint32_t> a, std::span<const MelodyStep> b) {
  const auto [end, unused] = std::ranges::mismatch(a, b);
  return end - a.begin();
}

}  // namespace

absl::StatusOr<CopyIndex> CopyIndex::Build(std::span<const std::vector<MelodyStep>> tunes) {
  CopyIndex index;
  std::size_t steps = 0;
  for (const std::vector<MelodyStep>& tune : tunes) steps += tune.size() + 1;
  if (steps > kMaxCopySteps) {
    return ResourceExhausted("the training set has " + std::to_string(steps) +
                             " melody steps; at most " + std::to_string(kMaxCopySteps) +
                             " can be searched for copies");
  }
  index.text_.reserve(steps);
  for (const std::vector<MelodyStep>& tune : tunes) {
    index.begins_.push_back(index.text_.size());
    index.text_.insert(index.text_.end(), tune.begin(), tune.end());
    index.text_.push_back(kMelodySteps + static_cast<std::uint32_t>(index.begins_.size()));
  }
  index.suffixes_ = SuffixArray(index.text_);
  return index;
}

CopyIndex::Match CopyIndex::LongestAt(std::span<const MelodyStep> rest) const {
  const std::span<const std::uint32_t> text(text_);
  const auto after = std::ranges::partition_point(suffixes_, [&](std::uint32_t position) {
    return std::ranges::lexicographical_compare(text.subspan(position), rest);
  });
  Match best;
  const auto consider = [&](std::uint32_t position) {
    const std::int64_t length = CommonLength(text.subspan(position), rest);
    if (length > best.length) best = {.length = length, .position = position};
  };
  if (after != suffixes_.end()) consider(*after);
  if (after != suffixes_.begin()) consider(*std::prev(after));
  return best;
}

CopyReport CopyIndex::Find(std::span<const MelodyStep> tune) const {
  CopyReport report;
  report.steps = std::ssize(tune);
  std::array<std::int64_t, kCopyLengths.size()> covered = {};
  std::array<std::int64_t, kCopyLengths.size()> covered_to = {};
  for (std::int64_t at = 0; at < report.steps; ++at) {
    const Match match = LongestAt(tune.subspan(static_cast<std::size_t>(at)));
    for (std::size_t i = 0; i < kCopyLengths.size(); ++i) {
      if (match.length < kCopyLengths[i]) continue;
      covered[i] += at + match.length - std::max(covered_to[i], at);
      covered_to[i] = at + match.length;
    }
    if (match.length <= report.longest) continue;
    const auto after = std::ranges::upper_bound(begins_, match.position);
    report.longest = match.length;
    report.at = at;
    report.tune = static_cast<std::size_t>(after - begins_.begin()) - 1;
    report.tune_at = static_cast<std::int64_t>(match.position - begins_[report.tune]);
  }
  for (std::size_t i = 0; i < kCopyLengths.size(); ++i) {
    if (report.steps < kCopyLengths[i]) continue;
    report.copied[i] = static_cast<double>(covered[i]) / static_cast<double>(report.steps);
  }
  return report;
}

}  // namespace etude
