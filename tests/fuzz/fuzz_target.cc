#include "tests/fuzz/fuzz_target.h"

#include <algorithm>

#include "lib/base/status.h"

namespace etude {

std::span<const FuzzTarget* const> FuzzTargets() {
  static constexpr const FuzzTarget* kTargets[] = {&kMidiTarget, &kNpyTarget, &kVocabTarget};
  return kTargets;
}

const FuzzTarget& FuzzTargetOf(std::string_view name) {
  const auto found = std::ranges::find(FuzzTargets(), name, &FuzzTarget::name);
  ENSURE(found != FuzzTargets().end());
  return **found;
}

}  // namespace etude
