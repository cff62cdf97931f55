#include "coordinator/authentication.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kTokenRandomBytes = 32;
constexpr unsigned kOwnerOnly = 0600;
constexpr std::string_view kBearer = "Bearer ";
constexpr int kMaxPort = 65535;
constexpr std::int64_t kMaxTokenFileBytes = std::int64_t{4} << 20;

constexpr CallRule kCallRules[] = {
    {"/grpc.health.v1.Health/Check", Access::kOpen},
    {"/grpc.health.v1.Health/Watch", Access::kOpen},
    {"/etude.v1.WorkerService/Register", Access::kWorker},
    {"/etude.v1.WorkerService/Acquire", Access::kWorker},
    {"/etude.v1.WorkerService/Heartbeat", Access::kWorker},
    {"/etude.v1.WorkerService/Report", Access::kWorker},
    {"/etude.v1.WorkerService/CommitCheckpoint", Access::kWorker},
    {"/etude.v1.WorkerService/Finish", Access::kWorker},
    {"/etude.v1.WorkerService/ShipLog", Access::kWorker},
    {"/etude.v1.BlobService/Stat", Access::kBlobRead},
    {"/etude.v1.BlobService/Read", Access::kBlobRead},
    {"/etude.v1.BlobService/Write", Access::kBlobWrite},
    {"/etude.v1.ClientService/GetInfo", Access::kRead},
    {"/etude.v1.ClientService/PushCorpus", Access::kSubmit},
    {"/etude.v1.ClientService/GetCorpus", Access::kRead},
    {"/etude.v1.ClientService/ListCorpora", Access::kRead},
    {"/etude.v1.ClientService/SubmitSweep", Access::kSubmit},
    {"/etude.v1.ClientService/ListSweeps", Access::kRead},
    {"/etude.v1.ClientService/GetSweep", Access::kRead},
    {"/etude.v1.ClientService/WatchSweep", Access::kRead},
    {"/etude.v1.ClientService/CancelSweep", Access::kSubmit},
    {"/etude.v1.ClientService/DeleteSweep", Access::kAdmin},
    {"/etude.v1.ClientService/ControlSweep", Access::kSubmit},
    {"/etude.v1.ClientService/RetrySweep", Access::kSubmit},
    {"/etude.v1.ClientService/CancelRun", Access::kSubmit},
    {"/etude.v1.ClientService/RetryRun", Access::kSubmit},
    {"/etude.v1.ClientService/ExplainRun", Access::kRead},
    {"/etude.v1.ClientService/TailLog", Access::kRead},
    {"/etude.v1.ClientService/DrainWorker", Access::kAdmin},
    {"/etude.v1.ClientService/ListRuns", Access::kRead},
    {"/etude.v1.ClientService/GetRun", Access::kRead},
    {"/etude.v1.ClientService/GetCurve", Access::kRead},
    {"/etude.v1.ClientService/FitSweep", Access::kRead},
    {"/etude.v1.ClientService/ListPredictions", Access::kRead},
    {"/etude.v1.ClientService/ListWorkers", Access::kRead},
    {"/etude.v1.StoreService/GetStore", Access::kRead},
    {"/etude.v1.StoreService/Backup", Access::kAdmin},
    {"/etude.v1.StoreService/Verify", Access::kAdmin},
    {"/etude.v1.BundleService/Export", Access::kRead},
    // Not the submitter's: equal runs of every sweep take the imported results for theirs.
    {"/etude.v1.BundleService/Import", Access::kAdmin},
};

struct NamedRole {
  Role role;
  std::string_view name;
};
constexpr NamedRole kRoles[] = {{Role::kRead, "read"},
                                {Role::kSubmit, "submit"},
                                {Role::kAdmin, "admin"},
                                {Role::kWorker, "worker"},
                                {Role::kOwner, "owner"}};

std::string_view AccessName(Access access) {
  switch (access) {
    case Access::kOpen:
      return "no token";
    case Access::kRead:
    case Access::kBlobRead:
      return "read";
    case Access::kSubmit:
      return "submit";
    case Access::kAdmin:
      return "admin";
    case Access::kWorker:
      return "worker";
    case Access::kBlobWrite:
      return "submit or worker";
  }
  ENSURE(!"an access");
  return "";
}

std::string NewToken() {
  std::array<unsigned char, kTokenRandomBytes> bytes{};
  ENSURE(RAND_bytes(bytes.data(), kTokenRandomBytes) == 1);
  std::string token = kTokenPrefix;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

absl::Status MakeTokenFile(const std::string& path) {
  return Annotate(WriteFileAtomically(path, NewToken() + "\n", kOwnerOnly), "make the token file");
}

absl::Status CheckOwnerOnly(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0 || (facts.st_mode & 077) == 0) return absl::OkStatus();
  return PermissionDenied("token file " + path + " may be read by others; type: chmod 600 " + path);
}

absl::StatusOr<std::string> ReadOwnToken(const std::string& path) {
  if (!FileExists(path)) RETURN_IF_ERROR(MakeTokenFile(path));
  RETURN_IF_ERROR(CheckOwnerOnly(path));
  ASSIGN_OR_RETURN(std::string token, ReadFile(path, kMaxTokenBytes));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (!token.empty()) return token;
  return InvalidArgument("token file " + path + " is empty; remove it and start again: rm " + path);
}

absl::StatusOr<std::int64_t> ExpiryOf(const std::string& text) {
  if (text == "never") return kNeverExpires;
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return ToMicros(time);
  return InvalidArgument("EXPIRES is neither \"never\" nor a time like 2030-01-31T00:00:00Z");
}

// Its messages repeat no word of the line: it may be a token by mistake.
absl::StatusOr<TokenRecord> ParseTokenLine(const std::string& line) {
  if (line.find(kTokenPrefix) != std::string::npos) {
    return InvalidArgument(
        "this is a token, where the list of hashes belongs; name the file that etude token new "
        "--tokens wrote");
  }
  std::istringstream words(line);
  std::string role;
  std::string expires;
  TokenRecord record;
  words >> role >> record.sha256 >> expires >> record.name;
  const std::optional<Role> known = RoleFromName(role);
  if (!known) return InvalidArgument("ROLE is none of read, submit, admin, worker");
  record.role = *known;
  if (!IsSha256Hex(record.sha256)) {
    return InvalidArgument("expected ROLE SHA256 EXPIRES NAME, the hash 64 hex digits");
  }
  ASSIGN_OR_RETURN(record.expires_at_us, ExpiryOf(expires));
  return record;
}

TokenRecord OwnerOf(const std::string& token) {
  return {Role::kOwner, Sha256Hex(token), kNeverExpires, "owner"};
}

}  // namespace

std::span<const CallRule> CallRules() { return kCallRules; }

std::string_view RoleName(Role role) {
  for (const NamedRole& known : kRoles) {
    if (known.role == role) return known.name;
  }
  ENSURE(!"a role");
  return "";
}

std::optional<Role> RoleFromName(std::string_view name) {
  for (const NamedRole& known : kRoles) {
    if (known.name == name && known.role != Role::kOwner) return known.role;
  }
  return std::nullopt;
}

bool MayCall(Role role, Access access) {
  if (role == Role::kOwner) return true;
  const bool worker = role == Role::kWorker;
  switch (access) {
    case Access::kOpen:
    case Access::kBlobRead:
      return true;
    case Access::kRead:
      return !worker;
    case Access::kSubmit:
      return role == Role::kSubmit || role == Role::kAdmin;
    case Access::kAdmin:
      return role == Role::kAdmin;
    case Access::kWorker:
      return worker;
    case Access::kBlobWrite:
      return role != Role::kRead;
  }
  ENSURE(!"an access");
  return false;
}

absl::StatusOr<std::vector<TokenRecord>> ParseTokenFile(std::string_view text,
                                                        const std::string& path) {
  std::vector<TokenRecord> records;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    line.resize(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    absl::StatusOr<TokenRecord> record = ParseTokenLine(line);
    if (!record.ok()) return Annotate(record.status(), path + ":" + std::to_string(number));
    if (records.size() == kMaxTokens) {
      return InvalidArgument(path + ": more than " + std::to_string(kMaxTokens) + " tokens");
    }
    records.push_back(*std::move(record));
  }
  return records;
}

// The owner's token, and those of a file, as of its last change.
class Authentication::TokenList {
 public:
  using Records = std::shared_ptr<const std::vector<TokenRecord>>;

  TokenList(std::vector<TokenRecord> records, Clock& clock)
      : clock_(clock), records_(std::make_shared<std::vector<TokenRecord>>(std::move(records))) {}

  // Adds the file's records to those there are.
  absl::Status Follow(const std::string& path) {
    const MutexLock lock(mutex_);
    own_ = *records_;
    path_ = path;
    read_at_ = clock_.MonotonicNow();
    return Read();
  }

  Records Current() {
    const MutexLock lock(mutex_);
    const absl::Time now = clock_.MonotonicNow();
    if (path_.empty() || now - read_at_ < kTokensReadEvery) return records_;
    read_at_ = now;
    if (StampOf(path_) == stamp_) return records_;
    const absl::Status read = Read();
    if (read.ok()) {
      LogInfo(fmt::format("read {} again: {} tokens", path_, records_->size() - own_.size()));
    } else {
      LogError("the tokens stay as they were: " + MessageOf(read));
    }
    return records_;
  }

 private:
  // What differs once a file is another or was changed.
  using Stamp = std::array<std::int64_t, 4>;
  static Stamp StampOf(const std::string& path) {
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) return {};
    return {static_cast<std::int64_t>(facts.st_ino), static_cast<std::int64_t>(facts.st_size),
            facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
  }

  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    stamp_ = StampOf(path_);
    RETURN_IF_ERROR(CheckOwnerOnly(path_));
    ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kMaxTokenFileBytes));
    ASSIGN_OR_RETURN(std::vector<TokenRecord> records, ParseTokenFile(text, path_));
    records.insert(records.end(), own_.begin(), own_.end());
    records_ = std::make_shared<std::vector<TokenRecord>>(std::move(records));
    return absl::OkStatus();
  }

  Clock& clock_;
  Mutex mutex_;
  std::string path_ ABSL_GUARDED_BY(mutex_);
  std::vector<TokenRecord> own_ ABSL_GUARDED_BY(mutex_);
  Records records_ ABSL_GUARDED_BY(mutex_);
  Stamp stamp_ ABSL_GUARDED_BY(mutex_) = {};
  absl::Time read_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

absl::StatusOr<Authentication> Authentication::Open(const std::string& state_dir,
                                                    const std::string& token_file, Clock& clock) {
  const std::string own_path = state_dir + "/" + kTokenFile;
  ASSIGN_OR_RETURN(const std::string own, ReadOwnToken(own_path));
  Authentication authentication({OwnerOf(own)}, own_path, clock);
  if (!token_file.empty()) RETURN_IF_ERROR(authentication.tokens_->Follow(token_file));
  return authentication;
}

Authentication::Authentication(const std::vector<TokenRecord>& tokens, const std::string& hint_path,
                               Clock& clock)
    : tokens_(std::make_shared<TokenList>(tokens, clock)), hint_path_(hint_path), clock_(&clock) {}

Authentication::Authentication(const std::string& token, const std::string& hint_path)
    : Authentication(std::vector<TokenRecord>{OwnerOf(token)}, hint_path, SystemClock()) {}

absl::StatusOr<TokenRecord> Authentication::FindToken(
    const std::optional<std::string_view>& authorization) const {
  const std::string hint = "; the owner's is in " + hint_path_ +
                           " on the coordinator's machine, others are made with etude token new; "
                           "name a copy of the file in $ETUDE_TOKEN_FILE";
  if (!authorization || authorization->substr(0, kBearer.size()) != kBearer) {
    return Unauthenticated("this call needs a token" + hint);
  }
  const std::string offered =
      Sha256Hex(authorization->substr(kBearer.size()).substr(0, kMaxTokenBytes));
  const TokenList::Records tokens = tokens_->Current();
  const TokenRecord* found = nullptr;
  for (const TokenRecord& token : *tokens) {  // all of them, whichever it is
    if (CRYPTO_memcmp(offered.data(), token.sha256.data(), offered.size()) == 0) found = &token;
  }
  if (found == nullptr) return Unauthenticated("the coordinator does not know this token" + hint);
  if (ToMicros(clock_->Now()) >= found->expires_at_us) {
    return Unauthenticated("this token (" + found->name + ") has expired" + hint);
  }
  return *found;
}

bool Authentication::HasValid(const std::string& name) const {
  const TokenList::Records tokens = tokens_->Current();
  const std::int64_t now_us = ToMicros(clock_->Now());
  return std::any_of(tokens->begin(), tokens->end(), [&](const TokenRecord& token) {
    return token.name == name && now_us < token.expires_at_us;
  });
}

bool Authentication::IsValid(const CallerId& caller) const {
  const TokenList::Records tokens = tokens_->Current();
  const std::int64_t now_us = ToMicros(clock_->Now());
  return std::any_of(tokens->begin(), tokens->end(), [&](const TokenRecord& token) {
    return token.sha256 == caller.token_sha256 && now_us < token.expires_at_us;
  });
}

absl::StatusOr<CallerId> Authentication::Check(
    std::string_view method, const std::optional<std::string_view>& authorization) const {
  const auto rule = std::find_if(std::begin(kCallRules), std::end(kCallRules),
                                 [&](const CallRule& known) { return known.method == method; });
  if (rule == std::end(kCallRules)) {
    return PermissionDenied("call " + std::string(method) + " is not in the table of calls");
  }
  if (rule->access == Access::kOpen) return CallerId{};
  ASSIGN_OR_RETURN(const TokenRecord token, FindToken(authorization));
  if (MayCall(token.role, rule->access)) return CallerId{token.sha256, token.name};
  return PermissionDenied(fmt::format(
      "a token with the role {} may not call {}; it takes {}: etude token new {} --tokens FILE "
      "--out FILE",
      RoleName(token.role), method.substr(method.rfind('/') + 1), AccessName(rule->access),
      rule->access == Access::kBlobWrite ? "submit" : AccessName(rule->access)));
}

absl::Status CheckListenAddress(const std::string& listen, bool guarded) {
  const std::size_t colon = listen.rfind(':');
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  int number = -1;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 0 || number > kMaxPort) {
    return InvalidArgument("listen address \"" + listen +
                           "\": expected HOST:PORT, as in --listen 127.0.0.1:7433");
  }
  if (guarded) return absl::OkStatus();
  const std::string host = listen.substr(0, colon);
  if (host == "localhost" || host == "[::1]") return absl::OkStatus();
  if (host.substr(0, 4) == "127." && host.find_first_not_of("0123456789.") == std::string::npos) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "listen address \"" + listen +
      "\" can be reached by other machines, which takes --tls-cert, --tls-key, --tls-ca and "
      "--token-file; make them with: etude cert init HOST --out DIR. Or listen on this machine: "
      "etude-coordinator --listen 127.0.0.1:" +
      port);
}

}  // namespace etude
