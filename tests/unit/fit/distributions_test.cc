#include "lib/scaling/distributions.h"

#include <gtest/gtest.h>

namespace etude {
namespace {

// Expected values: scipy 1.17.1, stats.t.ppf, stats.f.sf, special.betainc, digamma, polygamma.
TEST(DistributionsTest, StudentTQuantilesAreScipys) {
  EXPECT_NEAR(StudentTQuantile(0.975, 1), 12.706204736174694, 1e-9);
  EXPECT_NEAR(StudentTQuantile(0.975, 5), 2.5705818356363146, 1e-10);
  EXPECT_NEAR(StudentTQuantile(0.975, 13), 2.1603686564627913, 1e-10);
  EXPECT_NEAR(StudentTQuantile(0.995, 2), 9.924843200918287, 1e-9);
  EXPECT_NEAR(StudentTQuantile(0.9, 40), 1.3030770526071949, 1e-10);
  EXPECT_NEAR(StudentTQuantile(0.975, 1000), 1.9623390808264083, 1e-10);
  EXPECT_NEAR(StudentTQuantile(0.025, 7), -2.3646242515927844, 1e-10);
  EXPECT_NEAR(StudentTQuantile(0.975, 2.5), 3.5746548420036817, 1e-10);
}

TEST(DistributionsTest, FTailsAreScipys) {
  EXPECT_NEAR(FTail(1, 1, 1), 0.5, 1e-12);
  EXPECT_NEAR(FTail(2.5, 4, 9), 0.11671494271656874, 1e-12);
  EXPECT_NEAR(FTail(4.5, 2, 30), 0.01953663287118414, 1e-13);
  EXPECT_NEAR(FTail(0.3, 7, 3), 0.9141254977479151, 1e-12);
  EXPECT_NEAR(FTail(19.2, 3, 18), 7.680284897919847e-06, 1e-16);
  EXPECT_NEAR(FTail(1.1, 100, 200), 0.283864211032116, 1e-12);
}

TEST(DistributionsTest, IncompleteBetaIsScipys) {
  EXPECT_NEAR(IncompleteBeta(0.5, 0.5, 0.3), 0.36901011956554536, 1e-13);
  EXPECT_NEAR(IncompleteBeta(2, 3, 0.9), 0.9963, 1e-13);
  EXPECT_NEAR(IncompleteBeta(40, 0.5, 0.99), 0.37138602325398434, 1e-12);
  EXPECT_NEAR(IncompleteBeta(1000, 2000, 0.34), 0.7812150911606441, 1e-10);
  EXPECT_EQ(IncompleteBeta(2, 3, 0), 0);
  EXPECT_EQ(IncompleteBeta(2, 3, 1), 1);
}

TEST(DistributionsTest, DigammaAndTrigammaAreScipys) {
  EXPECT_NEAR(Digamma(0.5), -1.9635100260214235, 1e-12);
  EXPECT_NEAR(Digamma(2.5), 0.7031566406452432, 1e-12);
  EXPECT_NEAR(Digamma(30), 3.384438132685525, 1e-12);
  EXPECT_NEAR(Trigamma(0.5), 4.93480220054468, 1e-11);
  EXPECT_NEAR(Trigamma(2.5), 0.4903577561002349, 1e-12);
  EXPECT_NEAR(Trigamma(30), 0.033895060357739946, 1e-13);
}

TEST(DistributionsTest, CdfUndoesTheQuantile) {
  for (const double p : {0.001, 0.2, 0.5, 0.7, 0.999}) {
    EXPECT_NEAR(StudentTCdf(StudentTQuantile(p, 6.5), 6.5), p, 1e-12);
  }
  EXPECT_NEAR(NormalCdf(1.959963984540054), 0.975, 1e-15);
}

}  // namespace
}  // namespace etude
