// etude token new
#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <filesystem>
#include <memory>

#include "client/arguments.h"
#include "client/command.h"
#include "client/file_lock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kTokenPrefix[] = "etude_";
constexpr int kTokenRandomBytes = 32;
constexpr unsigned kPrivateMode = 0600;
constexpr std::int64_t kMaxTokensBytes = std::int64_t{4} << 20;
constexpr std::size_t kMaxOwnerBytes = 64;
constexpr absl::Duration kLockLimit = absl::Seconds(10);

struct TokenFlags {
  std::string role;
  std::string tokens;
  std::string out;
  std::string name;
  std::string expires;
};

absl::StatusOr<std::string> NewToken() {
  std::array<unsigned char, kTokenRandomBytes> bytes{};
  if (RAND_bytes(bytes.data(), kTokenRandomBytes) != 1) {
    return Internal("the system gives no random bytes");
  }
  std::string token = kTokenPrefix;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

absl::StatusOr<std::string> ExpiryText(Session& session, const std::string& expires) {
  if (expires.empty()) return std::string("never");
  ASSIGN_OR_RETURN(const absl::Duration life, ParseDuration(expires));
  return ToIso8601(session.clock().Now() + life);
}

// The lines of the coordinator's file. kInvalidArgument: it holds something else, as a token
// itself.
absl::StatusOr<std::string> ReadTokens(const std::string& path) {
  if (!FileExists(path)) return std::string();
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxTokensBytes));
  if (text.find(kTokenPrefix) != std::string::npos) {
    return WithHint(InvalidArgument(path + " holds a token, not the coordinator's list of hashes"),
                    "name another file: --tokens FILE");
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

absl::Status CheckFlags(const TokenFlags& flags, const std::string& owner) {
  if (std::filesystem::weakly_canonical(flags.out) ==
      std::filesystem::weakly_canonical(flags.tokens)) {
    return WithHint(
        InvalidArgument("--out and --tokens are one file: the first gets the token, the "
                        "second only its hash"),
        "name two files");
  }
  if (FileExists(flags.out)) {
    return WithHint(AlreadyExists(flags.out + " exists; a token is not written over another"),
                    "choose another --out");
  }
  if (owner.size() > kMaxOwnerBytes || !IsSafeFileName(owner)) {
    return InvalidArgument("--name: up to 64 of letters, digits and . _ -");
  }
  return absl::OkStatus();
}

absl::Status WriteToken(const TokenFlags& flags, const std::string& owner,
                        const std::string& expires, Clock& clock) {
  // Two calls at once must not lose a line.
  ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(flags.tokens + ".lock", kLockLimit, clock));
  ASSIGN_OR_RETURN(std::string tokens, ReadTokens(flags.tokens));
  ASSIGN_OR_RETURN(const std::string token, NewToken());
  tokens += fmt::format("{} {} {} {}\n", flags.role, Sha256Hex(token), expires, owner);
  // The token first: a hash whose token nobody has would be of no use.
  RETURN_IF_ERROR(WriteFileAtomically(flags.out, token + "\n", kPrivateMode));
  return WriteFileAtomically(flags.tokens, tokens, kPrivateMode);
}

absl::StatusOr<ExitCode> New(Session& session, const TokenFlags& flags) {
  const std::string owner = flags.name.empty() ? flags.role : flags.name;
  RETURN_IF_ERROR(CheckFlags(flags, owner));
  ASSIGN_OR_RETURN(const std::string expires, ExpiryText(session, flags.expires));
  RETURN_IF_ERROR(OfLocalFile(WriteToken(flags, owner, expires, session.clock())));
  Report report;
  report.facts = {{{"role", "role"}, flags.role},
                  {{"name", "name"}, owner},
                  {{"expires", "expires"}, expires},
                  {{"token_file", "token file"}, flags.out},
                  {{"tokens", "the coordinator's"}, flags.tokens}};
  session.Print(report);
  session.Say("the coordinator reads " + flags.tokens +
              " again when it changes; remove the line to revoke");
  return ExitCode::kOk;
}

}  // namespace

void AddToken(CommandTree& tree) {
  CLI::App* noun = AddNoun(
      tree,
      {"token",
       "Tokens for callers on other machines.",
       {"etude token new worker --tokens tls/tokens --out tls/worker.token",
        "etude token new read --tokens tls/tokens --out ana.token --name ana --expires 2160h"},
       ""});
  const auto flags = std::make_shared<TokenFlags>();
  CLI::App* command = AddCommand(
      tree, *noun,
      {"new",
       "Make a token of a role.",
       {"etude token new worker --tokens tls/tokens --out tls/worker.token",
        "etude token new read --tokens tls/tokens --out ana.token --name ana --expires 2160h"},
       "Roles: read looks and fits, submit also pushes, submits and cancels, admin everything a\n"
       "person may, worker trains. The coordinator's file keeps a hash alone; the token is "
       "written\n"
       "to --out, readable by its owner, and never printed."},
      [flags](Session& session) { return New(session, *flags); });
  command->add_option("role", flags->role, "read, submit, admin or worker")
      ->required()
      ->type_name("ROLE")
      ->check(CLI::IsMember({"read", "submit", "admin", "worker"}));
  command->add_option("--tokens", flags->tokens, "the coordinator's token file; a line is added")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", flags->out, "where the token goes")->required()->type_name("FILE");
  command->add_option("--name", flags->name, "whose it is (default: the role)")->type_name("NAME");
  command->add_option("--expires", flags->expires, "after so long (default: never)")
      ->type_name("DURATION");
}

}  // namespace etude
