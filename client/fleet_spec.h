// A fleet: workers that this client keeps on machines it may use, under a name.
#ifndef ETUDE_CLIENT_FLEET_SPEC_H_
#define ETUDE_CLIENT_FLEET_SPEC_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

inline constexpr int kMaxFleetWorkers = 1000;  // Slurm's default MaxArraySize - 1

enum class FleetEngineKind { kSlurm, kSsh };
std::string_view FleetEngineName(FleetEngineKind kind);  // "slurm", "ssh"
std::optional<FleetEngineKind> FleetEngineFromName(std::string_view name);

// How each worker is started; paths are those of the machines it runs on.
struct FleetWorker {
  std::string program = "";   // etude-worker
  std::string endpoint = "";  // HOST:PORT, as the workers reach it
  // PEM files and a token; ssh copies them, on Slurm the nodes see them under these paths. No TLS
  // files: plain text, for a coordinator of the same machine.
  std::string tls_ca = "";
  std::string tls_cert = "";
  std::string tls_key = "";
  std::string token_file = "";
  int slots = 1;
  int threads = 1;  // of each slot
  std::string device = "auto";
};

struct SlurmOptions {
  std::string partition = "";                      // empty: Slurm's default
  std::string account = "";                        // likewise
  std::string time_limit = "";                     // as sbatch --time takes it; likewise
  int gpus = 0;                                    // of each worker
  std::vector<std::string> sbatch_arguments = {};  // passed on as they are
};

struct SshOptions {
  std::vector<std::string> hosts = {};
  std::string config_file = "";  // of ssh; empty: the user's
};

struct FleetSpec {
  std::string name = "";
  std::string tag = "";  // 6 hex digits: tells its workers from those of others' fleets of the name
  FleetEngineKind engine = FleetEngineKind::kSlurm;
  int min = 0;                                  // so many workers stay, idle or not
  int max = 1;                                  // the others come with work
  absl::Duration idle = absl::Minutes(5);       // and end after so long without a job
  absl::Duration finish_in = absl::Minutes(1);  // what is queued; see WantedWorkers
  FleetWorker worker = {};
  SlurmOptions slurm = {};
  SshOptions ssh = {};
};

// kInvalidArgument: the flag that is out of range, and what is allowed.
absl::Status CheckFleet(const FleetSpec& spec);

// What the ids of a member's workers begin with; a "-" and six hex digits follow.
std::string FleetWorkerName(const FleetSpec& spec, const std::string& member);
// A new tag.
absl::StatusOr<std::string> NewFleetTag();

// What a worker is started with, but for its --state and --name. `stays`: it is one of the minimum.
std::vector<std::string> FleetWorkerArguments(const FleetSpec& spec, bool stays);

std::string FleetToJson(const FleetSpec& spec);
// kDataLoss: not what FleetToJson wrote; `path` is for messages.
absl::StatusOr<FleetSpec> FleetFromJson(const std::string& json, const std::string& path);

// Where the fleets of a user are kept: a directory each, in the client's state directory.
std::string FleetDirectory(const std::string& state_dir, const std::string& name);
// kNotFound, with the names there are in the hint.
absl::StatusOr<FleetSpec> ReadFleet(const std::string& state_dir, const std::string& name);
absl::Status WriteFleet(const std::string& state_dir, const FleetSpec& spec);
absl::Status RemoveFleet(const std::string& state_dir, const std::string& name);
std::vector<std::string> FleetNames(const std::string& state_dir);  // sorted

// A word for a POSIX shell, whatever it holds.
std::string ShellQuoted(const std::string& word);

}  // namespace etude

#endif  // ETUDE_CLIENT_FLEET_SPEC_H_
