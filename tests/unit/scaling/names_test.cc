#include <gtest/gtest.h>

#include <vector>

#include "lib/scaling/nearest.h"
#include "lib/scaling/quantity.h"
#include "lib/scaling/spec.h"

namespace etude {
namespace {

TEST(NearestNameTest, SwapsCountOnce) {
  EXPECT_EQ(EditDistance("tokens", "tokesn"), 1);
  EXPECT_EQ(EditDistance("tokens", "token"), 1);
  EXPECT_EQ(EditDistance("", "lr"), 2);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(NearestNameTest, OffersTheNearestWithinTwoEdits) {
  const std::vector<std::string> keys = {"context", "stride", "batch"};
  EXPECT_EQ(NearestName("bacth", keys), "batch");
  EXPECT_EQ(NearestName("contxet", keys), "context");
  EXPECT_EQ(NearestName("strides_", keys), "stride");
  EXPECT_EQ(NearestName("epochs", keys), std::nullopt);
  EXPECT_EQ(NearestName("", keys), std::nullopt);
}

TEST(NearestNameTest, TwoLettersNeedOneEdit) {
  const std::vector<std::string> keys = {"lr"};
  EXPECT_EQ(NearestName("lt", keys), "lr");
  EXPECT_EQ(NearestName("ab", keys), std::nullopt);
}

TEST(QuantityTest, ReadsSuffixesExponentsAndUnits) {
  EXPECT_DOUBLE_EQ(ParseQuantity("300k")->value, 300'000);
  EXPECT_DOUBLE_EQ(ParseQuantity("2.7M")->value, 2'700'000);
  EXPECT_DOUBLE_EQ(ParseQuantity("1e15")->value, 1e15);
  EXPECT_DOUBLE_EQ(ParseQuantity("16")->value, 16);
  EXPECT_DOUBLE_EQ(ParseQuantity("64 steps")->value, 64);
  EXPECT_EQ(ParseQuantity("64 steps")->unit, "steps");
  EXPECT_EQ(ParseQuantity("32k tokens")->unit, "tokens");
}

TEST(QuantityTest, RefusesWhatIsNoPlainNumber) {
  for (const char* text : {"", "-1", "+1", "nan", "inf", "0x10", "k", "3q", "3 ", "3  steps",
                           "3 steps now", "1e999", "300K", "1,000", " 3"}) {
    EXPECT_FALSE(ParseQuantity(text)) << text;
  }
}

TEST(QuantityTest, WritesTheShortestForm) {
  EXPECT_EQ(QuantityText(300'000), "300k");
  EXPECT_EQ(QuantityText(2'700'000), "2.7M");
  EXPECT_EQ(QuantityText(12'345), "12345");
  EXPECT_EQ(QuantityText(999), "999");
}

TEST(SweepNameTest, HoldsOneToSixtyFourPlainCharacters) {
  EXPECT_TRUE(IsSweepName("a.B_9-"));
  EXPECT_TRUE(IsSweepName(std::string(64, 'x')));
  EXPECT_FALSE(IsSweepName(std::string(65, 'x')));
  EXPECT_FALSE(IsSweepName(""));
  EXPECT_FALSE(IsSweepName("a b"));
  EXPECT_FALSE(IsSweepName("a/b"));
}

TEST(PeakLearningRateTest, FollowsTheRuleInNAndD) {
  const LearningRate rule{.c = 4.4e-3, .n = -0.45, .d = 0.25, .at = {}};
  EXPECT_DOUBLE_EQ(PeakLearningRate(rule, 100'000, 1'000'000), 4.4e-3);
  // 4.4e-3 * 4^-0.45 * 16^0.25, worked out by hand to six digits.
  EXPECT_DOUBLE_EQ(PeakLearningRate(rule, 400'000, 16'000'000), 4.71580e-3);
  EXPECT_EQ(PeakLearningRate({.c = 0.123456789, .n = 0, .d = 0, .at = {}}, 7, 7), 0.123456789);
}

}  // namespace
}  // namespace etude
