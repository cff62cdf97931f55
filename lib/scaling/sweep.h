// A sweep: what a user submits, expanded to runs. Its state follows from its runs, but for
// cancellation.
#ifndef ETUDE_LIB_SCALING_SWEEP_H_
#define ETUDE_LIB_SCALING_SWEEP_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/scaling/ids.h"

namespace etude {

// active until every run it wants is terminal, then finished; cancelled by request. The last two
// are terminal.
enum class SweepState { kActive, kFinished, kCancelled };
std::string_view SweepStateName(SweepState state);
std::optional<SweepState> SweepStateFromName(std::string_view name);

inline constexpr int kMaxSweepPriority = 100;  // and as much below 0
inline constexpr double kMinSweepWeight = 0.01;
inline constexpr double kMaxSweepWeight = 100;

struct Sweep {
  SweepId id;
  std::string name;
  CorpusId corpus;
  std::string spec_toml;      // as submitted
  std::string resolved_json;  // canonical, every default explicit; its hash is the id
  std::vector<RunKey> runs;   // in the order of the spec, the held-out ones last
  // Of [[holdout]]: never part of a fit, and trained once their predictions are frozen.
  std::vector<RunKey> held_out = {};
  int max_failed_runs = 5;  // the sweep stops leasing once more runs have failed
  double max_hours = 24.0;  // of worker time
  SweepState state = SweepState::kActive;
  std::string reason;
  bool paused = false;  // leases nothing until it is resumed
  int priority = 0;     // sweeps of a higher one lease first
  double weight = 1;    // its share of the slots, among sweeps of its priority
  std::int64_t created_at_us = 0;
  std::int64_t finished_at_us = 0;

  bool HoldsOut(const RunKey& run) const {
    return std::find(held_out.begin(), held_out.end(), run) != held_out.end();
  }
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SWEEP_H_
