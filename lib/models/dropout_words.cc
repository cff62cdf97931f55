#include "lib/models/dropout_words.h"

#include <algorithm>
#include <cmath>

#include "lib/base/random.h"
#include "lib/base/status.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ETUDE_FOR_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define ETUDE_FOR_AVX2
#endif

namespace etude {
namespace {

struct Lanes {
  std::uint32_t word[4][kDropoutLanes];
};

// Philox4x32-10 on sixteen counters at once. One loop a step, so that the compiler turns each into
// vector code.
ETUDE_FOR_AVX2 void PhiloxLanes(Lanes& lanes, std::uint32_t key0, std::uint32_t key1) {
  auto& c = lanes.word;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kDropoutLanes; ++i) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * c[0][i];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * c[2][i];
      c[0][i] = static_cast<std::uint32_t>(product1 >> 32) ^ c[1][i] ^ key0;
      c[1][i] = static_cast<std::uint32_t>(product1);
      c[2][i] = static_cast<std::uint32_t>(product0 >> 32) ^ c[3][i] ^ key1;
      c[3][i] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

Lanes GroupWords(const DropoutSite& site, std::uint32_t group) {
  Lanes lanes;
  for (std::uint32_t i = 0; i < kDropoutLanes; ++i) {
    lanes.word[0][i] = group * kDropoutLanes + i;
    lanes.word[1][i] = site.site;
    lanes.word[2][i] = site.step;
    lanes.word[3][i] = static_cast<std::uint32_t>(RandomStream::kDropout);
  }
  PhiloxLanes(lanes, static_cast<std::uint32_t>(site.seed),
              static_cast<std::uint32_t>(site.seed >> 32));
  return lanes;
}

}  // namespace

std::uint32_t DropoutThreshold(double probability) {
  ENSURE(probability >= 0 && probability < 1);
  return static_cast<std::uint32_t>(std::min(std::llround(probability * 0x1.0p32), 0xFFFFFFFFLL));
}

void FillDropoutMask(const DropoutSite& site, std::uint32_t threshold, float kept_value,
                     std::int64_t first, std::span<float> mask) {
  ENSURE(first % kDropoutGroup == 0);
  const auto size = static_cast<std::int64_t>(mask.size());
  for (std::int64_t begin = 0; begin < size; begin += kDropoutGroup) {
    const Lanes lanes =
        GroupWords(site, static_cast<std::uint32_t>((first + begin) / kDropoutGroup));
    const std::uint32_t* words = lanes.word[0];
    const std::int64_t count = std::min(kDropoutGroup, size - begin);
    float* out = mask.data() + begin;
    for (std::int64_t i = 0; i < count; ++i) out[i] = words[i] < threshold ? 0.0f : kept_value;
  }
}

}  // namespace etude
