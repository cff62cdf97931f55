// GELU and its slope in one pass of vector code.
#ifndef ETUDE_LIB_MODELS_GELU_LOOP_H_
#define ETUDE_LIB_MODELS_GELU_LOOP_H_

#include <cstdint>

namespace etude {

// y = x P(x) and slope = P(x) + x p(x), with P and p the normal distribution and its density, for
// `size` numbers; the exact (erf) GELU of Hendrycks and Gimpel 2016. P is within 2e-7, by
// formula 7.1.26 of Abramowitz and Stegun 1964, whose exponential is the density's too.
void GeluAndSlope(const float* x, float* y, float* slope, std::int64_t size);

}  // namespace etude

#endif  // ETUDE_LIB_MODELS_GELU_LOOP_H_
