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

// Endpoint: `endpoint_flag`, else $ETUDE_ENDPOINT, else the current context, else
// kDefaultEndpoint. Token file: $ETUDE_TOKEN_FILE, else the current context's, but only for its own
// endpoint or another on this machine, so that a token never goes to a stranger; else token in the
// default state directory. kInvalidArgument: the endpoint is not host:port.
absl::StatusOr<ClientContext> ResolveContext(const std::string& endpoint_flag,
                                             const Environment& environment);

// kInvalidArgument unless `endpoint` is host:port, [ipv6]:port included.
absl::Status CheckEndpoint(const std::string& endpoint, bool allow_port_zero = false);
// True for 127.x.x.x, localhost and [::1].
bool IsLoopback(const std::string& endpoint);

}  // namespace etude

#endif  // ETUDE_CLIENT_CONTEXT_H_
