// Freezes the predictions of held-out runs as soon as the runs of their fit have ended.
#ifndef ETUDE_COORDINATOR_FORECASTER_H_
#define ETUDE_COORDINATOR_FORECASTER_H_

#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core.h"
#include "storage/results_store.h"

namespace etude {

// How long after a change the next look may come, and how long after a failure the next try.
inline constexpr absl::Duration kForecastLook = absl::Milliseconds(200);
inline constexpr absl::Duration kForecastRetry = absl::Seconds(5);

// Makes and freezes the forecast of one sweep that awaits one. Errors are the reader's and the
// core's.
absl::Status ForecastSweep(Core& core, ResultsReader& reader, const SweepId& sweep);

// A thread of its own, since a fit takes longer than the core may. It ends when the core stops; the
// destructor waits for that, so stop the core first. What it is given must outlive it.
class Forecaster {
 public:
  Forecaster(Core& core, ResultsReader& reader);

 private:
  void Run();
  bool ForecastAll();  // false: something failed

  Core& core_;
  ResultsReader& reader_;
  std::jthread thread_;
};

}  // namespace etude

#endif  // ETUDE_COORDINATOR_FORECASTER_H_
