// worker.toml and the flags, as one struct.
#ifndef ETUDE_WORKER_AGENT_SETTINGS_H_
#define ETUDE_WORKER_AGENT_SETTINGS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace etude {

inline constexpr int kMaxWorkerSlots = 1024;
inline constexpr int kMaxThreadsPerSlot = 1024;

struct AgentSettings {
  std::string endpoint;    // HOST:PORT
  std::string token_file;  // may not exist yet
  std::string state_dir;
  std::string tls_cert;  // PEM files, all or none
  std::string tls_key;
  std::string tls_ca;
  std::string name;  // beginning of the worker's id, when it gets one
  std::string device = "auto";
  int slots = 1;
  int threads = 1;  // of each slot
  absl::Duration checkpoint_every = absl::Seconds(30);
  absl::Duration upload_every = absl::Seconds(300);
  absl::Duration connect_timeout = absl::InfiniteDuration();
  absl::Duration idle_exit = absl::InfiniteDuration();
};

// Changes in `settings` what the TOML names. Strict: every key that is unknown, of the wrong type
// or out of range is an error. kInvalidArgument: file:line:col, and what is allowed. `file_name` is
// for messages.
absl::Status ApplyWorkerToml(std::string_view toml, const std::string& file_name,
                             AgentSettings& settings);

// kInvalidArgument: which value is out of range, and what is allowed.
absl::Status CheckSettings(const AgentSettings& settings);

}  // namespace etude

#endif  // ETUDE_WORKER_AGENT_SETTINGS_H_
