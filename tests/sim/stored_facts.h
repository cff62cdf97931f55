// What a results store holds, as plain maps: read from the file, or made from the batches that went
// into it by the words of storage/change.h. The two must be equal.
#ifndef ETUDE_TESTS_SIM_STORED_FACTS_H_
#define ETUDE_TESTS_SIM_STORED_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/change.h"
#include "storage/sqlite.h"

namespace etude {

// A job for people: the beginning of its run's key, and its number.
std::string JobName(const JobId& job);

struct StoredFacts {
  using AttemptKey = std::pair<JobId, int>;
  using PointKey = std::tuple<JobId, int, Series, std::int64_t>;
  struct AttemptFact {
    std::string worker;
    std::int64_t start_step = 0;
    std::optional<JobOutcome> outcome = std::nullopt;
    friend bool operator==(const AttemptFact&, const AttemptFact&) = default;
  };
  struct JobFact {
    RunKey run;
    JobId parent;  // empty: it starts from the beginning
    std::int64_t from = 0;
    std::int64_t to = 0;
    JobState state = JobState::kQueued;
    int attempts = 0;
    friend bool operator==(const JobFact&, const JobFact&) = default;
  };
  struct RunFact {
    RunState state = RunState::kQueued;
    double val_loss = 0;  // of its result; 0 without one
    friend bool operator==(const RunFact&, const RunFact&) = default;
  };
  struct SweepFact {
    SweepState state = SweepState::kActive;
    bool paused = false;
    int priority = 0;
    double weight = 1;
    friend bool operator==(const SweepFact&, const SweepFact&) = default;
  };
  struct CheckpointFact {
    int attempt = 0;
    std::int64_t step = 0;
    friend bool operator==(const CheckpointFact&, const CheckpointFact&) = default;
  };

  std::map<AttemptKey, AttemptFact> attempts;
  std::map<PointKey, double> points;
  std::map<std::pair<JobId, CheckpointKind>, CheckpointFact> checkpoints;
  std::map<JobId, JobFact> jobs;
  std::map<std::pair<JobId, std::int64_t>, CheckpointFact> branch_points;  // by step
  struct PathPart {
    JobId job;
    std::int64_t from = 0;
    std::int64_t to = 0;
    friend bool operator==(const PathPart&, const PathPart&) = default;
  };
  std::map<RunKey, std::vector<PathPart>> paths;
  std::map<RunKey, RunFact> runs;
  std::map<SweepId, SweepFact> sweeps;
  std::map<WorkerId, bool> drained;  // of every worker: whether an operator wants it to be
  std::set<std::pair<SweepId, RunKey>> predicted;
  friend bool operator==(const StoredFacts&, const StoredFacts&) = default;

  void Apply(const Change& change);

  const AttemptFact* Find(const JobId& job, int attempt) const;
  int NewestAttempt(const JobId& job) const;  // 0: none
  bool IsLive(const JobId& job, int attempt) const;
  bool IsOnAPath(const JobId& job) const;  // of some run
  const JobId& LastJobOf(const RunKey& run) const { return paths.at(run).back().job; }
  // The last step of the unbroken row of training points from the job's start, of all attempts.
  std::int64_t TrainedThrough(const JobId& job) const;
};

// Every table of the file. Errors are the database's.
absl::StatusOr<StoredFacts> ReadFacts(Database& database);

// Where the two first differ, in words; empty if they are equal.
std::string DifferenceOf(const StoredFacts& stored, const StoredFacts& expected);

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_STORED_FACTS_H_
