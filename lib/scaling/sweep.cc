#include "lib/scaling/sweep.h"

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<SweepState, 3> kStates = {{SweepState::kActive, "active"},
                                              {SweepState::kFinished, "finished"},
                                              {SweepState::kCancelled, "cancelled"}};

}  // namespace

std::string_view SweepStateName(SweepState state) { return NameIn(kStates, state); }
std::optional<SweepState> SweepStateFromName(std::string_view name) {
  return ValueIn(kStates, name);
}

}  // namespace etude
