// How a sweep stands: what is stored of its runs, joined with what the scheduler knows of them now.
#ifndef ETUDE_COORDINATOR_PROGRESS_H_
#define ETUDE_COORDINATOR_PROGRESS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core.h"
#include "storage/results_store.h"

namespace etude {

struct RunProgress {
  RunStanding standing;
  WorkerId worker;          // that trains it now
  std::string wait_reason;  // why it waits
  bool held_out = false;    // by the sweep that was asked for
};

struct RunCounts {
  int queued = 0;
  int running = 0;
  int succeeded = 0;
  int failed = 0;
  int cancelled = 0;
};

struct SweepProgress {
  Sweep sweep;
  RunCounts counts;
  std::vector<RunProgress> runs;  // in the order of the spec
  double eta_seconds = 0;         // 0 when ended; negative while not known
};

RunCounts CountStates(std::span<const RunStanding> standings);

// Seconds until the runs that are not terminal are trained by as many slots as train now, those
// that `sweep` holds out after all others; evaluation is left out. A shape trains as fast as it was
// last measured to, else as the planner assumes, corrected by how the measured shapes fared.
// Negative: nothing is measured yet, or nothing runs.
double EstimateSecondsLeft(std::span<const RunStanding> standings, const Sweep& sweep);

// Standings joined with the scheduler's view, taken at one moment. `sweep`: which holds some out.
absl::StatusOr<std::vector<RunProgress>> JoinProgress(Core& core,
                                                      std::vector<RunStanding> standings,
                                                      const Sweep& sweep);

// `text` as in ResultsReader::FindSweep; its errors.
absl::StatusOr<SweepProgress> ProgressOf(Core& core, ResultsReader& reader,
                                         const std::string& text);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_PROGRESS_H_
