#include "coordinator/authentication.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kTokenRandomBytes = 32;
constexpr unsigned kOwnerOnly = 0600;
constexpr std::string_view kBearer = "Bearer ";
constexpr int kMaxPort = 65535;

constexpr CallRule kCallRules[] = {
    {"/grpc.health.v1.Health/Check", Access::kOpen},
    {"/grpc.health.v1.Health/Watch", Access::kOpen},
    {"/etude.v1.WorkerService/Register", Access::kToken},
    {"/etude.v1.WorkerService/Acquire", Access::kToken},
    {"/etude.v1.WorkerService/Heartbeat", Access::kToken},
    {"/etude.v1.WorkerService/Report", Access::kToken},
    {"/etude.v1.WorkerService/CommitCheckpoint", Access::kToken},
    {"/etude.v1.WorkerService/Finish", Access::kToken},
    {"/etude.v1.BlobService/Stat", Access::kToken},
    {"/etude.v1.BlobService/Read", Access::kToken},
    {"/etude.v1.BlobService/Write", Access::kToken},
    {"/etude.v1.ClientService/GetInfo", Access::kToken},
    {"/etude.v1.ClientService/PushCorpus", Access::kToken},
    {"/etude.v1.ClientService/GetCorpus", Access::kToken},
    {"/etude.v1.ClientService/ListCorpora", Access::kToken},
    {"/etude.v1.ClientService/SubmitSweep", Access::kToken},
    {"/etude.v1.ClientService/ListSweeps", Access::kToken},
    {"/etude.v1.ClientService/GetSweep", Access::kToken},
    {"/etude.v1.ClientService/WatchSweep", Access::kToken},
    {"/etude.v1.ClientService/CancelSweep", Access::kToken},
    {"/etude.v1.ClientService/ListRuns", Access::kToken},
    {"/etude.v1.ClientService/GetRun", Access::kToken},
    {"/etude.v1.ClientService/GetCurve", Access::kToken},
    {"/etude.v1.ClientService/FitSweep", Access::kToken},
    {"/etude.v1.ClientService/ListPredictions", Access::kToken},
    {"/etude.v1.ClientService/ListWorkers", Access::kToken},
};

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

}  // namespace

std::span<const CallRule> CallRules() { return kCallRules; }

absl::StatusOr<Authentication> Authentication::Open(const std::string& state_dir) {
  const std::string path = state_dir + "/" + kTokenFile;
  if (!FileExists(path)) RETURN_IF_ERROR(MakeTokenFile(path));
  struct stat facts {};
  if (stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
    return PermissionDenied("token file " + path + " may be read by others; type: chmod 600 " +
                            path);
  }
  ASSIGN_OR_RETURN(std::string token, ReadFile(path, kMaxTokenBytes));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (token.empty()) {
    return InvalidArgument("token file " + path + " is empty; remove it and start again: rm " +
                           path);
  }
  return Authentication(token, path);
}

Authentication::Authentication(const std::string& token, const std::string& token_path)
    : token_sha256_(Sha256Hex(token)), token_path_(token_path) {}

absl::Status Authentication::Check(std::string_view method,
                                   const std::optional<std::string_view>& authorization) const {
  const auto rule = std::find_if(std::begin(kCallRules), std::end(kCallRules),
                                 [&](const CallRule& known) { return known.method == method; });
  if (rule == std::end(kCallRules)) {
    return PermissionDenied("call " + std::string(method) + " is not in the table of calls");
  }
  if (rule->access == Access::kOpen) return absl::OkStatus();
  const std::string hint = "; it is in " + token_path_ +
                           " on the coordinator's machine; name a copy of that file in "
                           "$ETUDE_TOKEN_FILE";
  if (!authorization || authorization->substr(0, kBearer.size()) != kBearer) {
    return Unauthenticated("this call needs the coordinator's token" + hint);
  }
  const std::string_view token = authorization->substr(kBearer.size());
  const std::string offered = Sha256Hex(token.substr(0, kMaxTokenBytes));
  if (CRYPTO_memcmp(offered.data(), token_sha256_.data(), token_sha256_.size()) != 0) {
    return Unauthenticated("this is not the coordinator's token" + hint);
  }
  return absl::OkStatus();
}

absl::Status CheckListenAddress(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  int number = -1;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 0 || number > kMaxPort) {
    return InvalidArgument("listen address \"" + listen +
                           "\": expected HOST:PORT, as in --listen 127.0.0.1:7433");
  }
  const std::string host = listen.substr(0, colon);
  if (host == "localhost" || host == "[::1]") return absl::OkStatus();
  if (host.substr(0, 4) == "127." && host.find_first_not_of("0123456789.") == std::string::npos) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "listen address \"" + listen +
      "\" can be reached by other machines, which takes --tls-cert --tls-key --tls-ca "
      "--token-file; TLS is not in this version yet. Listen on this machine: "
      "etude-coordinator --listen 127.0.0.1:" +
      port);
}

}  // namespace etude
