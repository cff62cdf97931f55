#include "tests/scenarios/memory_results_store.h"

#include <algorithm>

#include "lib/base/status.h"

namespace etude {

struct MemoryResultsStore::Applier {
  Tables& t;

  absl::Status Fence(const JobId& job, int attempt) const {
    const auto next = t.attempts.find({job, attempt + 1});
    const auto found = t.attempts.find({job, attempt});
    if (found == t.attempts.end() || next != t.attempts.end() || found->second.outcome) {
      return FailedPrecondition("attempt " + std::to_string(attempt) + " of job " + job.text() +
                                " may not write");
    }
    return absl::OkStatus();
  }
  absl::Status AddSegment(const Segment& segment) const {
    if (!t.jobs.contains(segment.job)) return FailedPrecondition("segment without its job");
    t.segments[{segment.run, segment.ordinal}] = segment;
    return absl::OkStatus();
  }

  absl::Status operator()(const CorpusAdded& c) const {
    const auto [known, is_new] = t.corpora.try_emplace(c.corpus.name, c.corpus);
    if (!is_new && known->second.id != c.corpus.id) return AlreadyExists("corpus name");
    return absl::OkStatus();
  }
  absl::Status operator()(const SweepAdded& c) const {
    for (const Sweep& sweep : t.sweeps) {
      if (sweep.id == c.sweep.id || sweep.name == c.sweep.name) return AlreadyExists("sweep");
    }
    for (const Run& run : c.new_runs) {
      if (!t.runs.try_emplace(run.key, run).second) return AlreadyExists("run");
    }
    for (const Job& job : c.new_jobs) {
      if (!t.jobs.try_emplace(job.id, job).second) return AlreadyExists("job");
    }
    for (const Segment& segment : c.new_segments) RETURN_IF_ERROR(AddSegment(segment));
    for (const RunKey& run : c.sweep.runs) {
      if (!t.runs.contains(run)) return FailedPrecondition("sweep without its run");
    }
    t.sweeps.push_back(c.sweep);
    return absl::OkStatus();
  }
  absl::Status operator()(const RunsAdded& c) const {
    for (const Run& run : c.runs) {
      if (!t.runs.try_emplace(run.key, run).second) return AlreadyExists("run");
    }
    for (const Job& job : c.jobs) {
      if (!t.jobs.try_emplace(job.id, job).second) return AlreadyExists("job");
    }
    for (const Segment& segment : c.paths) {
      if (segment.ordinal == 0) {
        std::erase_if(t.segments,
                      [&](const auto& item) { return item.first.first == segment.run; });
      }
      RETURN_IF_ERROR(AddSegment(segment));
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const SweepChanged& c) const {
    for (Sweep& sweep : t.sweeps) {
      if (sweep.id != c.sweep) continue;
      sweep.state = c.state;
      sweep.reason = c.reason;
      sweep.finished_at_us = c.finished_at_us;
      sweep.paused = c.paused;
      sweep.priority = c.priority;
      sweep.weight = c.weight;
      return absl::OkStatus();
    }
    return FailedPrecondition("no such sweep");
  }
  absl::Status operator()(const SweepDeleted& c) const {
    std::erase_if(t.sweeps, [&](const Sweep& sweep) { return sweep.id == c.sweep; });
    for (const RunKey& run : c.runs) {
      std::erase_if(t.segments, [&](const auto& item) { return item.first.first == run; });
      for (const auto& [id, job] : t.jobs) {
        int& attempts = t.deleted_runs[run];
        if (job.run == run) attempts = std::max(attempts, job.attempts);
      }
      std::erase_if(t.jobs, [&](const auto& item) { return item.second.run == run; });
      t.runs.erase(run);
    }
    const auto is_gone = [this](const JobId& job) { return !t.jobs.contains(job); };
    std::erase_if(t.attempts, [&](const auto& item) { return is_gone(item.first.first); });
    std::erase_if(t.checkpoints, [&](const auto& item) { return is_gone(item.first.first); });
    std::erase_if(t.branch_points, [&](const auto& item) { return is_gone(item.first.first); });
    std::erase_if(t.points, [&](const auto& item) { return is_gone(std::get<0>(item.first)); });
    for (const auto& [key, segment] : t.segments) {
      if (!t.jobs.contains(segment.job)) return FailedPrecondition("a path lost its job");
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const RunChanged& c) const {
    const auto found = t.runs.find(c.run);
    if (found == t.runs.end()) return FailedPrecondition("no such run");
    Run& run = found->second;
    const bool revived = run.state != RunState::kSucceeded && c.state == RunState::kQueued;
    if (IsTerminal(run.state) && !revived) return FailedPrecondition("the run has ended");
    run.state = c.state;
    run.reason = c.reason;
    run.result = c.result;
    run.finished_at_us = c.finished_at_us;
    return absl::OkStatus();
  }
  absl::Status operator()(const JobChanged& c) const {
    const auto found = t.jobs.find(c.job.id);
    if (found == t.jobs.end()) return FailedPrecondition("no such job");
    if (IsTerminal(found->second.state)) return FailedPrecondition("the job has ended");
    found->second = c.job;
    return absl::OkStatus();
  }
  absl::Status operator()(const JobAdded& c) const {
    if (!t.jobs.try_emplace(c.job.id, c.job).second) return AlreadyExists("job");
    std::erase_if(t.segments, [&](const auto& item) { return item.first.first == c.job.run; });
    for (const Segment& segment : c.path) RETURN_IF_ERROR(AddSegment(segment));
    return absl::OkStatus();
  }
  absl::Status operator()(const AttemptStarted& c) const {
    const Attempt& attempt = c.attempt;
    const auto deleted = t.deleted_runs.find(t.jobs.at(attempt.job).run);
    const int attempts_above =
        std::max(t.attempts_above, deleted == t.deleted_runs.end() ? 0 : deleted->second);
    if (attempt.number <= attempts_above) return AlreadyExists("attempt of that number");
    if (attempt.number - 1 > attempts_above) {
      const auto before = t.attempts.find({attempt.job, attempt.number - 1});
      if (before == t.attempts.end() || !before->second.outcome) {
        return FailedPrecondition("the attempt before has not ended");
      }
    }
    if (!t.attempts.try_emplace({attempt.job, attempt.number}, attempt).second) {
      return AlreadyExists("attempt");
    }
    std::erase_if(t.points, [&](const auto& item) {
      return std::get<0>(item.first) == attempt.job && std::get<3>(item.first) > attempt.start_step;
    });
    return absl::OkStatus();
  }
  absl::Status operator()(const AttemptEnded& c) const {
    RETURN_IF_ERROR(Fence(c.job, c.attempt));
    t.attempts[{c.job, c.attempt}].outcome = c.outcome;
    return absl::OkStatus();
  }
  absl::Status operator()(const PointsAdded& c) const {
    RETURN_IF_ERROR(Fence(c.job, c.attempt));
    for (const LossPoint& point : c.points) {
      t.points.try_emplace({c.job, c.attempt, point.series, point.step}, point.value);
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const CheckpointAdded& c) const {
    RETURN_IF_ERROR(Fence(c.checkpoint.job, c.checkpoint.attempt));
    if (c.checkpoint.kind == CheckpointKind::kBranch) {
      t.branch_points[{c.checkpoint.job, c.checkpoint.step}] = c.checkpoint;
    } else {
      t.checkpoints[{c.checkpoint.job, c.checkpoint.kind}] = c.checkpoint;
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const CheckpointLost& c) const {
    if (c.kind == CheckpointKind::kBranch) t.branch_points.erase({c.job, c.step});
    if (c.kind == CheckpointKind::kResume) t.checkpoints.erase({c.job, c.kind});
    return absl::OkStatus();
  }
  absl::Status operator()(const FitAdded& c) const {
    t.fits.insert({c.fit.sweep, c.fit.sha256});
    return absl::OkStatus();
  }
  absl::Status operator()(const PredictionsFrozen& c) const {
    for (const FrozenPrediction& prediction : c.predictions) {
      if (!t.predictions.try_emplace({c.sweep, prediction.run}, prediction).second) {
        return FailedPrecondition("a prediction is frozen already");
      }
    }
    return absl::OkStatus();
  }
  absl::Status operator()(const RateMeasured& c) const {
    t.rates[{c.rate.worker_kind, c.rate.pace.text}] = c.rate;
    return absl::OkStatus();
  }
  absl::Status operator()(const WorkerForgotten& c) const {
    t.workers.erase(c.worker);
    return absl::OkStatus();
  }
  absl::Status operator()(const WorkerChanged& c) const {
    t.workers[c.worker.id] = c.worker;
    return absl::OkStatus();
  }
};

absl::Status MemoryResultsStore::Commit(std::span<const Change> changes) {
  Tables tables = tables_;
  for (const Change& change : changes) {
    RETURN_IF_ERROR(std::visit(Applier{tables}, change));
  }
  tables_ = std::move(tables);
  return absl::OkStatus();
}

absl::StatusOr<StoredState> MemoryResultsStore::Load() {
  StoredState state;
  for (const auto& [name, corpus] : tables_.corpora) state.corpora.push_back(corpus);
  state.sweeps = tables_.sweeps;
  for (const auto& [key, run] : tables_.runs) state.runs.push_back(run);
  for (const auto& [id, job] : tables_.jobs) {
    state.jobs.push_back(job);
    if (IsTerminal(job.state)) continue;
    std::int64_t through = 0;
    for (const auto& [point, value] : tables_.points) {
      if (std::get<0>(point) == id && std::get<2>(point) == Series::kTrain) {
        through = std::max(through, std::get<3>(point));
      }
    }
    if (through > 0) state.points_through.push_back({id, through});
    const auto resume = tables_.checkpoints.find({id, CheckpointKind::kResume});
    if (resume != tables_.checkpoints.end()) state.checkpoints.push_back(resume->second);
  }
  for (const auto& [key, point] : tables_.branch_points) state.branch_points.push_back(point);
  for (const auto& [key, segment] : tables_.segments) state.segments.push_back(segment);
  for (const auto& [key, attempt] : tables_.attempts) {
    if (!attempt.outcome) state.live_attempts.push_back(attempt);
  }
  for (const auto& [id, worker] : tables_.workers) state.workers.push_back(worker);
  for (const auto& [key, rate] : tables_.rates) state.rates.push_back(rate);
  for (const auto& [key, prediction] : tables_.predictions) {
    state.predicted.push_back({key.first, key.second});
  }
  for (const auto& [run, attempts] : tables_.deleted_runs) {
    state.deleted_runs.push_back({run, attempts});
  }
  state.attempts_above = tables_.attempts_above;
  return state;
}

std::vector<FrozenPrediction> MemoryResultsStore::PredictionsOf(const SweepId& sweep) const {
  std::vector<FrozenPrediction> predictions;
  for (const auto& [key, prediction] : tables_.predictions) {
    if (key.first == sweep) predictions.push_back(prediction);
  }
  return predictions;
}

std::map<std::pair<Series, std::int64_t>, double> MemoryResultsStore::PointsOf(
    const JobId& job) const {
  std::map<std::pair<Series, std::int64_t>, double> points;
  for (const auto& [key, value] : tables_.points) {
    if (std::get<0>(key) == job) points[{std::get<2>(key), std::get<3>(key)}] = value;
  }
  return points;
}

}  // namespace etude
