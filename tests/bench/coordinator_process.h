// The coordinator under test: a process of its own, as it is shipped.
#ifndef ETUDE_TESTS_BENCH_COORDINATOR_PROCESS_H_
#define ETUDE_TESTS_BENCH_COORDINATOR_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

struct CoordinatorAddress {
  std::string endpoint;
  std::string token;
};

// Not thread-safe. Start it on a thread that outlives it: the process dies with that thread.
class CoordinatorProcess {
 public:
  // Starts `program` on `state_dir` and waits until it listens. kNotFound: no such program.
  static absl::StatusOr<std::unique_ptr<CoordinatorProcess>> Start(const std::string& program,
                                                                   const std::string& state_dir,
                                                                   const std::string& listen);
  ~CoordinatorProcess();  // kills it
  CoordinatorProcess(const CoordinatorProcess&) = delete;
  CoordinatorProcess& operator=(const CoordinatorProcess&) = delete;

  const CoordinatorAddress& address() const { return address_; }
  absl::Time started_at() const { return started_at_; }  // monotonic, just before its exec
  // SIGKILL; returns once it is gone.
  void Kill();

  double ResidentMib() const;
  absl::Duration CpuTime() const;  // of all its threads so far

 private:
  CoordinatorProcess(std::string state_dir, absl::Time started_at)
      : state_dir_(std::move(state_dir)), started_at_(started_at) {}
  absl::Status Spawn(const std::string& program, const std::string& listen);
  absl::Status AwaitEndpoint();
  std::string ProcFile(const char* name) const;

  const std::string state_dir_;
  const absl::Time started_at_;
  pid_t pid_ = 0;  // 0: it does not run
  CoordinatorAddress address_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_BENCH_COORDINATOR_PROCESS_H_
