#include "coordinator/measured_store.h"

namespace etude {

absl::Status MeasuredStore::Commit(std::span<const Change> changes) {
  const absl::Time started = clock_.MonotonicNow();
  absl::Status status = store_.Commit(changes);
  counts_.commit_seconds.Observe(absl::ToDoubleSeconds(clock_.MonotonicNow() - started));
  if (!status.ok()) {
    counts_.commits_failed.Add();
    return status;
  }
  std::size_t points = 0;
  for (const Change& change : changes) {
    counts_.changes[change.index()].Add();
    if (const auto* added = std::get_if<PointsAdded>(&change)) points += added->points.size();
    if (const auto* ended = std::get_if<AttemptEnded>(&change)) {
      counts_.attempts_ended[static_cast<std::size_t>(ended->outcome)].Add();
    }
  }
  counts_.points.Add(points);
  counts_.batch_changes.Observe(static_cast<double>(changes.size()));
  counts_.batch_points.Observe(static_cast<double>(points));
  return status;
}

}  // namespace etude
