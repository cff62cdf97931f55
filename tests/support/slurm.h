// A real Slurm of several nodes on this machine's loopback, without systemd, for the system tests.
#ifndef ETUDE_TESTS_SUPPORT_SLURM_H_
#define ETUDE_TESTS_SUPPORT_SLURM_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace etude {

// Nodes n1, n2, … of one CPU and two GPUs (two character devices that are none), partitions main
// and high; a job of high takes the place of one of main, which is requeued. All of it goes with
// the object, jobs and what they left running included.
class SlurmCluster {
 public:
  // False where Slurm's programs are not installed.
  static bool IsAvailable();

  explicit SlurmCluster(int nodes);
  ~SlurmCluster();
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;

  bool ready() const { return ready_; }  // it came up
  // For those that call Slurm's commands: "SLURM_CONF=...".
  std::string Environment() const { return "SLURM_CONF=" + directory_ + "/slurm.conf"; }
  // One of Slurm's commands.
  CommandResult Call(const std::vector<std::string>& arguments) const;
  // Of a job, as scontrol shows it: "Restarts", "JobState"; empty if there is no such job.
  std::string FactOf(const std::string& job, const std::string& fact) const;
  // True if a job's process runs `program`.
  bool Runs(const std::string& program) const;
  // The node's daemons die at once, and Slurm is told; what they ran runs on, as on a machine that
  // only lost its network.
  void LoseNode(const std::string& node);

 private:
  std::string ConfigText(int nodes, int port) const;
  std::vector<pid_t> ProcessesOfJobs() const;

  std::string directory_;
  bool ready_ = false;
  std::unique_ptr<Process> munged_;
  std::unique_ptr<Process> controller_;
  std::map<std::string, std::unique_ptr<Process>> nodes_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_SLURM_H_
