// How a trainer's process ended, and what that means for the job it was training.
#ifndef ETUDE_WORKER_TRAINER_EXIT_H_
#define ETUDE_WORKER_TRAINER_EXIT_H_

#include <string>

#include "lib/scaling/job.h"

namespace etude {

struct TrainerExit {
  int code = 0;                // of an exit; meaningless after a signal
  int signal = 0;              // 0: it exited by itself
  bool out_of_memory = false;  // the kernel counted an out-of-memory kill in our control group
};

struct ExitMeaning {
  JobOutcome outcome = JobOutcome::kCrashed;
  std::string reason;
};

// Of an exit in the middle of a job. The one table from exits to outcomes.
ExitMeaning MeaningOf(const TrainerExit& exit);

}  // namespace etude

#endif  // ETUDE_WORKER_TRAINER_EXIT_H_
