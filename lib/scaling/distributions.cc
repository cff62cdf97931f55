#include "lib/scaling/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace etude {
namespace {

// Lentz's method on the continued fraction of DLMF 8.17.22, which converges fast for
// x < (a + 1) / (a + b + 2).
double BetaFraction(double a, double b, double x) {
  constexpr int kMaxTerms = 10000;
  constexpr double kTiny = 1e-300;
  const auto away = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 4 * std::numeric_limits<double>::epsilon()) break;
  }
  return result;
}

// P(T > t) for t >= 0, without cancellation far out.
double StudentTTail(double t, double dof) {
  return 0.5 * IncompleteBeta(dof / 2, 0.5, dof / (dof + t * t));
}

// ln Gamma, without the global sign that std::lgamma writes.
double LogGamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

// Below this the recurrences raise x until the asymptotic series is exact in double precision.
constexpr double kSeriesFrom = 12;

}  // namespace

double NormalDensity(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double IncompleteBeta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(a, b, x) / a;
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

double StudentTCdf(double t, double dof) {
  return t < 0 ? StudentTTail(-t, dof) : 1 - StudentTTail(t, dof);
}

double StudentTQuantile(double p, double dof) {
  if (p == 0.5) return 0;
  const double tail = std::min(p, 1 - p);
  double high = 1;
  while (StudentTTail(high, dof) > tail && high < 1e300) high *= 2;
  double low = high == 1 ? 0 : high / 2;
  constexpr int kBisections = 200;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (StudentTTail(middle, dof) > tail ? low : high) = middle;
  }
  return p < 0.5 ? -high : high;
}

double FTail(double f, double numerator, double denominator) {
  if (std::isinf(f)) return 0;
  return IncompleteBeta(denominator / 2, numerator / 2,
                        denominator / (denominator + numerator * f));
}

// Asymptotic series: DLMF 5.11.2 and its derivative.
double Digamma(double x) {
  double result = 0;
  for (; x < kSeriesFrom; x += 1) result -= 1 / x;
  const double z = 1 / (x * x);
  return result + std::log(x) - 0.5 / x -
         z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z / 132))));
}

double Trigamma(double x) {
  double result = 0;
  for (; x < kSeriesFrom; x += 1) result += 1 / (x * x);
  const double z = 1 / (x * x);
  return result + 1 / x + z / 2 +
         z / x * (1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * 5 / 66))));
}

}  // namespace etude
