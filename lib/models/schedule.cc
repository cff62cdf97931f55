#include "lib/models/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lib/base/status.h"
#include "lib/scaling/trunk.h"

namespace etude {
namespace {

double Between(double final_fraction, double remaining) {
  return final_fraction + (1.0 - final_fraction) * remaining;
}

double Cosine(const ScheduleConfig& schedule, std::int64_t step, std::int64_t steps) {
  const std::int64_t length = steps - schedule.warmup_steps;
  if (length <= 0 || step <= schedule.warmup_steps) return 1.0;
  if (step == steps) return schedule.final_fraction;
  const double t = static_cast<double>(step - schedule.warmup_steps) / static_cast<double>(length);
  return Between(schedule.final_fraction, 0.5 * (1.0 + std::cos(std::numbers::pi * t)));
}

double WarmupStableDecay(const ScheduleConfig& schedule, std::int64_t step, std::int64_t steps) {
  const std::int64_t first = CooldownStart(schedule, steps);
  if (step < first) return 1.0;
  const double length = static_cast<double>(steps - first + 1);
  const double t = static_cast<double>(step - first + 1) / length;
  return Between(schedule.final_fraction, 1.0 - std::sqrt(t));
}

}  // namespace

double ScheduleFactor(const ScheduleConfig& schedule, std::int64_t step, std::int64_t steps) {
  ENSURE(step >= 1 && step <= steps);
  double warmup = 1.0;
  if (step < schedule.warmup_steps) {
    warmup = static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  switch (schedule.kind) {
    case ScheduleKind::kConstant:
      return warmup;
    case ScheduleKind::kWsd:
      return std::min(warmup, WarmupStableDecay(schedule, step, steps));
    case ScheduleKind::kCosine:
      return std::min(warmup, Cosine(schedule, step, steps));
  }
  ENSURE(false);
}

}  // namespace etude
