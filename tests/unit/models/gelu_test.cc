#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "lib/models/gelu_loop.h"

namespace etude {
namespace {

TEST(GeluTest, EqualsTheNormalDistributionInDouble) {
  for (double x = -12; x <= 12; x += 1.0 / 64) {
    const auto input = static_cast<float>(x);
    float y = 0, slope = 0;
    GeluAndSlope(&input, &y, &slope, 1);
    const double below = 0.5 * std::erfc(-x / std::numbers::sqrt2);
    const double density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
    EXPECT_NEAR(y, x * below, 1e-6 * std::max(1.0, std::fabs(x))) << x;
    EXPECT_NEAR(slope, below + x * density, 1e-6) << x;
  }
}

TEST(GeluTest, AnElementDoesNotDependOnItsNeighbours) {
  std::vector<float> x(37), y(37), slope(37);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.31f * static_cast<float>(i) - 5.0f;
  GeluAndSlope(x.data(), y.data(), slope.data(), 37);
  for (std::size_t i = 0; i < x.size(); ++i) {
    float one = 0, one_slope = 0;
    GeluAndSlope(&x[i], &one, &one_slope, 1);
    EXPECT_EQ(one, y[i]);
    EXPECT_EQ(one_slope, slope[i]);
  }
}

TEST(GeluTest, NotANumberStaysOne) {
  const float x = std::nanf("");
  float y = 0, slope = 0;
  GeluAndSlope(&x, &y, &slope, 1);
  EXPECT_TRUE(std::isnan(y));
}

}  // namespace
}  // namespace etude
