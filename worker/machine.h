// What a worker says of the machine it runs on, and its own name there.
#ifndef ETUDE_WORKER_MACHINE_H_
#define ETUDE_WORKER_MACHINE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "lib/scaling/worker.h"

namespace etude {

inline constexpr std::size_t kMaxWorkerIdBytes = 64;  // as on the wire
// The id that is made from a name has "-" and 6 digits more.
inline constexpr std::size_t kMaxWorkerNameBytes = kMaxWorkerIdBytes - 7;

// host, cpu and memory_bytes (of the control group where that has a limit) are set.
Worker DescribeMachine();

// The id in STATE/worker-id; made from `name` and some chance, and written there, the first time.
absl::StatusOr<WorkerId> LoadWorkerId(const std::string& state_dir, const std::string& name);

// Letters, digits and . _ - of the host's name; "worker" if nothing is left.
std::string HostName();

// Takes STATE/lock for as long as the process lives. kAlreadyExists: another worker runs there.
absl::Status LockStateDir(const std::string& state_dir);

}  // namespace etude

#endif  // ETUDE_WORKER_MACHINE_H_
