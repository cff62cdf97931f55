// A coordinator, its store, some workers and a client, on simulated time and wires, from a seed.
#ifndef ETUDE_TESTS_SIM_WORLD_H_
#define ETUDE_TESTS_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "tests/sim/planted_bug.h"

namespace etude {

struct WorldOptions {
  std::uint64_t seed = 1;
  PlantedBug bug = PlantedBug::kNone;
  bool prints = false;  // every line of the trace, on stderr
};

struct WorldEnd {
  std::string violation;  // empty: every promise was kept
  std::uint64_t trace_hash = 0;
  std::string last_lines;                  // of the trace
  absl::Duration elapsed;                  // in the world
  std::map<std::string, int> faults = {};  // how often each kind struck
  struct Tally {
    int succeeded = 0;   // runs
    int predicted = 0;   // held-out runs
    int attempts = 0;    // of them,
    int resumed = 0;     // from a checkpoint
    int superseded = 0;  // by the end of their lease
    int crashed = 0;
  } tally = {};
};

// First everything goes wrong that the seed says; then all is mended, and every sweep must end.
// Files are made below /dev/shm where that is, and removed.
WorldEnd Simulate(const WorldOptions& options);

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_WORLD_H_
