// Trainers of one worker's process, which train in simulated time: what they leave on disk is what
// FakeTraining leaves.
#ifndef ETUDE_TESTS_SIM_SIM_SPAWNER_H_
#define ETUDE_TESTS_SIM_SIM_SPAWNER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/dice.h"
#include "tests/sim/oracle.h"
#include "tests/sim/timeline.h"
#include "tests/support/fake_trainer.h"
#include "worker/event.h"
#include "worker/spawner.h"

namespace etude {

// Chances of what goes wrong with a trainer.
struct TrainerTrouble {
  double fail_spawn = 0;  // of each start: there is no process
  double fail_start = 0;  // of each start: it exits before it is ready
  double hang = 0;        // of each order to stop: it is not obeyed
  double say_twice = 0;   // of each message
  double diverge = 0;     // of each job
  double bad_disk = 0;    // of each report: it cannot be written
};

// How a trainer of this worker works.
struct TrainerPace {
  absl::Duration between;  // reports
  int steps = 1;           // a report
};

// Ends, with all its trainers, when it is destroyed. `trouble` may change while it lives. Not
// thread-safe.
class SimSpawner final : public Spawner {
 public:
  using Deliver = std::function<void(const Event&)>;

  SimSpawner(Timeline& timeline, Clock& clock, Oracle& oracle, Trace& trace, const Dice& dice,
             const TrainerPace& pace, const TrainerTrouble& trouble, Deliver deliver);
  ~SimSpawner() override;

  absl::StatusOr<TrainerId> Spawn(int slot) override;
  absl::Status Send(TrainerId trainer, const AgentMessage& message) override;
  void Kill(TrainerId trainer) override;

  // One that trains dies so; nothing happens if none does.
  void CrashOne(const TrainerExit& exit);
  void set_stopped(bool stopped) { stopped_ = stopped; }
  // The logs of running trainers, each with the bytes of it that a loss of power leaves for sure.
  struct Log {
    JobId job;
    int attempt = 0;
    std::string path;
    std::int64_t synced = 0;
  };
  std::vector<Log> Logs() const;

 private:
  struct Trainer {
    bool ready = false;
    int jobs = 0;  // so far; what was begun for an earlier one is dropped
    std::unique_ptr<FakeTraining> training;
    std::int64_t synced = 0;  // bytes of its log
    absl::Time checkpoint_at;
    absl::Duration said_at;  // its last message
    bool hung = false;
    bool ending = false;
  };

  void Later(absl::Duration delay, std::function<void()> action);
  // The same for the job that the trainer has now, if it still has it then.
  void LaterInJob(TrainerId id, absl::Duration delay, std::function<void(Trainer&)> action);
  // Messages of one trainer arrive in order.
  void Say(TrainerId id, const Event& event, absl::Duration delay);
  void StartJob(TrainerId id, const JobMessage& job);
  void Train(TrainerId id, Trainer& trainer);
  void Checkpoint(Trainer& trainer, CheckpointKind kind);
  void Stop(TrainerId id, Trainer& trainer, StopKind kind);
  void SayDone(TrainerId id, JobOutcome outcome);
  // Its log does not say how the job ended.
  void SayFailed(TrainerId id, const JobMessage& job, absl::StatusCode code);
  void Die(TrainerId id, const TrainerExit& exit);
  Trainer* Find(TrainerId id);

  Timeline& timeline_;
  Clock& clock_;
  Oracle& oracle_;
  Trace& trace_;
  Dice dice_;
  const TrainerPace pace_;
  const TrainerTrouble& trouble_;
  const Deliver deliver_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool stopped_ = false;
  TrainerId last_ = 0;
  std::map<TrainerId, Trainer> trainers_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_SPAWNER_H_
