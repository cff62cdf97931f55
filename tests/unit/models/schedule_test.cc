#include "lib/models/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/scaling/trunk.h"

namespace etude {
namespace {

ScheduleConfig Make(ScheduleKind kind, std::int64_t warmup, double cooldown = 0.2,
                    double final_fraction = 0.0) {
  return {
      .kind = kind, .warmup_steps = warmup, .cooldown = cooldown, .final_fraction = final_fraction};
}

TEST(ScheduleTest, WarmupRisesLinearlyAndReachesThePeakAtItsLastStep) {
  const ScheduleConfig schedule = Make(ScheduleKind::kConstant, 4);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 1, 100), 0.25);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 3, 100), 0.75);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 4, 100), 1.0);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 100, 100), 1.0);
}

TEST(ScheduleTest, WithoutWarmupTheFirstStepHasThePeak) {
  EXPECT_DOUBLE_EQ(ScheduleFactor(Make(ScheduleKind::kWsd, 0), 1, 100), 1.0);
  EXPECT_DOUBLE_EQ(ScheduleFactor(Make(ScheduleKind::kCosine, 0, 0.2, 0.1), 100, 100), 0.1);
}

TEST(ScheduleTest, WsdCoolsOverItsLastFifthAsOneMinusSqrt) {
  const ScheduleConfig schedule = Make(ScheduleKind::kWsd, 10);
  EXPECT_EQ(CooldownStart(schedule, 100), 81);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 80, 100), 1.0);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 85, 100), 1.0 - std::sqrt(5.0 / 20.0));
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 100, 100), 0.0);
}

TEST(ScheduleTest, CosineIsHalfwayAtHalfTimeAndEndsAtTheFinalFraction) {
  const ScheduleConfig schedule = Make(ScheduleKind::kCosine, 20, 0.2, 0.1);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 20, 120), 1.0);
  EXPECT_NEAR(ScheduleFactor(schedule, 70, 120), 0.1 + 0.9 * 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, 120, 120), 0.1);
}

TEST(ScheduleTest, StepsBeforeTheCooldownDoNotDependOnTheLength) {
  const ScheduleConfig schedule = Make(ScheduleKind::kWsd, 16);
  for (std::int64_t step = 1; step < CooldownStart(schedule, 100); ++step) {
    EXPECT_EQ(ScheduleFactor(schedule, step, 100), ScheduleFactor(schedule, step, 1000)) << step;
  }
}

TEST(ScheduleTest, RunsShorterThanTheirWarmupStayBelowThePeak) {
  for (const ScheduleKind kind :
       {ScheduleKind::kConstant, ScheduleKind::kWsd, ScheduleKind::kCosine}) {
    for (std::int64_t step = 1; step <= 10; ++step) {
      const double factor = ScheduleFactor(Make(kind, 64), step, 10);
      EXPECT_LE(factor, static_cast<double>(step) / 64);
      EXPECT_GE(factor, 0.0);
    }
  }
}

TEST(ScheduleTest, ZeroCooldownNeverCools) {
  EXPECT_DOUBLE_EQ(ScheduleFactor(Make(ScheduleKind::kWsd, 0, 0.0), 50, 50), 1.0);
}

}  // namespace
}  // namespace etude
