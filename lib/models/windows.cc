#include "lib/models/windows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::uint64_t kPoolSeed = 0x6574756465;  // part of the numerics; the same for every run
constexpr int kFeistelRounds = 4;

struct Piece {
  std::int64_t begin;
  std::int64_t end;
};

std::vector<Piece> PiecesOf(std::span<const Token> tokens, std::optional<Token> document_token,
                            int context) {
  const auto size = static_cast<std::int64_t>(tokens.size());
  std::vector<std::int64_t> starts = DocumentStarts(tokens, document_token);
  if (starts.size() == 1) {
    for (std::int64_t start = context; start < size; start += context) starts.push_back(start);
  }
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    pieces.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : size});
  }
  return pieces;
}

void Shuffle(std::vector<Piece>& pieces) {
  const CounterRandom random(kPoolSeed, RandomStream::kUniqueSubset);
  for (std::uint64_t i = pieces.size(); i > 1; --i) {
    std::swap(pieces[i - 1], pieces[random.Below(i, i)]);
  }
}

// Half the bits of the smallest even-width domain that holds `size` values.
int HalfBits(std::int64_t size) {
  int bits = 1;
  while ((std::int64_t{1} << (2 * bits)) < size) ++bits;
  return bits;
}

std::uint64_t FeistelPass(std::uint64_t value, int half_bits, const CounterRandom& random) {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = value >> half_bits;
  std::uint64_t right = value & mask;
  for (std::uint64_t round = 1; round <= kFeistelRounds; ++round) {
    const std::uint64_t mixed = random.Block((round << 32) | right)[0] & mask;
    left = std::exchange(right, left ^ mixed);
  }
  return (left << half_bits) | right;
}

}  // namespace

std::vector<std::int64_t> DocumentStarts(std::span<const Token> tokens,
                                         std::optional<Token> document_token) {
  std::vector<std::int64_t> starts = {0};
  if (!document_token) return starts;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i] == *document_token) starts.push_back(static_cast<std::int64_t>(i));
  }
  return starts;
}

std::vector<Token> UniquePool(std::span<const Token> tokens, std::optional<Token> document_token,
                              std::int64_t unique, int context) {
  ENSURE(unique >= 0 && context >= 1);
  if (unique >= static_cast<std::int64_t>(tokens.size())) return {tokens.begin(), tokens.end()};
  std::vector<Piece> pieces = PiecesOf(tokens, document_token, context);
  Shuffle(pieces);
  std::vector<Token> pool;
  pool.reserve(unique);
  for (const Piece& piece : pieces) {
    const std::int64_t room = unique - static_cast<std::int64_t>(pool.size());
    const std::int64_t end = std::min(piece.end, piece.begin + room);
    pool.insert(pool.end(), tokens.begin() + piece.begin, tokens.begin() + end);
  }
  return pool;
}

std::int64_t Permute(std::int64_t index, std::int64_t size, const CounterRandom& random) {
  ENSURE(index >= 0 && index < size);
  const int half_bits = HalfBits(size);
  auto value = static_cast<std::uint64_t>(index);
  do {
    value = FeistelPass(value, half_bits, random);
  } while (value >= static_cast<std::uint64_t>(size));
  return static_cast<std::int64_t>(value);
}

TrainingOrder::TrainingOrder(std::int64_t unique, int context, int stride, std::uint64_t seed)
    : unique_(unique), context_(context), stride_(stride), seed_(seed) {
  ENSURE(unique > context && stride >= 1);
  epoch_ = MakeEpoch(0, 0);
}

TrainingOrder::Epoch TrainingOrder::MakeEpoch(std::uint32_t number, std::int64_t first) const {
  Epoch epoch{.number = number, .first = first};
  if (stride_ == context_) {
    // A pool hardly longer than one window has fewer offsets that leave room for it.
    const auto offsets =
        static_cast<std::uint64_t>(std::min<std::int64_t>(stride_, unique_ - context_));
    const CounterRandom random(seed_, RandomStream::kWindowOrder, number);
    epoch.offset = static_cast<std::int64_t>(random.Below(0, offsets));
  }
  epoch.windows = (unique_ - epoch.offset - context_ - 1) / stride_ + 1;
  return epoch;
}

std::int64_t TrainingOrder::WindowStart(std::int64_t index) {
  ENSURE(index >= 0);
  if (index < epoch_.first) epoch_ = MakeEpoch(0, 0);
  while (index >= epoch_.first + epoch_.windows) {
    epoch_ = MakeEpoch(epoch_.number + 1, epoch_.first + epoch_.windows);
  }
  const CounterRandom random(seed_, RandomStream::kWindowOrder, epoch_.number);
  return epoch_.offset + stride_ * Permute(index - epoch_.first, epoch_.windows, random);
}

std::int64_t EvaluationWindows::targets(std::int64_t window) const {
  return std::min<std::int64_t>(context_, tokens_ - 1 - start(window));
}

std::vector<std::int64_t> EvaluationWindows::Spread(std::int64_t targets) const {
  const std::int64_t chosen =
      std::min(count(), std::max<std::int64_t>(1, (targets + context_ - 1) / context_));
  std::vector<std::int64_t> windows(chosen);
  for (std::int64_t i = 0; i < chosen; ++i) windows[i] = i * count() / chosen;
  return windows;
}

}  // namespace etude
