// The coordinator's process: the real scheduler behind a stand-in for Core without its thread and
// its waiting, so that a batch takes simulated time and a crash may come at any moment of it.
#ifndef ETUDE_TESTS_SIM_SIM_COORDINATOR_H_
#define ETUDE_TESTS_SIM_SIM_COORDINATOR_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/scheduler.h"
#include "tests/sim/dice.h"
#include "tests/sim/journaled_store.h"
#include "tests/sim/oracle.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace etude {

// Calls are Core's; `done` may run at once. While it does not run, every call is answered with
// kUnavailable. Not thread-safe.
class SimCoordinator {
 public:
  template <typename Result>
  using Done = std::function<void(Result)>;
  using Directives = absl::StatusOr<std::vector<Directive>>;
  using HeartbeatReply = absl::StatusOr<Scheduler::HeartbeatReply>;
  // What somebody asks of the scheduler.
  using Request = std::function<absl::Status(Scheduler&, const Moment&, Scheduler::Changes&)>;
  struct CommitTime {
    absl::Duration shortest = absl::Milliseconds(1);
    absl::Duration longest = absl::Milliseconds(8);
  };

  SimCoordinator(const SchedulerOptions& options, Timeline& timeline, SimClock& clock,
                 JournaledStore& store, Oracle& oracle, Trace& trace, const Dice& dice,
                 PlantedBug bug);

  // A new process; it reads the store, again and again if it must.
  void Start();
  // Nothing that waits is answered. The caller lets the store crash.
  void Crash();
  // SIGSTOP and SIGCONT: what arrives meanwhile waits.
  void Pause();
  void Continue();
  bool running() const { return running_; }
  bool disk_full() const { return store_.full(); }
  bool busy() const { return busy_; }  // a commit is under way
  void set_commit_time(const CommitTime& time) { commit_time_ = time; }
  // Runs `action` in the middle of the next commit, when its batch is written and not yet durable.
  void InNextCommit(std::function<void()> action) { in_commit_ = std::move(action); }

  // Every run that has not ended, and why it waits, for people.
  std::string Waits();

  void Register(const Worker& worker, const std::vector<HeldAttempt>& held,
                const Done<Directives>& done);
  void Heartbeat(const WorkerId& worker, const std::vector<HeldAttempt>& held, bool draining,
                 const Done<HeartbeatReply>& done);
  struct AcquireCall {
    WorkerId worker;
    int slot = 0;
    absl::Duration wait;
    std::shared_ptr<bool> gone;
  };
  void Acquire(const AcquireCall& call, const Done<absl::StatusOr<Scheduler::Acquired>>& done);
  void AddPoints(const WorkerId& worker, const JobId& job, int attempt,
                 const std::vector<LossPoint>& points, const Done<absl::StatusOr<bool>>& done);
  void CommitCheckpoint(const WorkerId& worker, const Checkpoint& checkpoint,
                        const Done<absl::Status>& done);
  void CheckHeld(const WorkerId& worker, const JobId& job, int attempt,
                 const Done<absl::Status>& done);
  void Finish(const FinishedAttempt& end, const Done<absl::Status>& done);

  void Ask(const Request& request, const Done<absl::Status>& done);
  void Submit(const Sweep& sweep, const std::vector<RunConfig>& configs,
              const Done<absl::Status>& done);
  void CancelSweep(const SweepId& sweep, const Done<absl::Status>& done);

 private:
  using Answer = std::function<void(const absl::Status& commit)>;
  using Answers = std::vector<Answer>;
  struct Event {
    std::function<Answer(const Moment&, Scheduler::Changes&)> decide;
    std::function<void(const absl::Status&)> refuse;
  };
  struct ParkedAcquire {
    AcquireCall call;
    absl::Time deadline;
    Done<absl::StatusOr<Scheduler::Acquired>> done;
    bool tried = false;
  };
  template <typename Result>
  using Decision = std::function<Result(const Moment&, Scheduler::Changes&)>;

  // `promises`: an answer says that what was decided is durable.
  template <typename Result>
  Event MakeEvent(Decision<Result> decide, Done<Result> done, bool promises = true) {
    Event event;
    event.decide = [this, decide = std::move(decide), done, promises](
                       const Moment& now, Scheduler::Changes& changes) -> Answer {
      const std::size_t before = changes.size();
      const Result result = decide(now, changes);
      const bool promised = promises && changes.size() > before;
      return [this, done, result, promised, at = timeline_.elapsed()](const absl::Status& commit) {
        if (commit.ok() && promised) oracle_.Answered(at);
        done(commit.ok() ? result : Result(commit));
      };
    };
    event.refuse = [done](const absl::Status& status) { done(Result(status)); };
    return event;
  }
  void Post(Event event);
  // Runs `action` after `delay`, if this process still runs then.
  void Later(absl::Duration delay, std::function<void()> action);
  void WakeIn(absl::Duration delay);
  void Park(ParkedAcquire call);

  // As Core's of the same names; Commit takes time, and then calls Reply.
  void Process();
  void AnswerHeartbeats(const Moment& now);
  bool MayCommit(const Moment& now);
  void ServeParked(const Moment& now, Scheduler::Changes& changes, Answers& answers);
  void Commit(const Scheduler::Changes& changes, Answers answers, const Moment& now);
  void Reply(const Answers& answers, const absl::Status& commit);
  absl::Status Rebuild(const Moment& now);
  Moment Now();
  absl::Duration UntilNextDeadline(const Moment& now) const;

  void RefuseCommit(const absl::Status& stored, const Moment& now);
  void Tick(const Moment& now, Scheduler::Changes& changes);
  // What the forecaster's thread does, without a fit.
  void PostForecasts();
  Forecast MakeForecast(const SweepId& sweep);

  // The planted bugs that change a decision, or an answer.
  bool Has(PlantedBug bug) const { return bug_ == bug; }
  void Spoil(StoredState& state) const;
  void Spoil(const std::vector<HeldAttempt>& held, std::vector<Directive>& directives) const;
  void Spoil(FinishedAttempt& end) const;
  void TakeAgain(const FinishedAttempt& end, Scheduler::Changes& changes) const;
  void Spoil(const ParkedAcquire& call, absl::StatusOr<Scheduler::Acquired>& acquired);

  const SchedulerOptions options_;
  Timeline& timeline_;
  SimClock& clock_;
  JournaledStore& store_;
  Oracle& oracle_;
  Trace& trace_;
  Dice dice_;
  const PlantedBug bug_;
  CommitTime commit_time_;
  std::function<void()> in_commit_;

  int process_ = 0;  // number of the process
  bool running_ = false;
  bool busy_ = false;
  bool paused_ = false;
  std::vector<std::function<void()>> waiting_;  // until it continues
  std::optional<absl::Duration> wake_at_;
  Scheduler scheduler_;
  std::deque<Event> events_;
  std::deque<Event> heartbeats_;
  std::deque<ParkedAcquire> parked_;
  Scheduler::Changes heartbeat_changes_;
  absl::Time last_tick_ = absl::InfinitePast();
  absl::Status last_commit_;
  absl::Time retry_at_ = absl::InfinitePast();
  bool stale_ = false;
  std::set<SweepId> forecasting_;
  std::map<SweepId, std::vector<RunKey>> held_out_;  // as the forecaster reads from the store
  std::optional<std::pair<WorkerId, Assignment>> last_leased_;  // of the planted bug
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_COORDINATOR_H_
