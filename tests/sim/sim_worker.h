// One worker's machine: its disk, and the process that runs the real agent on it.
#ifndef ETUDE_TESTS_SIM_SIM_WORKER_H_
#define ETUDE_TESTS_SIM_SIM_WORKER_H_

#include <deque>
#include <memory>
#include <string>

#include "tests/sim/sim_spawner.h"
#include "tests/sim/sim_transport.h"
#include "worker/agent.h"

namespace etude {

// What kind of worker it is, from the seed.
struct WorkerNature {
  int slots = 1;
  TrainerPace pace;
  absl::Duration checkpoint_every;
  absl::Duration upload_every;
  double tick_after = 1;  // times Agent::NextWait(): a busy machine is late
};

// Not thread-safe.
class SimWorker {
 public:
  // `state_dir` exists and is empty.
  SimWorker(int number, std::string state_dir, const WorkerNature& nature, const Wire& wire,
            Oracle& oracle, const Dice& dice);

  // A new process on what the disk holds.
  void Start();
  // The process and its trainers are gone, as after kill -9. `power`: of the logs, what was not
  // synced is gone too.
  void Crash(bool power);
  // The machine is gone with its disk, until another one takes its place.
  void Lose();
  void Replace();
  bool running() const { return agent_ != nullptr; }
  // SIGSTOP and SIGCONT, to the agent alone or to the trainers too.
  void Pause(bool trainers_too);
  void Continue();
  // SIGTERM. Whenever the process ends by itself it is started again, as under systemd.
  void AskToStop();
  // One of its trainers that has a job dies so.
  void CrashTrainer(const TrainerExit& exit);
  // A byte of what its trainers log is another one from now on.
  void SpoilLog();
  void set_trouble(const TrainerTrouble& trouble) { trouble_ = trouble; }
  void ConnectionBroke();
  // Its process holds no attempt, and its disk none without an end.
  bool idle() const;
  SimClock& clock() { return clock_; }

 private:
  void MakeStateDir() const;
  AgentOptions Options();
  void Deliver(const Event& event);
  void Tick();
  // Ends the process if its agent is done, but not from within a call of it.
  void Review();
  void CutLogs();
  void Note(const std::string& line) const;

  const int number_;
  const std::string state_dir_;
  const WorkerNature nature_;
  const Wire wire_;
  Oracle& oracle_;
  Dice dice_;
  SimClock clock_;
  TrainerTrouble trouble_;
  int machines_ = 1;  // so far
  int process_ = 0;
  bool lost_ = false;
  bool paused_ = false;
  std::deque<Event> waiting_;  // while it is paused
  std::unique_ptr<SimTransport> transport_;
  std::unique_ptr<SimSpawner> spawner_;
  std::unique_ptr<Agent> agent_;  // before what it uses
};

}  // namespace etude

#endif  // ETUDE_TESTS_SIM_SIM_WORKER_H_
