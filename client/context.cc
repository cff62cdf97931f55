#include "client/context.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "proto/tls.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxContextBytes = 65536;
constexpr std::size_t kMaxHostBytes = 253;
constexpr int kMaxPort = 65535;

absl::Status DamagedContext(const std::string& path) {
  return InvalidArgument("the current context, " + path +
                         ", cannot be read; remove it and start again with: etude up");
}

std::optional<std::string> TextAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

absl::StatusOr<std::string> TokenFileFor(const std::string& endpoint,
                                         const std::optional<StoredContext>& stored,
                                         const Environment& environment) {
  if (const auto named = environment("ETUDE_TOKEN_FILE")) return *named;
  if (stored && !stored->token_file.empty() &&
      (endpoint == stored->endpoint || IsLoopback(endpoint))) {
    return stored->token_file;
  }
  // The token of this machine's coordinator opens that one alone.
  if (!IsLoopback(endpoint)) return std::string();
  ASSIGN_OR_RETURN(const std::string state, DefaultStateDir(environment));
  return state + "/token";
}

std::string FlagOr(const std::string& flag, const std::optional<std::string>& otherwise) {
  return flag.empty() ? otherwise.value_or("") : flag;
}

}  // namespace

absl::StatusOr<std::string> DefaultStateDir(const Environment& environment) {
  if (const auto state = environment("ETUDE_STATE")) return *state;
  if (const auto xdg = environment("XDG_STATE_HOME")) return *xdg + "/etude";
  if (const auto home = environment("HOME")) return *home + "/.local/state/etude";
  return InvalidArgument(
      "no state directory: none of $ETUDE_STATE, $XDG_STATE_HOME, $HOME is set; type: "
      "export ETUDE_STATE=/path/to/a/directory");
}

absl::StatusOr<std::string> ContextPath(const Environment& environment) {
  ASSIGN_OR_RETURN(const std::string state, DefaultStateDir(environment));
  return state + "/context.json";
}

absl::StatusOr<std::optional<StoredContext>> ReadStoredContext(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxContextBytes);
  if (text.status().code() == absl::StatusCode::kNotFound) return std::nullopt;
  if (!text.ok()) return text.status();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return DamagedContext(path);
  const auto version = TextAt(json, "format_version");
  const auto endpoint = TextAt(json, "endpoint");
  if (!version || !version->starts_with("1.") || !endpoint) return DamagedContext(path);
  if (!CheckEndpoint(*endpoint).ok()) return DamagedContext(path);
  return StoredContext{*endpoint, TextAt(json, "token_file").value_or(""),
                       TextAt(json, "state_dir").value_or("")};
}

absl::Status WriteStoredContext(const std::string& path, const StoredContext& context) {
  RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string(), 0700));
  const Json json = {{"format_version", "1.0"},
                     {"endpoint", context.endpoint},
                     {"token_file", context.token_file},
                     {"state_dir", context.state_dir}};
  return WriteFileAtomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n",
                             0600);
}

absl::Status RemoveStoredContext(const std::string& path, const std::string& endpoint) {
  ASSIGN_OR_RETURN(const std::optional<StoredContext> stored, ReadStoredContext(path));
  if (!stored || stored->endpoint != endpoint) return absl::OkStatus();
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "remove " + path);
  return absl::OkStatus();
}

absl::StatusOr<ClientContext> ResolveContext(const ContextFlags& flags,
                                             const Environment& environment) {
  ClientContext context;
  const std::string& endpoint_flag = flags.endpoint;
  std::optional<StoredContext> stored;
  const absl::StatusOr<std::string> path = ContextPath(environment);
  const auto from_environment = environment("ETUDE_ENDPOINT");
  const bool named = !endpoint_flag.empty() || from_environment.has_value();
  if (path.ok()) {
    const auto read = ReadStoredContext(*path);
    if (read.ok()) {
      stored = *read;
    } else if (!named) {
      return read.status();
    }
  }
  if (!endpoint_flag.empty()) {
    context.endpoint = endpoint_flag;
    context.endpoint_source = "--endpoint";
  } else if (from_environment) {
    context.endpoint = *from_environment;
    context.endpoint_source = "$ETUDE_ENDPOINT";
  } else if (stored) {
    context.endpoint = stored->endpoint;
    context.endpoint_source = *path;
  } else {
    context.endpoint = kDefaultEndpoint;
    context.endpoint_source = "default";
  }
  RETURN_IF_ERROR(Annotate(CheckEndpoint(context.endpoint), context.endpoint_source));
  context.token_file = flags.token_file;
  if (context.token_file.empty()) {
    ASSIGN_OR_RETURN(context.token_file, TokenFileFor(context.endpoint, stored, environment));
  }
  const auto tls = [&](const std::string& flag, const char* variable) {
    // `etude up` on this machine speaks plain text, whatever the shell was set up for.
    return named ? FlagOr(flag, environment(variable)) : flag;
  };
  context.tls_cert = tls(flags.tls_cert, "ETUDE_TLS_CERT");
  context.tls_key = tls(flags.tls_key, "ETUDE_TLS_KEY");
  context.tls_ca = tls(flags.tls_ca, "ETUDE_TLS_CA");
  return context;
}

absl::Status CheckEndpoint(const std::string& endpoint, bool allow_port_zero) {
  const auto bad = [&] {
    return InvalidArgument("\"" + endpoint.substr(0, kMaxHostBytes) +
                           "\" is not host:port, such as " + kDefaultEndpoint);
  };
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon > kMaxHostBytes) return bad();
  const std::string host = endpoint.substr(0, colon);
  const std::string port = endpoint.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto in_host = [&](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_' ||
           (bracketed && (c == ':' || c == '[' || c == ']'));
  };
  if (!std::all_of(host.begin(), host.end(), in_host)) return bad();
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), digit))
    return bad();
  const int number = std::stoi(port);
  return number <= kMaxPort && (number > 0 || allow_port_zero) ? absl::OkStatus() : bad();
}

}  // namespace etude
