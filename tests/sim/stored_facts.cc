#include "tests/sim/stored_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "lib/base/status.h"

namespace etude {
namespace {

using Facts = StoredFacts;

struct Applier {
  Facts& facts;

  void Add(const Job& job) const {
    facts.jobs[job.id] = {job.run, job.parent, job.from, job.to, job.state, job.attempts};
  }
  void Add(const Segment& segment) const {
    facts.paths[segment.run].push_back({segment.job, segment.from, segment.to});
  }
  void operator()(const CorpusAdded&) const {}
  void operator()(const SweepAdded& c) const {
    for (const Run& run : c.new_runs) facts.runs[run.key] = {run.state, 0};
    for (const Job& job : c.new_jobs) Add(job);
    for (const Segment& segment : c.new_segments) Add(segment);
    facts.sweeps[c.sweep.id] = {c.sweep.state, c.sweep.paused, c.sweep.priority, c.sweep.weight};
  }
  void operator()(const SweepChanged& c) const {
    facts.sweeps[c.sweep] = {c.state, c.paused, c.priority, c.weight};
  }
  void operator()(const SweepDeleted& c) const {
    facts.sweeps.erase(c.sweep);
    std::erase_if(facts.predicted, [&](const auto& item) { return item.first == c.sweep; });
    for (const RunKey& run : c.runs) {
      facts.runs.erase(run);
      facts.paths.erase(run);
      std::erase_if(facts.jobs, [&](const auto& item) { return item.second.run == run; });
    }
    const auto is_gone = [this](const JobId& job) { return !facts.jobs.contains(job); };
    const auto gone = [&](const auto& item) { return is_gone(item.first.first); };
    std::erase_if(facts.attempts, gone);
    std::erase_if(facts.checkpoints, gone);
    std::erase_if(facts.branch_points, gone);
    std::erase_if(facts.points, [&](const auto& item) { return is_gone(std::get<0>(item.first)); });
    for (auto& [id, job] : facts.jobs) {
      if (!job.parent.empty()) ENSURE(facts.jobs.contains(job.parent));
    }
  }
  void operator()(const RunsAdded&) const { ENSURE(!"no world imports sweeps"); }
  void operator()(const RunChanged& c) const {
    Facts::RunFact& run = facts.runs[c.run];
    if (run.state == RunState::kSucceeded) return;
    run = {c.state, c.result ? c.result->val_loss : run.val_loss};
  }
  void operator()(const JobChanged& c) const {
    Add(c.job);
    if (IsTerminal(c.job.state)) facts.checkpoints.erase({c.job.id, CheckpointKind::kResume});
  }
  void operator()(const JobAdded& c) const {
    Add(c.job);
    facts.paths.erase(c.job.run);
    for (const Segment& segment : c.path) Add(segment);
    std::erase_if(facts.checkpoints, [&](const auto& item) {
      const JobId& job = item.first.first;
      return facts.jobs.at(job).run == c.job.run && !facts.IsOnAPath(job);
    });
  }
  void operator()(const AttemptStarted& c) const {
    const Attempt& attempt = c.attempt;
    std::erase_if(facts.points, [&](const auto& item) {
      const auto& [job, number, series, step] = item.first;
      return job == attempt.job && number < attempt.number && step > attempt.start_step;
    });
    std::erase_if(facts.checkpoints, [&](const auto& item) {
      return item.first.first == attempt.job && item.second.step > attempt.start_step;
    });
    facts.attempts[{attempt.job, attempt.number}] = {attempt.worker.text(), attempt.start_step};
    int& attempts = facts.jobs[attempt.job].attempts;
    attempts = std::max(attempts, attempt.number);
  }
  void operator()(const AttemptEnded& c) const {
    facts.attempts[{c.job, c.attempt}].outcome = c.outcome;
  }
  void operator()(const PointsAdded& c) const {
    for (const LossPoint& point : c.points) {
      facts.points.try_emplace({c.job, c.attempt, point.series, point.step}, point.value);
    }
  }
  void operator()(const CheckpointAdded& c) const {
    const Checkpoint& added = c.checkpoint;
    if (added.kind == CheckpointKind::kBranch) {
      facts.branch_points[{added.job, added.step}] = {added.attempt, added.step};
      return;
    }
    Facts::CheckpointFact& fact = facts.checkpoints[{added.job, added.kind}];
    if (added.step >= fact.step) fact = {added.attempt, added.step};
  }
  void operator()(const CheckpointLost& c) const { facts.checkpoints.erase({c.job, c.kind}); }
  void operator()(const WorkerChanged& c) const { facts.drained[c.worker.id] = c.worker.drained; }
  void operator()(const WorkerForgotten& c) const { facts.drained.erase(c.worker); }
  void operator()(const FitAdded&) const {}
  void operator()(const RateMeasured&) const {}
  void operator()(const PredictionsFrozen& c) const {
    for (const FrozenPrediction& one : c.predictions) facts.predicted.insert({c.sweep, one.run});
  }
};

// Calls `take` for every row.
template <typename Take>
absl::Status ForEachRow(Database& database, const char* sql, Take take) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(sql));
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return absl::OkStatus();
    take(rows);
  }
}

constexpr char kPoints[] =
    "SELECT j.id, p.attempt, p.series, p.step, p.value FROM loss_points p "
    "JOIN jobs j ON j.number = p.job ORDER BY p.job, p.attempt, p.series, p.step";
constexpr char kAttempts[] =
    "SELECT j.id, a.number, a.worker, a.start_step, a.outcome FROM attempts a "
    "JOIN jobs j ON j.number = a.job ORDER BY a.job, a.number";
constexpr char kCheckpoints[] =
    "SELECT j.id, c.kind, c.attempt, c.step FROM checkpoints c JOIN jobs j ON j.number = c.job "
    "ORDER BY c.job, c.kind";

constexpr char kBranchPoints[] =
    "SELECT j.id, b.step, b.attempt FROM branch_points b JOIN jobs j ON j.number = b.job "
    "ORDER BY b.job, b.step";

absl::Status ReadAttempts(Database& database, Facts& facts) {
  RETURN_IF_ERROR(ForEachRow(database, kPoints, [&](const Statement& row) {
    const Series series = SeriesFromNumber(row.Int(2)).value();
    facts.points[{JobId(row.Text(0)), row.Int(1), series, row.Integer(3)}] = row.Real(4);
  }));
  RETURN_IF_ERROR(ForEachRow(database, kAttempts, [&](const Statement& row) {
    Facts::AttemptFact& fact = facts.attempts[{JobId(row.Text(0)), row.Int(1)}];
    fact = {row.Text(2), row.Integer(3)};
    if (!row.IsNull(4)) fact.outcome = JobOutcomeFromName(row.Text(4)).value();
  }));
  RETURN_IF_ERROR(ForEachRow(database, kBranchPoints, [&](const Statement& row) {
    facts.branch_points[{JobId(row.Text(0)), row.Integer(1)}] = {row.Int(2), row.Integer(1)};
  }));
  return ForEachRow(database, kCheckpoints, [&](const Statement& row) {
    const CheckpointKind kind = CheckpointKindFromName(row.Text(1)).value();
    facts.checkpoints[{JobId(row.Text(0)), kind}] = {row.Int(2), row.Integer(3)};
  });
}

constexpr char kJobs[] =
    "SELECT j.id, j.run, p.id, j.from_step, j.to_step, j.state, j.attempts FROM jobs j "
    "LEFT JOIN jobs p ON p.number = j.parent ORDER BY j.number";
constexpr char kPaths[] =
    "SELECT s.run, j.id, s.from_step, s.to_step FROM segments s JOIN jobs j ON j.number = s.job "
    "ORDER BY s.run, s.ordinal";
constexpr char kRuns[] = "SELECT key, state, has_result, val_loss FROM runs ORDER BY number";
constexpr char kSweeps[] = "SELECT id, state, paused, priority, weight FROM sweeps ORDER BY number";
constexpr char kWorkers[] = "SELECT id, drained FROM workers ORDER BY id";
constexpr char kPredictions[] = "SELECT sweep, run FROM predictions ORDER BY sweep, run";

absl::Status ReadRuns(Database& database, Facts& facts) {
  RETURN_IF_ERROR(ForEachRow(database, kJobs, [&](const Statement& row) {
    facts.jobs[JobId(row.Text(0))] = {RunKey(row.Text(1)),
                                      JobId(row.Text(2)),
                                      row.Integer(3),
                                      row.Integer(4),
                                      JobStateFromName(row.Text(5)).value(),
                                      row.Int(6)};
  }));
  RETURN_IF_ERROR(ForEachRow(database, kPaths, [&](const Statement& row) {
    facts.paths[RunKey(row.Text(0))].push_back(
        {JobId(row.Text(1)), row.Integer(2), row.Integer(3)});
  }));
  RETURN_IF_ERROR(ForEachRow(database, kRuns, [&](const Statement& row) {
    facts.runs[RunKey(row.Text(0))] = {RunStateFromName(row.Text(1)).value(),
                                       row.Integer(2) == 1 ? row.Real(3) : 0};
  }));
  RETURN_IF_ERROR(ForEachRow(database, kSweeps, [&](const Statement& row) {
    facts.sweeps[SweepId(row.Text(0))] = {SweepStateFromName(row.Text(1)).value(), row.Int(2) == 1,
                                          row.Int(3), row.Real(4)};
  }));
  RETURN_IF_ERROR(ForEachRow(database, kWorkers, [&](const Statement& row) {
    facts.drained[WorkerId(row.Text(0))] = row.Int(1) == 1;
  }));
  return ForEachRow(database, kPredictions, [&](const Statement& row) {
    facts.predicted.insert({SweepId(row.Text(0)), RunKey(row.Text(1))});
  });
}

std::string Text(const Facts::AttemptKey& key) {
  return fmt::format("{}#{}", JobName(key.first), key.second);
}
std::string Text(const Facts::PointKey& key) {
  const auto& [job, attempt, series, step] = key;
  return fmt::format("{} of step {} of {}", SeriesName(series), step,
                     Text(Facts::AttemptKey(job, attempt)));
}
std::string Text(const std::pair<JobId, std::int64_t>& key) {
  return fmt::format("step {} of job {}", key.second, JobName(key.first));
}
std::string Text(const std::pair<JobId, CheckpointKind>& key) {
  return fmt::format("{} checkpoint of job {}", CheckpointKindName(key.second), JobName(key.first));
}
template <typename Noun>
std::string Text(const Id<Noun>& id) {
  return id.Short();
}

template <typename Map>
std::string Difference(const std::string& what, const Map& stored, const Map& expected) {
  for (const auto& [key, value] : expected) {
    const auto found = stored.find(key);
    if (found == stored.end()) return what + " is missing: " + Text(key);
    if (!(found->second == value)) return what + " is not as committed: " + Text(key);
  }
  for (const auto& [key, value] : stored) {
    if (!expected.contains(key)) return what + " was never committed: " + Text(key);
  }
  return "";
}

}  // namespace

std::string JobName(const JobId& job) {
  return job.text().substr(0, 4) + job.text().substr(job.text().find('.'));
}

void StoredFacts::Apply(const Change& change) { std::visit(Applier{*this}, change); }

const StoredFacts::AttemptFact* StoredFacts::Find(const JobId& job, int attempt) const {
  const auto found = attempts.find({job, attempt});
  return found == attempts.end() ? nullptr : &found->second;
}

int StoredFacts::NewestAttempt(const JobId& job) const {
  const auto after = attempts.lower_bound({job, std::numeric_limits<int>::max()});
  if (after == attempts.begin() || std::prev(after)->first.first != job) return 0;
  return std::prev(after)->first.second;
}

bool StoredFacts::IsLive(const JobId& job, int attempt) const {
  const AttemptFact* fact = Find(job, attempt);
  return fact != nullptr && !fact->outcome && NewestAttempt(job) == attempt;
}

bool StoredFacts::IsOnAPath(const JobId& job) const {
  return std::any_of(paths.begin(), paths.end(), [&](const auto& path) {
    return std::any_of(path.second.begin(), path.second.end(),
                       [&](const PathPart& part) { return part.job == job; });
  });
}

std::int64_t StoredFacts::TrainedThrough(const JobId& job) const {
  std::set<std::int64_t> steps;
  for (auto it = points.lower_bound({job, 0, Series::kTrain, 0});
       it != points.end() && std::get<0>(it->first) == job; ++it) {
    if (std::get<2>(it->first) == Series::kTrain) steps.insert(std::get<3>(it->first));
  }
  std::int64_t through = jobs.at(job).from;
  while (steps.contains(through + 1)) ++through;
  return through;
}

absl::StatusOr<StoredFacts> ReadFacts(Database& database) {
  StoredFacts facts;
  RETURN_IF_ERROR(ReadAttempts(database, facts));
  RETURN_IF_ERROR(ReadRuns(database, facts));
  return facts;
}

std::string DifferenceOf(const StoredFacts& stored, const StoredFacts& expected) {
  if (stored == expected) return "";
  for (const std::string& difference :
       {Difference("a point", stored.points, expected.points),
        Difference("an attempt", stored.attempts, expected.attempts),
        Difference("a checkpoint", stored.checkpoints, expected.checkpoints),
        Difference("a branch point", stored.branch_points, expected.branch_points),
        Difference("a job", stored.jobs, expected.jobs),
        Difference("a path", stored.paths, expected.paths),
        Difference("a run", stored.runs, expected.runs),
        Difference("a sweep", stored.sweeps, expected.sweeps),
        Difference("a worker", stored.drained, expected.drained)}) {
    if (!difference.empty()) return difference;
  }
  return "a prediction differs";
}

}  // namespace etude
