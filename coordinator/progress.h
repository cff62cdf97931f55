// How a sweep stands: what is stored of its runs, joined with what the scheduler knows of them now.
#ifndef ETUDE_COORDINATOR_PROGRESS_H_
#define ETUDE_COORDINATOR_PROGRESS_H_

#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/core.h"
#include "lib/scaling/training_rate.h"
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

// What estimates of time rest on.
struct Capacity {
  TrainingRates rates;
  std::map<std::string, int> slots;  // of the workers online, by worker kind
};
absl::StatusOr<Capacity> CapacityOf(Core& core);

// Of a sweep's runs that are not terminal. Evaluation is left out; negative: not known.
struct TimeLeft {
  double eta_s = -1;    // on as many slots as train now, at the mean of the online slots' rates
  double least_s = -1;  // no order of jobs on the online slots, at their best rates, takes less
};

// Of an ended sweep's runs, those apart that had ended when it was submitted; negative: none ran.
struct Makespan {
  double seconds = -1;  // from the first attempt's start to the last one's end
  // What the runs' own measured seconds allow on as many slots as ever trained at once.
  double least_s = -1;
};

struct SweepProgress {
  Sweep sweep;
  RunCounts counts;
  std::vector<RunProgress> runs;  // in the order of the spec
  TimeLeft left;
  Makespan makespan;  // once it has ended
};

RunCounts CountStates(std::span<const RunStanding> standings);

// The larger of all work shared by the slots and of the longest path, which is what is left of one
// run and of its trunk before it; first of the runs to fit, then of those that `sweep` holds out.
// {0, 0} when every run is terminal.
TimeLeft EstimateTimeLeft(std::span<const RunStanding> standings, const Sweep& sweep,
                          const Capacity& capacity);

// `spans` as ResultsReader::SpansOf gives them.
Makespan MeasureMakespan(std::span<const RunStanding> standings, const Sweep& sweep,
                         std::span<const AttemptSpan> spans);

// Standings joined with the scheduler's view, taken at one moment. `sweep`: which holds some out.
absl::StatusOr<std::vector<RunProgress>> JoinProgress(Core& core,
                                                      std::vector<RunStanding> standings,
                                                      const Sweep& sweep);

// `text` as in ResultsReader::FindSweep; its errors.
absl::StatusOr<SweepProgress> ProgressOf(Core& core, ResultsReader& reader,
                                         const std::string& text);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_PROGRESS_H_
