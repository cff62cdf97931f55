// What must hold whatever happens: the promises of DESIGN.md section 7 and the invariants of
// ARCHITECTURE.md, checked against what was stored, what was answered and what trainers did.
#ifndef ETUDE_TESTS_SIM_ORACLE_H_
#define ETUDE_TESTS_SIM_ORACLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/scheduler.h"
#include "storage/change.h"
#include "storage/sqlite.h"
#include "tests/sim/stored_facts.h"
#include "tests/sim/trace.h"

namespace etude {

// What one Commit took, and when it was decided.
struct CommittedBatch {
  std::vector<Change> changes;
  absl::Duration at;
};

// Remembers the first thing that is wrong; the world stops at it. Not thread-safe.
class Oracle {
 public:
  // `lease`: after how long a silent worker's attempt may be ended.
  Oracle(Trace& trace, absl::Duration lease) : trace_(trace), lease_(lease) {}

  bool violated() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }
  void Violate(const std::string& what);
  // What the durable batches add up to.
  const StoredFacts& facts() const { return facts_; }

  // Of the store.
  void Durable(const CommittedBatch& batch);
  void Refused(const absl::Status& status);  // although its disk was well

  // Of the trainers.
  void Resumed(const JobId& job, std::int64_t start_step, const std::string& weights);
  void Trained(const JobId& job, int attempt, std::int64_t step);
  void LostLog(const JobId& job, int attempt);        // some of it, by a bad disk
  void LostDirectory(const JobId& job, int attempt);  // while it was trained

  // Of the client, before it asks.
  void WillHoldOut(const SweepId& sweep, const std::vector<RunKey>& runs);
  void WillStartAgain() { starts_again_ = true; }  // what has ended

  // Of a worker's request, as it arrives.
  void Asked(const FinishedAttempt& end);

  // Of the answers, as they leave the coordinator. `decided_at`: when it had decided them. The
  // first is of each that was to change something.
  void Answered(absl::Duration decided_at);
  void Leased(const WorkerId& worker, int slot, const Assignment& assignment,
              absl::Duration decided_at);
  void Directed(const WorkerId& worker, const std::vector<Directive>& directives,
                absl::Duration decided_at);
  void Acknowledged(const JobId& job, int attempt, const std::vector<LossPoint>& points);
  void Acknowledged(const Checkpoint& checkpoint);
  void Acknowledged(const FinishedAttempt& end);
  void Submitted(const SweepId& sweep, absl::Duration decided_at);
  void CancelledSweep(const SweepId& sweep, absl::Duration decided_at);

  // Of everything, between batches: the file, and what the scheduler made of it.
  void Audit(Database& stored);
  void Audit(const Scheduler& scheduler, const Moment& now);
  // Once every sweep has ended.
  void AtRest();

 private:
  using AttemptKey = StoredFacts::AttemptKey;

  void Note(const SweepDeleted& change, absl::Duration at);
  void Check(const AttemptStarted& change);
  void Check(const AttemptEnded& change, absl::Duration at);
  void Check(const PointsAdded& change);
  void Check(const CheckpointAdded& change);
  // Nothing of an attempt that a worker ended itself was left behind there.
  void CheckReported(const AttemptKey& key);
  void Check(const RunChanged& change);
  // A run fails by itself or by too many crashes, not by what happened to workers.
  void CheckFailed(const RunKey& run);
  void Check(const JobChanged& change);
  void Check(const SweepChanged& change, absl::Duration at);
  void Note(const SweepAdded& change);
  bool MayTrain(const RunKey& run) const;
  // A later attempt starts before the step, and makes it again.
  bool IsReplaced(const JobId& job, int attempt, std::int64_t step) const;
  bool WasDeleted(const JobId& job, int attempt) const;
  // Of the facts alone.
  void CheckCurves();
  std::string WhyWrong(const StoredFacts::PointKey& key, double value) const;  // empty: it is not
  void CheckSucceeded(const RunKey& run, const StoredFacts::RunFact& fact);

  Trace& trace_;
  const absl::Duration lease_;
  std::string violation_;
  StoredFacts facts_;
  std::map<SweepId, std::vector<RunKey>> sweep_runs_;
  std::map<SweepId, std::set<RunKey>> held_out_;
  std::map<AttemptKey, std::int64_t> trained_;
  std::set<absl::Duration> durable_;  // when durable batches were decided
  bool starts_again_ = false;
  std::map<SweepId, absl::Duration> ended_sweeps_;  // decided so
  std::map<SweepId, absl::Duration> deleted_sweeps_;
  std::map<JobId, int> numbers_;  // the greatest of its attempts, whatever was deleted since
  std::map<AttemptKey, absl::Duration> ended_;  // decided so
  std::set<AttemptKey> lost_logs_;
  std::set<std::pair<AttemptKey, JobOutcome>> asked_;     // to end so
  std::map<AttemptKey, absl::Duration> renewed_;          // last time its worker was told so
  std::map<AttemptKey, std::pair<WorkerId, int>> slots_;  // that were told of a lease
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_ORACLE_H_
