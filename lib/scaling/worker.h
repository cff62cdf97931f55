// A worker: one agent process on one machine, with some slots that each train one job at a time.
#ifndef ETUDE_LIB_SCALING_WORKER_H_
#define ETUDE_LIB_SCALING_WORKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/scaling/ids.h"

namespace etude {

// online while its heartbeats arrive; draining takes no new job; quarantined after failures of
// several jobs in a row.
enum class WorkerState { kOnline, kDraining, kQuarantined, kOffline };
std::string_view WorkerStateName(WorkerState state);
std::optional<WorkerState> WorkerStateFromName(std::string_view name);

struct Worker {
  WorkerId id;
  std::string host;
  std::string device;  // "cpu" or "cuda"
  std::string cpu;     // model name, for people
  std::string software;
  int slots = 1;
  int threads_per_slot = 1;
  std::int64_t memory_bytes = 0;
  WorkerState state = WorkerState::kOnline;
  std::string reason;
  bool drained = false;  // an operator wants it to take no more jobs
  std::int64_t registered_at_us = 0;
  std::int64_t last_seen_at_us = 0;
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_WORKER_H_
