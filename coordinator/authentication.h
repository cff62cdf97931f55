// Who may call what: tokens with roles, and the table of everything that can be called.
#ifndef ETUDE_COORDINATOR_AUTHENTICATION_H_
#define ETUDE_COORDINATOR_AUTHENTICATION_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"

namespace etude {

inline constexpr char kTokenFile[] = "token";  // in the state directory
inline constexpr char kTokenPrefix[] = "etude_";
inline constexpr std::size_t kMaxTokenBytes = 4096;
inline constexpr std::size_t kMaxTokens = 10000;  // of a token file
inline constexpr absl::Duration kTokensReadEvery = absl::Seconds(1);

// read < submit < admin; a worker trains and cannot ask. kOwner is whoever can read the state
// directory's token: everything.
enum class Role { kRead, kSubmit, kAdmin, kWorker, kOwner };
std::string_view RoleName(Role role);  // "read", "submit", "admin", "worker", "owner"
// Not "owner", which no token file gives.
std::optional<Role> RoleFromName(std::string_view name);

// The least that a call asks for. kOpen: anybody. kBlobRead: every role. kBlobWrite: submit, admin
// and worker.
enum class Access { kOpen, kRead, kSubmit, kAdmin, kWorker, kBlobRead, kBlobWrite };
bool MayCall(Role role, Access access);

struct CallRule {
  std::string_view method;  // "/etude.v1.WorkerService/Register"
  Access access = Access::kAdmin;
};
// Every call of every service of ours, and the health check. A call that is not here is refused.
std::span<const CallRule> CallRules();

inline constexpr std::int64_t kNeverExpires = std::numeric_limits<std::int64_t>::max();

// A token as it is kept: its hash, never itself.
struct TokenRecord {
  Role role = Role::kRead;
  std::string sha256;
  std::int64_t expires_at_us = kNeverExpires;
  std::string name;  // whose it is
};
// A token file: a line a token, "ROLE SHA256 EXPIRES NAME", EXPIRES "never" or ISO-8601 UTC; "#"
// begins a comment. kInvalidArgument: file:line and what is wrong.
absl::StatusOr<std::vector<TokenRecord>> ParseTokenFile(std::string_view text,
                                                        const std::string& path);

// Whose token a call carried; empty for a call that takes none.
struct CallerId {
  std::string token_sha256 = "";
  std::string name = "";  // of the token; several tokens may bear one
};

// Thread-safe. The clock must outlive it.
class Authentication {
 public:
  // Reads the owner's token in `state_dir`/token, or makes one: 32 random bytes in hex behind
  // "etude_", in a file only its owner may read; and the records of `token_file` unless that is
  // empty. kPermissionDenied: others may read one of the files. A token file that changes is read
  // again within kTokensReadEvery; one that has become bad leaves the tokens as they were, and the
  // log says so.
  static absl::StatusOr<Authentication> Open(const std::string& state_dir,
                                             const std::string& token_file, Clock& clock);
  // With tokens from elsewhere; `hint_path` is where messages say that one is.
  Authentication(const std::vector<TokenRecord>& tokens, const std::string& hint_path,
                 Clock& clock);
  // With one owner's token.
  Authentication(const std::string& token, const std::string& hint_path);

  // `authorization` is the call's metadata of that name: "Bearer TOKEN"; nullopt: it had none.
  // kUnauthenticated: no token, a wrong or an expired one; says where one is. kPermissionDenied:
  // its role may not. The time it takes does not tell how much of a wrong token is right.
  absl::StatusOr<CallerId> Check(std::string_view method,
                                 const std::optional<std::string_view>& authorization) const;
  // The token is still in the list, and has not expired.
  bool IsValid(const CallerId& caller) const;
  // Some token of that name is.
  bool HasValid(const std::string& name) const;

 private:
  class TokenList;
  absl::StatusOr<TokenRecord> FindToken(const std::optional<std::string_view>& authorization) const;

  std::shared_ptr<TokenList> tokens_;
  std::string hint_path_;
  Clock* clock_;
};

// Refuses an address that other machines can reach, unless TLS and a token file guard it
// (`guarded`): kInvalidArgument names the flags that would make it safe. `listen` is HOST:PORT.
absl::Status CheckListenAddress(const std::string& listen, bool guarded);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_AUTHENTICATION_H_
