// A fleet's workers as jobs of a Slurm cluster, submitted as arrays with the user's own rights.
// Source: sbatch(1), scancel(1), squeue(1) of Slurm 22.05.
#ifndef ETUDE_CLIENT_SLURM_H_
#define ETUDE_CLIENT_SLURM_H_

#include <string>
#include <vector>

#include "client/fleet_engine.h"
#include "client/fleet_spec.h"

namespace etude {

// Slurm sends SIGTERM so long before a job's time limit, or when it is preempted; the worker then
// gives its job back and asks for another turn.
inline constexpr int kSlurmNoticeSeconds = 60;

// The batch script of every worker of the fleet. Its first argument, "stay", makes the worker one
// of the minimum. `log_dir` exists when it runs.
std::string SlurmJobScript(const FleetSpec& spec, const std::string& log_dir);

// The format asked of squeue, and what a line in it says; lines of jobs that are over and did not
// fail are left out. A line that does not fit is left out too.
inline constexpr char kSqueueFormat[] = "%i|%T|%r|%N|%j";
std::vector<FleetMember> ParseSqueue(const std::string& text, const FleetSpec& spec,
                                     const std::string& log_dir);

class SlurmEngine : public FleetEngine {
 public:
  // `directory` must be seen by the nodes under the same path: the logs go there.
  SlurmEngine(FleetSpec spec, const std::string& directory);

  absl::Status Start(int count, bool stays) override;
  absl::StatusOr<std::vector<FleetMember>> Members() override;
  absl::Status Stop(const std::vector<FleetMember>& members) override;
  absl::Status Kill(const std::vector<FleetMember>& members) override;
  absl::Status CleanUp() override { return absl::OkStatus(); }

 private:
  FleetSpec spec_;
  std::string script_;
  std::string log_dir_;
};

}  // namespace etude

#endif  // ETUDE_CLIENT_SLURM_H_
