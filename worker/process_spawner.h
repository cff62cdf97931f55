// Trainers as processes: posix_spawn with a socket pair, one thread each to hear and to reap them.
#ifndef ETUDE_WORKER_PROCESS_SPAWNER_H_
#define ETUDE_WORKER_PROCESS_SPAWNER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "worker/event_queue.h"
#include "worker/spawner.h"

namespace etude {

struct ProcessSpawnerOptions {
  std::string program;                 // path of etude-trainer
  std::vector<std::string> arguments;  // after the program's name
  std::string log_dir;  // exists; stderr of a slot's trainers is appended to slot-N.log here
};

// A slot's log that is larger when a trainer starts is begun anew.
inline constexpr std::int64_t kMaxSlotLogBytes = std::int64_t{4} << 20;

// Call its methods from one thread, which must live as long as the trainers: the kernel kills a
// trainer when the thread that started it ends. Events go to `events`, which must outlive it.
class ProcessSpawner : public Spawner {
 public:
  ProcessSpawner(ProcessSpawnerOptions options, EventQueue& events);
  ~ProcessSpawner() override;  // kills every trainer and waits for it

  // kNotFound: no such program.
  absl::StatusOr<TrainerId> Spawn(int slot) override;
  absl::Status Send(TrainerId trainer, const AgentMessage& message) override;
  void Kill(TrainerId trainer) override;

  // For tests; 0 when there is no such trainer.
  pid_t PidOf(TrainerId trainer) const;

 private:
  struct Trainer {
    pid_t pid = 0;
    int pid_fd = -1;  // names this process alone, even after it has ended
    int socket = -1;
    std::atomic<bool> ended{false};
    std::jthread thread;
  };
  void Listen(TrainerId id, Trainer& trainer, std::int64_t kills_before);
  void ForgetEnded();

  ProcessSpawnerOptions options_;
  EventQueue& events_;
  TrainerId next_id_ = 1;
  std::map<TrainerId, std::unique_ptr<Trainer>> trainers_;
};

}  // namespace etude

#endif  // ETUDE_WORKER_PROCESS_SPAWNER_H_
