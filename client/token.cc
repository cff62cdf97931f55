// etude token new
#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <memory>
#include <optional>

#include "client/arguments.h"
#include "client/command.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kTokenRandomBytes = 32;
constexpr unsigned kPrivateMode = 0600;
constexpr std::int64_t kMaxTokensBytes = std::int64_t{4} << 20;
constexpr std::size_t kMaxOwnerBytes = 64;

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
  std::string token = "etude_";
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

absl::StatusOr<std::string> ExpiryText(Session& session, const std::string& expires) {
  if (expires.empty()) return std::string("never");
  ASSIGN_OR_RETURN(const absl::Duration life, ParseDuration(expires));
  return ToIso8601(session.clock().Now() + life);
}

absl::StatusOr<ExitCode> New(Session& session, const TokenFlags& flags) {
  if (FileExists(flags.out)) {
    return WithHint(AlreadyExists(flags.out + " exists; a token is not written over another"),
                    "choose another --out");
  }
  const std::string owner = flags.name.empty() ? flags.role : flags.name;
  if (owner.size() > kMaxOwnerBytes || !IsSafeFileName(owner)) {
    return InvalidArgument("--name: up to 64 of letters, digits and . _ -");
  }
  ASSIGN_OR_RETURN(const std::string expires, ExpiryText(session, flags.expires));
  std::string known;
  if (FileExists(flags.tokens)) {
    const absl::StatusOr<std::string> text = ReadFile(flags.tokens, kMaxTokensBytes);
    if (!text.ok()) return OfLocalFile(text.status());
    known = *text;
  }
  if (!known.empty() && known.back() != '\n') known += '\n';
  ASSIGN_OR_RETURN(const std::string token, NewToken());
  known += fmt::format("{} {} {} {}\n", flags.role, Sha256Hex(token), expires, owner);
  RETURN_IF_ERROR(OfLocalFile(WriteFileAtomically(flags.tokens, known, kPrivateMode)));
  RETURN_IF_ERROR(OfLocalFile(WriteFileAtomically(flags.out, token + "\n", kPrivateMode)));
  Report report;
  report.facts = {{{"role", "role"}, flags.role},
                  {{"name", "name"}, owner},
                  {{"expires", "expires"}, expires},
                  {{"token_file", "token file"}, flags.out},
                  {{"tokens", "the coordinator's"}, flags.tokens}};
  session.Print(report);
  session.Say("the coordinator reads " + flags.tokens +
              " when it starts; remove the line to revoke");
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
