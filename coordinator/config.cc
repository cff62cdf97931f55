#include "coordinator/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <vector>

#include "lib/base/status.h"

namespace etude {
namespace {

struct DurationKey {
  const char* name;
  absl::Duration SchedulerOptions::*field;
  double max_seconds;
};
constexpr DurationKey kDurations[] = {
    {"heartbeat_s", &SchedulerOptions::heartbeat, 60},
    {"lease_s", &SchedulerOptions::lease, 3600},
    {"grace_s", &SchedulerOptions::grace, 86400},
    {"local_resume_hold_s", &SchedulerOptions::local_resume_hold, 3600},
    {"retry_elsewhere_hold_s", &SchedulerOptions::retry_elsewhere_hold, 3600},
    {"quarantine_s", &SchedulerOptions::quarantine, 86400},
};

struct TextKey {
  const char* name;
  std::string CoordinatorConfig::*field;
};
constexpr TextKey kTexts[] = {
    {"state", &CoordinatorConfig::state_dir},   {"listen", &CoordinatorConfig::listen},
    {"tls_cert", &CoordinatorConfig::tls_cert}, {"tls_key", &CoordinatorConfig::tls_key},
    {"tls_ca", &CoordinatorConfig::tls_ca},     {"token_file", &CoordinatorConfig::token_file},
    {"metrics", &CoordinatorConfig::metrics},
};

struct CountKey {
  const char* name;
  int SchedulerOptions::*field;
};
constexpr CountKey kCounts[] = {
    {"quarantine_after", &SchedulerOptions::quarantine_after},
    {"max_counted_failures", &SchedulerOptions::max_counted_failures},
    {"max_infrastructure_retries", &SchedulerOptions::max_infrastructure_retries},
};
constexpr std::int64_t kMaxCount = 1000;
constexpr std::int64_t kMaxFreeMib = 1 << 20;
constexpr double kMinSeconds = 0.001;

constexpr std::array<const char*, 4> kLevels = {"debug", "info", "warning", "error"};

absl::Status At(const std::string& file, const toml::source_position& where,
                const std::string& what) {
  return InvalidArgument(fmt::format("{}:{}:{}: {}", file, where.line, where.column, what));
}

absl::Status Set(const std::string& key, const toml::node& value, CoordinatorConfig& config) {
  const auto text = value.value_exact<std::string>();
  const auto text_key = std::ranges::find(kTexts, key, &TextKey::name);
  const bool is_text = text_key != std::end(kTexts);
  if ((is_text || key == "log_level") && (!text || text->empty())) {
    return InvalidArgument(key + ": expected a text");
  }
  if (is_text) config.*text_key->field = *text;
  if (key == "log_level") {
    ASSIGN_OR_RETURN(config.log_level, LogLevelFromName(*text));
  }
  if (is_text || key == "log_level") return absl::OkStatus();
  for (const DurationKey& known : kDurations) {
    if (key != known.name) continue;
    const auto seconds = value.is_number() ? value.value<double>() : std::nullopt;
    if (!seconds || !(*seconds >= kMinSeconds && *seconds <= known.max_seconds)) {
      return InvalidArgument(
          fmt::format("{}: expected {} to {} seconds", key, kMinSeconds, known.max_seconds));
    }
    config.scheduler.*known.field = absl::Seconds(*seconds);
    return absl::OkStatus();
  }
  for (const CountKey& known : kCounts) {
    if (key != known.name) continue;
    const auto count = value.value_exact<std::int64_t>();
    if (!count || *count < 1 || *count > kMaxCount) {
      return InvalidArgument(fmt::format("{}: expected 1 to {}", key, kMaxCount));
    }
    config.scheduler.*known.field = static_cast<int>(*count);
    return absl::OkStatus();
  }
  if (key == "min_free_mib") {
    const auto mib = value.value_exact<std::int64_t>();
    if (!mib || *mib < 0 || *mib > kMaxFreeMib) {
      return InvalidArgument(fmt::format("{}: expected 0 to {}", key, kMaxFreeMib));
    }
    config.min_free_mib = static_cast<int>(*mib);
    return absl::OkStatus();
  }
  std::string known = "log_level, min_free_mib";
  for (const TextKey& one : kTexts) known += std::string(", ") + one.name;
  for (const DurationKey& duration : kDurations) known += std::string(", ") + duration.name;
  for (const CountKey& count : kCounts) known += std::string(", ") + count.name;
  return InvalidArgument("unknown key \"" + key + "\"; there are: " + known);
}

}  // namespace

absl::StatusOr<LogLevel> LogLevelFromName(std::string_view name) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (name == kLevels[i]) return static_cast<LogLevel>(i);
  }
  return InvalidArgument("log level \"" + std::string(name) +
                         "\": expected debug, info, warning or error");
}

absl::Status ApplyConfigToml(std::string_view toml, const std::string& file_name,
                             CoordinatorConfig& config) {
  toml::table table;
  try {  // the packaged parser throws
    table = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    return At(file_name, error.source().begin, std::string(error.description()));
  }
  for (const auto& [key, value] : table) {
    const absl::Status status = Set(std::string(key.str()), value, config);
    if (!status.ok()) return At(file_name, key.source().begin, MessageOf(status));
  }
  return absl::OkStatus();
}

}  // namespace etude
