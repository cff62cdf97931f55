#include "coordinator/forecaster.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "lib/base/log.h"
#include "lib/base/status.h"
#include "lib/scaling/forecast.h"

namespace etude {

absl::Status ForecastSweep(Core& core, ResultsReader& reader, const SweepId& id) {
  ASSIGN_OR_RETURN(const Sweep sweep, reader.FindSweep(id.text()));
  ASSIGN_OR_RETURN(std::vector<RunStanding> standings, reader.Standings(id));
  std::vector<Run> fit_runs;
  std::vector<Run> held_out;
  for (RunStanding& standing : standings) {
    const bool is_held_out = sweep.HoldsOut(standing.run.key);
    (is_held_out ? held_out : fit_runs).push_back(std::move(standing.run));
  }
  const Forecast forecast = MakeForecast(id, fit_runs, held_out);
  RETURN_IF_ERROR(core.Freeze(forecast));
  LogInfo(fmt::format("sweep {}: {} predictions frozen, {} runs not predicted", sweep.name,
                      forecast.predictions.size(), forecast.unpredicted.size()));
  return absl::OkStatus();
}

Forecaster::Forecaster(Core& core, ResultsReader& reader)
    : core_(core), reader_(reader), thread_([this] { Run(); }) {}

void Forecaster::Run() {
  absl::Duration pause = absl::ZeroDuration();
  while (!core_.AwaitStop(pause)) {
    const std::uint64_t seen = core_.commits();
    if (ForecastAll()) {
      core_.AwaitCommit(seen, kForecastRetry);
      pause = kForecastLook;
    } else {
      pause = kForecastRetry;
    }
  }
}

bool Forecaster::ForecastAll() {
  std::vector<SweepId> awaiting;
  const absl::Status looked = core_.Inspect(
      [&](const Scheduler& scheduler, const Moment&) { awaiting = scheduler.AwaitingForecast(); });
  if (!looked.ok()) return false;
  bool fine = true;
  for (const SweepId& sweep : awaiting) {
    const absl::Status status = ForecastSweep(core_, reader_, sweep);
    // Somebody cancelled it meanwhile.
    if (status.ok() || status.code() == absl::StatusCode::kFailedPrecondition) continue;
    LogWarning("forecast of sweep " + sweep.Short() + ": " + status.ToString());
    fine = false;
  }
  return fine;
}

}  // namespace etude
