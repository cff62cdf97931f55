#include "lib/music/rational.h"

#include <gtest/gtest.h>

namespace etude {
namespace {

TEST(RationalTest, WhatDoesNotFitIsNotExactAndStaysSo) {
  const Rational tiny(1, INT64_MAX);
  EXPECT_TRUE((tiny + tiny).exact());
  EXPECT_FALSE((tiny * tiny).exact());
  EXPECT_FALSE((tiny * tiny + 1).exact());
  EXPECT_FALSE((Rational(1) / 0).exact());
  EXPECT_EQ(Rational(6, -4), Rational(-3, 2));
  EXPECT_LT(Rational(1, 3), Rational(1, 2));
}

}  // namespace
}  // namespace etude
