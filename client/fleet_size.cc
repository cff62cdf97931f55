#include "client/fleet_size.h"

#include <algorithm>
#include <cmath>

namespace etude {
namespace {

bool IsLive(const FleetMember& member) {
  return member.state == FleetMember::State::kWaiting ||
         member.state == FleetMember::State::kRunning;
}

int CeilOfRatio(double a, double b) {
  return static_cast<int>(std::min(std::ceil(a / b), static_cast<double>(kMaxFleetWorkers)));
}

// Moves up to `count` of `from` to the back of `to`, those that only wait first, then the last.
void MoveSome(int count, std::vector<FleetMember>& from, std::vector<FleetMember>& to,
              bool waiting_alone) {
  for (const bool waiting : {true, false}) {
    if (!waiting && waiting_alone) return;
    for (auto at = from.end(); at != from.begin() && count > 0;) {
      --at;
      if ((at->state == FleetMember::State::kWaiting) != waiting) continue;
      to.push_back(*at);
      at = from.erase(at);
      --count;
    }
  }
}

}  // namespace

int WantedWorkers(const FleetSpec& spec, const FleetDemand& demand) {
  const int jobs = demand.queued_jobs + demand.fleet_jobs;
  int slots = CeilOfRatio(demand.work_s, absl::ToDoubleSeconds(spec.finish_in));
  if (demand.has_unmeasured) slots = std::max(slots, 1);
  slots = std::min(slots, jobs);
  return std::clamp(CeilOfRatio(slots, spec.worker.slots), spec.min, spec.max);
}

FleetStep NextFleetStep(const FleetSpec& spec, int wanted,
                        const std::vector<FleetMember>& members) {
  std::vector<FleetMember> staying;
  std::vector<FleetMember> others;
  for (const FleetMember& member : members) {
    if (IsLive(member)) (member.stays ? staying : others).push_back(member);
  }
  FleetStep step;
  MoveSome(static_cast<int>(staying.size()) - spec.min, staying, step.stop, false);
  const int all = static_cast<int>(staying.size() + others.size());
  MoveSome(all - spec.max, others, step.stop, false);
  MoveSome(static_cast<int>(staying.size() + others.size()) - wanted, others, step.stop, true);
  step.start_staying = std::max(0, spec.min - static_cast<int>(staying.size()));
  step.start_others =
      std::max(0, wanted - static_cast<int>(staying.size() + others.size()) - step.start_staying);
  return step;
}

}  // namespace etude
