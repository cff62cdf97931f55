#include "lib/scaling/trunk.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace etude {

std::int64_t CooldownStart(const ScheduleConfig& schedule, std::int64_t steps) {
  if (schedule.kind != ScheduleKind::kWsd) return steps + 1;
  const auto length =
      static_cast<std::int64_t>(std::llround(schedule.cooldown * static_cast<double>(steps)));
  return steps + 1 - length;
}

std::int64_t BranchStep(const RunConfig& config) {
  if (config.schedule.kind == ScheduleKind::kCosine) return 0;
  return std::min(CooldownStart(config.schedule, config.steps), config.steps) - 1;
}

bool ShareTrunk(const RunConfig& a, const RunConfig& b) {
  return BranchStep(a) > 0 && BranchStep(b) > 0 && a.model == b.model && a.corpus == b.corpus &&
         a.batch == b.batch && a.stride == b.stride && a.unique_tokens == b.unique_tokens &&
         a.train_tokens == b.train_tokens && a.seed == b.seed && a.lr == b.lr &&
         a.optimizer == b.optimizer && a.schedule.kind == b.schedule.kind &&
         a.schedule.warmup_steps == b.schedule.warmup_steps && a.kernels == b.kernels &&
         a.threads == b.threads && a.eval == b.eval;
}

std::uint64_t TrunkHash(const RunConfig& config) {
  constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // of Fibonacci hashing
  std::uint64_t hash = 0;
  const auto add = [&hash](std::uint64_t value) {
    hash = std::rotl((hash ^ value) * kMultiplier, 29);
  };
  add(static_cast<std::uint64_t>(config.model.family));
  add(static_cast<std::uint64_t>(config.model.layers));
  add(static_cast<std::uint64_t>(config.model.width));
  add(static_cast<std::uint64_t>(config.model.heads));
  add(static_cast<std::uint64_t>(config.unique_tokens));
  add(static_cast<std::uint64_t>(config.batch));
  add(config.seed);
  add(std::bit_cast<std::uint64_t>(config.lr));
  return hash;
}

}  // namespace etude
