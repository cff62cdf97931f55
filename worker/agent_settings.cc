#include "worker/agent_settings.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <optional>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "worker/machine.h"

namespace etude {
namespace {

constexpr double kMinSeconds = 0.01;
constexpr double kMaxSeconds = 86400;

struct TextKey {
  const char* name;
  std::string AgentSettings::*field;
};
constexpr TextKey kTexts[] = {
    {"endpoint", &AgentSettings::endpoint}, {"token_file", &AgentSettings::token_file},
    {"tls_cert", &AgentSettings::tls_cert}, {"tls_key", &AgentSettings::tls_key},
    {"tls_ca", &AgentSettings::tls_ca},     {"state", &AgentSettings::state_dir},
    {"name", &AgentSettings::name},         {"device", &AgentSettings::device}};
struct CountKey {
  const char* name;
  int AgentSettings::*field;
  int max;
};
constexpr CountKey kCounts[] = {{"slots", &AgentSettings::slots, kMaxWorkerSlots},
                                {"threads", &AgentSettings::threads, kMaxThreadsPerSlot}};
struct SecondsKey {
  const char* name;
  absl::Duration AgentSettings::*field;
};
constexpr SecondsKey kSeconds[] = {{"checkpoint_seconds", &AgentSettings::checkpoint_every},
                                   {"upload_seconds", &AgentSettings::upload_every},
                                   {"connect_timeout_seconds", &AgentSettings::connect_timeout},
                                   {"idle_exit_seconds", &AgentSettings::idle_exit}};

std::string KnownKeys() {
  std::string known;
  const auto add = [&known](const char* name) {
    known += (known.empty() ? "" : ", ") + std::string(name);
  };
  for (const TextKey& key : kTexts) add(key.name);
  for (const CountKey& key : kCounts) add(key.name);
  for (const SecondsKey& key : kSeconds) add(key.name);
  return known;
}

absl::Status Set(std::string_view name, const toml::node& value, AgentSettings& settings) {
  for (const TextKey& key : kTexts) {
    if (name != key.name) continue;
    const auto text = value.value_exact<std::string>();
    if (!text || text->empty()) return InvalidArgument(fmt::format("{}: expected a text", name));
    settings.*key.field = *text;
    return absl::OkStatus();
  }
  for (const CountKey& key : kCounts) {
    if (name != key.name) continue;
    const auto count = value.value_exact<std::int64_t>();
    if (!count || *count < 1 || *count > key.max) {
      return InvalidArgument(fmt::format("{}: expected 1 to {}", name, key.max));
    }
    settings.*key.field = static_cast<int>(*count);
    return absl::OkStatus();
  }
  for (const SecondsKey& key : kSeconds) {
    if (name != key.name) continue;
    const auto seconds = value.is_number() ? value.value<double>() : std::nullopt;
    if (!seconds || !(*seconds >= kMinSeconds && *seconds <= kMaxSeconds)) {
      return InvalidArgument(
          fmt::format("{}: expected {} to {} seconds", name, kMinSeconds, kMaxSeconds));
    }
    settings.*key.field = absl::Seconds(*seconds);
    return absl::OkStatus();
  }
  return InvalidArgument(fmt::format("unknown key \"{}\"; there are: {}", name, KnownKeys()));
}

absl::Status At(const std::string& file, const toml::source_position& where,
                const std::string& what) {
  return InvalidArgument(fmt::format("{}:{}:{}: {}", file, where.line, where.column, what));
}

}  // namespace

absl::Status ApplyWorkerToml(std::string_view toml, const std::string& file_name,
                             AgentSettings& settings) {
  toml::table table;
  try {
    table = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    return At(file_name, error.source().begin, std::string(error.description()));
  }
  for (const auto& [key, value] : table) {
    const absl::Status status = Set(key.str(), value, settings);
    if (!status.ok()) return At(file_name, key.source().begin, MessageOf(status));
  }
  return absl::OkStatus();
}

absl::Status CheckSettings(const AgentSettings& settings) {
  if (settings.slots < 1 || settings.slots > kMaxWorkerSlots) {
    return InvalidArgument(fmt::format("--slots {}: 1 to {}", settings.slots, kMaxWorkerSlots));
  }
  if (settings.threads < 1 || settings.threads > kMaxThreadsPerSlot) {
    return InvalidArgument(
        fmt::format("--threads {}: 1 to {}", settings.threads, kMaxThreadsPerSlot));
  }
  if (settings.device != "auto" && settings.device != "cpu" && settings.device != "cuda") {
    return InvalidArgument("--device " + settings.device + ": one of auto, cpu, cuda");
  }
  if (!IsSafeFileName(settings.name) || settings.name.size() > kMaxWorkerNameBytes) {
    return InvalidArgument(fmt::format("--name {}: up to {} of letters, digits and . _ -",
                                       settings.name, kMaxWorkerNameBytes));
  }
  const std::size_t colon = settings.endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == settings.endpoint.size()) {
    return InvalidArgument("--endpoint " + settings.endpoint + ": expected HOST:PORT");
  }
  return absl::OkStatus();
}

}  // namespace etude
