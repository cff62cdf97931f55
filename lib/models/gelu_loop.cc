#include "lib/models/gelu_loop.h"

#include <bit>
#include <cmath>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ETUDE_FOR_AVX2 __attribute__((target_clones("arch=haswell", "default")))
#else
#define ETUDE_FOR_AVX2
#endif

namespace etude {
namespace {

// e^a for a in [-87, 0]: 2^n e^r with |r| <= ln 2 / 2 and the polynomial of Cephes' expf.
inline float ExpOfNegative(float a) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float n = (a * 1.44269504f + kRounder) - kRounder;
  const float r = (a - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

}  // namespace

ETUDE_FOR_AVX2 void GeluAndSlope(const float* x, float* y, float* slope, std::int64_t size) {
  constexpr float kRootHalf = 0.70710678f, kDensityAtZero = 0.39894228f;
  for (std::int64_t i = 0; i < size; ++i) {
    const float value = x[i];
    const float exponent = -0.5f * value * value;
    const float bell = ExpOfNegative(exponent > -87.0f ? exponent : -87.0f);
    const float t = 1.0f / (1.0f + 0.3275911f * kRootHalf * std::fabs(value));
    float tail = 1.061405429f;
    tail = tail * t - 1.453152027f;
    tail = tail * t + 1.421413741f;
    tail = tail * t - 0.284496736f;
    tail = tail * t + 0.254829592f;
    tail = 0.5f * tail * t * bell;  // P(-|x|)
    const float below = value < 0.0f ? tail : 1.0f - tail;
    y[i] = value * below;
    slope[i] = below + value * kDensityAtZero * bell;
  }
}

}  // namespace etude
