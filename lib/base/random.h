// A counter-based generator: the same (seed, stream, counter) gives the same bits, on any machine,
// in any order, so no generator state is ever saved. Philox4x32-10 (Salmon et al. 2011, "Parallel
// random numbers: as easy as 1, 2, 3").
#ifndef ETUDE_LIB_BASE_RANDOM_H_
#define ETUDE_LIB_BASE_RANDOM_H_

#include <array>
#include <cstdint>

namespace etude {

// What a number is drawn for. Streams of one seed are independent; values are part of the numerics
// and never change.
enum class RandomStream : std::uint32_t {
  kInitialWeights = 1,
  kWindowOrder = 2,
  kDropout = 3,
  kSampling = 4,
  kUniqueSubset = 5,
  kCorpusSplit = 6,
  kRetryJitter = 7,
  kBootstrap = 8,
};

// One block of Philox4x32-10: counter and key to four uniform words.
constexpr std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// The words of one (seed, stream, substream): block i is Philox(counter = {i lo, i hi, substream,
// stream}, key = seed).
class CounterRandom {
 public:
  CounterRandom(std::uint64_t seed, RandomStream stream, std::uint32_t substream = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        stream_(static_cast<std::uint32_t>(stream)),
        substream_(substream) {}

  std::array<std::uint32_t, 4> Block(std::uint64_t index) const {
    return Philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                       substream_, stream_},
                      key_);
  }
  std::uint64_t Word64(std::uint64_t index) const {
    const auto block = Block(index);
    return (std::uint64_t{block[1]} << 32) | block[0];
  }
  // Uniform in [0, 1) with 53 bits.
  double Uniform(std::uint64_t index) const {
    return static_cast<double>(Word64(index) >> 11) * 0x1.0p-53;
  }
  // Uniform in [0, bound), bound >= 1; the bias of the multiply-shift is below bound / 2^64.
  std::uint64_t Below(std::uint64_t index, std::uint64_t bound) const {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(Word64(index)) * bound) >>
                                      64);
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint32_t stream_;
  std::uint32_t substream_;
};

}  // namespace etude

#endif  // ETUDE_LIB_BASE_RANDOM_H_
