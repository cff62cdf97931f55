#include "lib/scaling/worker.h"

#include "lib/scaling/names.h"

namespace etude {
namespace {

constexpr NameTable<WorkerState, 4> kStates = {{WorkerState::kOnline, "online"},
                                               {WorkerState::kDraining, "draining"},
                                               {WorkerState::kQuarantined, "quarantined"},
                                               {WorkerState::kOffline, "offline"}};

}  // namespace

std::string_view WorkerStateName(WorkerState state) { return NameIn(kStates, state); }
std::optional<WorkerState> WorkerStateFromName(std::string_view name) {
  return ValueIn(kStates, name);
}

}  // namespace etude
