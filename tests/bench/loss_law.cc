#include "tests/bench/loss_law.h"

#include <cmath>
#include <functional>

#include "lib/base/random.h"
#include "lib/scaling/loss_point.h"

namespace etude {
namespace {

// E, A, alpha, B, beta of a law in the form of Hoffmann et al. 2022, for N = kParameters.
constexpr double kIrreducible = 1.2;
constexpr double kA = 8.0;
constexpr double kAlpha = 0.3;
constexpr double kB = 30.0;
constexpr double kBeta = 0.3;
constexpr double kParameters = 5000;
constexpr double kTokensPerStep = 512;

constexpr double kNoise = 0.01;
constexpr double kPeakRate = 4.4e-3;
constexpr double kTokensPerSecond = 1e5;

}  // namespace

double LawLoss(std::int64_t step) {
  return kIrreducible + kA * std::pow(kParameters, -kAlpha) +
         kB * std::pow(static_cast<double>(step) * kTokensPerStep, -kBeta);
}

v1::Points MakePoints(std::uint64_t seed, std::int64_t first, std::int64_t last) {
  const CounterRandom random(seed, RandomStream::kSampling);
  v1::Points points;
  const auto add = [&points](Series series, std::int64_t step, double value) {
    points.add_series(static_cast<std::uint32_t>(series));
    points.add_step(step);
    points.add_value(value);
  };
  for (std::int64_t step = first; step <= last; ++step) {
    const double chance = random.Uniform(static_cast<std::uint64_t>(step));
    add(Series::kTrain, step, LawLoss(step) * (1 + kNoise * (2 * chance - 1)));
    add(Series::kLearningRate, step, kPeakRate);
    add(Series::kGradNorm, step, 1 + chance);
    add(Series::kTokensPerSecond, step, kTokensPerSecond * (1 + kNoise * chance));
  }
  return points;
}

std::uint64_t SeedOf(const std::string& run) { return std::hash<std::string>()(run); }

}  // namespace etude
