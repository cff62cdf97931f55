#include "tests/sim/planted_store.h"

namespace etude {
namespace {

constexpr std::int64_t kBeyondEveryStep = 1'000'000;

}  // namespace

absl::Status PlantedStore::Commit(std::span<const Change> changes) {
  if (bug_ == PlantedBug::kNone) return store_->Commit(changes);
  Changes spoiled;
  for (const Change& change : changes) Spoil(change, spoiled);
  return store_->Commit(spoiled);
}

void PlantedStore::Spoil(const Change& change, Changes& spoiled) {
  if (const auto* points = std::get_if<PointsAdded>(&change)) return Spoil(*points, spoiled);
  const bool checkpoint = std::holds_alternative<CheckpointAdded>(change);
  if (checkpoint && bug_ == PlantedBug::kForgetsCheckpoints) return;
  spoiled.push_back(change);
  if (const auto* ended = std::get_if<AttemptEnded>(&change)) live_.erase(ended->job);
  if (const auto* started = std::get_if<AttemptStarted>(&change)) {
    live_[started->attempt.job] = started->attempt.number;
    if (bug_ == PlantedBug::kKeepsLaterPoints) TakeOver(started->attempt, spoiled);
  }
}

// The real store removes earlier attempts' points, so they stay under the new one's number.
void PlantedStore::TakeOver(const Attempt& attempt, Changes& spoiled) const {
  PointsAdded kept{attempt.job, attempt.number, {}};
  const auto reported = reported_.find(attempt.job);
  if (reported == reported_.end()) return;
  for (const LossPoint& point : reported->second) {
    if (point.step > attempt.start_step) kept.points.push_back(point);
  }
  spoiled.push_back(std::move(kept));
}

// A stale attempt's points go to the one that lives, for the real store would refuse them; a second
// row of one point goes beyond every step, for the real table has no place for it.
void PlantedStore::Spoil(PointsAdded points, Changes& spoiled) {
  if (bug_ == PlantedBug::kAcceptsStalePoints) {
    const auto live = live_.find(points.job);
    if (live == live_.end()) return;
    points.attempt = live->second;
  }
  for (LossPoint& point : points.points) {
    reported_[points.job].push_back(point);
    const bool first = seen_.emplace(points.job, points.attempt, point.series, point.step).second;
    if (!first && bug_ == PlantedBug::kKeepsRepeatedPoints) point.step += kBeyondEveryStep;
  }
  spoiled.push_back(std::move(points));
}

}  // namespace etude
