// coordinator.toml and the flags, as one struct.
#ifndef ETUDE_COORDINATOR_CONFIG_H_
#define ETUDE_COORDINATOR_CONFIG_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "coordinator/scheduler.h"
#include "lib/base/log.h"

namespace etude {

struct CoordinatorConfig {
  std::string state_dir;
  std::string listen = "127.0.0.1:7433";  // HOST:PORT; port 0 picks a free one
  // PEM files and tokens for callers on other machines; empty: none.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::string token_file;
  std::string metrics;  // ADDRESS:PORT of this machine for Prometheus; empty: none is served
  LogLevel log_level = LogLevel::kInfo;
  int min_free_mib = 64;  // with less on the disk it is read-only; 0: until it is full
  SchedulerOptions scheduler;

  bool guarded() const {
    return !tls_cert.empty() && !tls_key.empty() && !tls_ca.empty() && !token_file.empty();
  }
};

// Changes in `config` what the TOML names. Strict: every key that is unknown, of the wrong type or
// out of range is an error. kInvalidArgument: file:line:col, and what is allowed. `file_name` is
// for messages.
absl::Status ApplyConfigToml(std::string_view toml, const std::string& file_name,
                             CoordinatorConfig& config);

// "debug", "info", "warning", "error".
absl::StatusOr<LogLevel> LogLevelFromName(std::string_view name);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_CONFIG_H_
