// Which coordinator a command talks to, and with which token.
#ifndef ETUDE_CLIENT_CONTEXT_H_
#define ETUDE_CLIENT_CONTEXT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/environment.h"

namespace etude {

inline constexpr char kDefaultEndpoint[] = "127.0.0.1:7433";

// What `etude up` leaves for later commands: context.json in the default state directory.
struct StoredContext {
  std::string endpoint;
  std::string token_file;
  std::string state_dir;
};

struct ClientContext {
  std::string endpoint;         // "host:port"
  std::string endpoint_source;  // "--endpoint", "$ETUDE_ENDPOINT", the context's path or "default"
  std::string token_file;       // may not exist
  // PEM files for a coordinator on another machine; all empty: plain text, for this one.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
};

// What the options that every command takes say; empty: nothing.
struct ContextFlags {
  std::string endpoint = "";
  std::string token_file = "";
  std::string tls_cert = "";
  std::string tls_key = "";
  std::string tls_ca = "";
};

// $ETUDE_STATE, else $XDG_STATE_HOME/etude, else ~/.local/state/etude. kInvalidArgument: none of
// them is set.
absl::StatusOr<std::string> DefaultStateDir(const Environment& environment);

// context.json in the default state directory.
absl::StatusOr<std::string> ContextPath(const Environment& environment);

// nullopt when there is none. kInvalidArgument: the file is damaged; says which to remove.
absl::StatusOr<std::optional<StoredContext>> ReadStoredContext(const std::string& path);
absl::Status WriteStoredContext(const std::string& path, const StoredContext& context);
// Removes the file if it still names `endpoint`.
absl::Status RemoveStoredContext(const std::string& path, const std::string& endpoint);

// Endpoint: the flag, else $ETUDE_ENDPOINT, else the current context, else
// kDefaultEndpoint. Token file: the flag, $ETUDE_TOKEN_FILE, else the current context's, but only
// for its own endpoint or another on this machine, so that a token never goes to a stranger; else
// token in the default state directory, for an endpoint of this machine alone. TLS: the flags,
// else, when a flag or the environment names the endpoint, $ETUDE_TLS_CERT, $ETUDE_TLS_KEY and
// $ETUDE_TLS_CA. kInvalidArgument: the endpoint is not host:port.
absl::StatusOr<ClientContext> ResolveContext(const ContextFlags& flags,
                                             const Environment& environment);

// kInvalidArgument unless `endpoint` is host:port, [ipv6]:port included.
absl::Status CheckEndpoint(const std::string& endpoint, bool allow_port_zero = false);

}  // namespace etude

#endif  // ETUDE_CLIENT_CONTEXT_H_
