// Who may call: the coordinator's token, and the table of everything that can be called.
#ifndef ETUDE_COORDINATOR_AUTHENTICATION_H_
#define ETUDE_COORDINATOR_AUTHENTICATION_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace etude {

inline constexpr char kTokenFile[] = "token";  // in the state directory
inline constexpr char kTokenPrefix[] = "etude_";
inline constexpr std::size_t kMaxTokenBytes = 4096;

enum class Access {
  kOpen,   // anybody
  kToken,  // whoever has the token; roles are not in this version
};
struct CallRule {
  std::string_view method;  // "/etude.v1.WorkerService/Register"
  Access access = Access::kToken;
};
// Every call of every service of ours, and the health check. A call that is not here is refused.
std::span<const CallRule> CallRules();

// Immutable, so thread-safe.
class Authentication {
 public:
  // Reads the token in `state_dir`/token, or makes one: 32 random bytes in hex behind "etude_", in
  // a file only its owner may read. kPermissionDenied: others may read the file that is there.
  static absl::StatusOr<Authentication> Open(const std::string& state_dir);
  // With a token from elsewhere.
  explicit Authentication(const std::string& token, const std::string& token_path);

  // `authorization` is the call's metadata of that name: "Bearer TOKEN"; nullopt: it had none.
  // kUnauthenticated: says where the token is. The time it takes does not tell how much of a wrong
  // token is right.
  absl::Status Check(std::string_view method,
                     const std::optional<std::string_view>& authorization) const;

 private:
  std::string token_sha256_;
  std::string token_path_;
};

// Refuses an address that other machines can reach: kInvalidArgument names the flags that would
// make it safe. `listen` is HOST:PORT.
absl::Status CheckListenAddress(const std::string& listen);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_AUTHENTICATION_H_
