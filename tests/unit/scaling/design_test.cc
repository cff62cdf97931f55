#include "lib/scaling/design.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace etude {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

std::vector<DesignPoint> Crossed(const std::vector<double>& sizes,
                                 const std::vector<double>& tokens) {
  std::vector<DesignPoint> points;
  for (const double n : sizes) {
    for (const double d : tokens) points.push_back({n, d});
  }
  return points;
}

FamilyDesign Judge(const std::vector<DesignPoint>& points) {
  return JudgeDesign(Family::kTransformer, points);
}

// Expected conditions: numpy.linalg.svd of the Jacobian in centred logarithms, columns of unit
// length.
TEST(DesignTest, CrossedDesignIdentifiesTheJointLaw) {
  const FamilyDesign design = Judge(Crossed({7840, 27968, 105088}, {3e5, 9e5, 2.7e6}));
  const LawVerdict& joint = design.laws[2];
  EXPECT_TRUE(design.identifiable);
  EXPECT_EQ(joint.rank, 5);
  EXPECT_NEAR(joint.condition, 51.245195, 1e-5);
  EXPECT_TRUE(joint.reasons.empty());
  EXPECT_NEAR(design.laws[0].condition, 32.132051, 1e-5);
  EXPECT_NEAR(design.laws[1].condition, 40.293346, 1e-5);
  EXPECT_EQ(design.repair, "");
}

TEST(DesignTest, CourseStudyHasOneDAndRankThreeOfFive) {
  const FamilyDesign design =
      Judge(Crossed({801664, 2678592, 6326016, 21291648, 50417152}, {64e6}));
  EXPECT_FALSE(design.identifiable);
  EXPECT_EQ(design.laws[2].rank, 3);
  EXPECT_THAT(design.laws[2].reasons, ElementsAre("D never varies"));
  EXPECT_TRUE(design.laws[0].identifiable);  // a law in N alone is another matter
  EXPECT_THAT(design.laws[1].reasons, ElementsAre("D never varies"));
  EXPECT_EQ(design.repair,
            "give every size three values of D, such as tokens = [\"7.1M\", \"21M\", \"64M\"]");
}

TEST(DesignTest, ConstantTokensPerParameterIsNotIdentifiable) {
  std::vector<DesignPoint> points;
  for (const double n : {1e4, 3e4, 9e4, 2.7e5, 8.1e5, 2.4e6}) {
    points.push_back({n, std::round(20 * n / 512) * 512});
  }
  const FamilyDesign design = Judge(points);
  EXPECT_FALSE(design.identifiable);
  EXPECT_THAT(design.laws[2].reasons, Contains("D/N is constant"));
}

TEST(DesignTest, TwoSizesAreTooFew) {
  const FamilyDesign design = Judge(Crossed({1e4, 1e5}, {1e5, 3e5, 9e5}));
  EXPECT_FALSE(design.identifiable);
  EXPECT_THAT(design.laws[0].reasons, ElementsAre("two sizes only"));
  EXPECT_THAT(design.laws[2].reasons, Contains("two sizes only"));
  EXPECT_TRUE(design.laws[1].identifiable);
}

TEST(DesignTest, SizesTooCloseTogetherSaySo) {
  const FamilyDesign design = Judge(Crossed({1e5, 1.3e5, 1.6e5}, {1e6}));
  EXPECT_FALSE(design.laws[0].identifiable);
  EXPECT_EQ(design.laws[0].rank, 3);
  EXPECT_NEAR(design.laws[0].condition, 646.475757, 1e-3);
  EXPECT_THAT(design.laws[0].reasons, ElementsAre("N spans only a factor of 1.6"));
}

TEST(DesignTest, RoundingToStepsMakesNoSecondD) {
  const FamilyDesign design = Judge({{1e4, 300'032}, {3e4, 299'520}, {9e4, 300'032}});
  EXPECT_EQ(design.token_counts, 1);
}

TEST(DesignTest, OnePointIdentifiesNothing) {
  const FamilyDesign design = Judge({{1e4, 1e6}});
  for (const LawVerdict& law : design.laws) EXPECT_FALSE(law.identifiable) << law.law;
  EXPECT_EQ(design.laws[2].rank, 1);
  EXPECT_TRUE(std::isinf(design.laws[2].condition));
}

}  // namespace
}  // namespace etude
