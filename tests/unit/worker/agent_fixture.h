// A worker's whole world for one agent: a coordinator, trainers and time, all of them obedient
// unless a test says otherwise.
#ifndef ETUDE_TESTS_UNIT_WORKER_AGENT_FIXTURE_H_
#define ETUDE_TESTS_UNIT_WORKER_AGENT_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_trainer.h"
#include "worker/agent.h"

namespace etude {

using Events = std::deque<Event>;

// Keeps what it is sent, as a coordinator would, and refuses what it would refuse.
class FakeCoordinator : public Transport {
 public:
  explicit FakeCoordinator(Events& events) : events_(events) {}

  // What a test sets.
  bool away = false;  // nothing is answered but with kUnavailable
  bool holds_acknowledgements = false;
  bool drains = false;
  absl::Status log_answer;                               // of ShipLog, if it is an error
  bool knows_worker = false;                             // set by Register
  std::map<std::pair<std::string, int>, Action> orders;  // for heartbeats; else keep
  std::deque<Assignment> queue;                          // leased in order
  std::map<std::string, std::string> blobs;              // by hash

  // What a test looks at.
  std::map<std::pair<std::string, int>, std::map<std::int64_t, double>> train_points;
  std::vector<Checkpoint> committed;
  std::vector<Ending> endings;
  std::vector<Held> last_held;
  std::vector<std::string> journal;  // "commit resume 20", "finish succeeded", ...
  std::map<std::pair<std::string, int>, std::string> logs;  // '~' where something is missing
  int log_calls = 0;
  std::size_t longest_log_text = 0;
  int registrations = 0;
  int heartbeats = 0;
  int batches = 0;
  std::size_t unacknowledged() const { return held_acknowledgements_.size(); }
  bool Over(const std::string& job, int attempt) const { return over_.contains({job, attempt}); }
  void Supersede(const std::string& job, int attempt) { over_.insert({job, attempt}); }
  void ReleaseAcknowledgements();
  // The stream breaks, as all do when the coordinator goes.
  void BreakStream();

  void Register(CallId call, const Worker& worker, const std::vector<Held>& held) override;
  void Heartbeat(CallId call, const WorkerId& worker, const std::vector<Held>& held,
                 bool draining) override;
  void Acquire(CallId call, const WorkerId& worker, int slot, absl::Duration wait) override;
  void StopAcquiring() override;
  void OpenReport(CallId stream) override { stream_ = stream; }
  void Report(CallId stream, const PointsBatch& batch) override;
  void CloseReport(CallId stream) override;
  void CommitCheckpoint(CallId call, const WorkerId& worker, const Checkpoint& checkpoint) override;
  void Finish(CallId call, const WorkerId& worker, const Ending& ending) override;
  void ShipLog(CallId call, const WorkerId& worker, const LogText& text) override;
  void Upload(CallId call, const std::string& path) override;
  void Download(CallId call, const ArtifactFile& file, const std::string& path) override;

  // Answers long polls that wait, if there is a job.
  void Lease();
  // Answers long polls that wait with no job, as when their time is over.
  void EndPolls();

 private:
  std::vector<Directive> DirectivesFor(const std::vector<Held>& held) const;

  Events& events_;
  CallId stream_ = 0;
  std::deque<ReportAcknowledged> held_acknowledgements_;
  std::deque<std::pair<CallId, int>> polls_;  // call, slot
  std::set<std::pair<std::string, int>> over_;
};

// Trainers that do nothing by themselves: the test moves them.
class FakeSpawner : public Spawner {
 public:
  FakeSpawner(Events& events, Clock& clock) : events_(events), clock_(clock) {}

  bool starts = true;  // false: a trainer exits before it is ready
  bool ignores_stops = false;

  absl::StatusOr<TrainerId> Spawn(int slot) override;
  absl::Status Send(TrainerId trainer, const AgentMessage& message) override;
  void Kill(TrainerId trainer) override;

  int spawned() const { return spawned_; }
  bool training() const { return training_ != nullptr; }
  FakeTraining& current() { return *training_; }
  // Trains to the end of the job and says so.
  void Complete();
  // Ends without a word.
  void Die(const TrainerExit& exit);
  void SayDone(const DoneMessage& done);

 private:
  void Stop(StopKind kind);

  Events& events_;
  Clock& clock_;
  int spawned_ = 0;
  TrainerId alive_ = 0;
  std::unique_ptr<FakeTraining> training_;
};

// One slot.
class AgentFixture : public testing::Test {
 protected:
  AgentFixture();
  ~AgentFixture() override;

  void StartAgent();
  // As kill -9 does: the agent and its trainer are gone, the disk stays.
  void KillAgent();
  // Lets time pass in steps of a tenth of a second and everything happen that can.
  void Pass(absl::Duration duration);
  void Settle();

  Transport::Assignment MakeAssignment(int attempt, std::int64_t to);
  // Started, registered, leased and training.
  void StartTraining(std::int64_t to = 100);
  std::string AttemptPath(int attempt) const;
  const Transport::Ending& LastEnding();
  // True if exactly steps 1 to `to` are there, with the values of the curve.
  bool HasCurve(int first_attempt, int last_attempt, std::int64_t to);

  static constexpr char kJob[] = "run.0";

  std::string state_;
  FakeClock clock_;
  Events events_;
  FakeCoordinator coordinator_{events_};
  std::unique_ptr<FakeSpawner> spawner_;
  std::unique_ptr<Agent> agent_;
  AgentOptions options_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_WORKER_AGENT_FIXTURE_H_
