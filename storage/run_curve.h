// A run's curve, read along its path: segment by segment, attempt by attempt.
#ifndef ETUDE_STORAGE_RUN_CURVE_H_
#define ETUDE_STORAGE_RUN_CURVE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/scaling/loss_point.h"
#include "lib/scaling/run.h"
#include "storage/sqlite.h"

namespace etude {

// One attempt's share of one segment: points of (job, attempt) with from < step <= to.
struct PathPart {
  int ordinal = 0;
  std::int64_t job = 0;  // the job's number
  int attempt = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
};

// By (ordinal, attempt); empty while nothing of the run was leased.
absl::StatusOr<std::vector<PathPart>> PathOf(Database& database, const RunKey& run);

// The newest point of a series.
absl::StatusOr<std::optional<LossPoint>> LastPoint(Database& database,
                                                   const std::vector<PathPart>& path,
                                                   Series series);

// As ResultsReader::Curve. Where two attempts have the same (step, series), which only an
// evaluation that was cut short leaves behind, the newer one's counts.
absl::StatusOr<std::vector<LossPoint>> CurveOf(Database& database,
                                               const std::vector<PathPart>& path,
                                               const std::vector<Series>& series,
                                               std::int64_t after_step, int limit);

// Every series but the sealed test loss.
std::vector<Series> OpenSeries();

}  // namespace etude

#endif  // ETUDE_STORAGE_RUN_CURVE_H_
