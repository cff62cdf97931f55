#include "proto/tls.h"

#include <sys/stat.h>

#include <utility>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::int64_t kMaxPemBytes = 1 << 20;
constexpr char kHint[] = "; make all of them with: etude cert init HOST --out DIR";

absl::StatusOr<std::string> ReadPem(const std::string& flag, const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxPemBytes);
  if (!text.ok()) return Annotate(text.status(), flag);
  if (text->find("-----BEGIN ") == std::string::npos) {
    return InvalidArgument(flag + " " + path + ": it holds no PEM" + kHint);
  }
  return text;
}

absl::Status CheckPrivate(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0 || (facts.st_mode & 077) == 0) return absl::OkStatus();
  return PermissionDenied("--tls-key " + path + " may be read by others; type: chmod 600 " + path);
}

}  // namespace

absl::StatusOr<std::optional<TlsIdentity>> ReadTls(const TlsFiles& files) {
  if (files.cert.empty() && files.key.empty() && files.ca.empty()) {
    return std::optional<TlsIdentity>();
  }
  if (files.cert.empty() || files.key.empty() || files.ca.empty()) {
    return InvalidArgument(std::string("--tls-cert, --tls-key and --tls-ca go together") + kHint);
  }
  TlsIdentity identity;
  ASSIGN_OR_RETURN(identity.cert_pem, ReadPem("--tls-cert", files.cert));
  RETURN_IF_ERROR(CheckPrivate(files.key));
  ASSIGN_OR_RETURN(identity.key_pem, ReadPem("--tls-key", files.key));
  ASSIGN_OR_RETURN(identity.ca_pem, ReadPem("--tls-ca", files.ca));
  return std::optional<TlsIdentity>(std::move(identity));
}

absl::Status CheckPlainText(const std::string& endpoint,
                            const std::optional<TlsIdentity>& identity) {
  if (identity || IsLoopback(endpoint)) return absl::OkStatus();
  return InvalidArgument("the coordinator at " + endpoint +
                         " is on another machine, and a token does not go there in plain text; "
                         "name --tls-ca, --tls-cert and --tls-key" +
                         kHint);
}

bool IsLoopback(const std::string& endpoint) {
  const std::string host = endpoint.substr(0, endpoint.rfind(':'));
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(
    const std::optional<TlsIdentity>& identity) {
  if (!identity) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = identity->ca_pem;
  options.pem_private_key = identity->key_pem;
  options.pem_cert_chain = identity->cert_pem;
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(
    const std::optional<TlsIdentity>& identity) {
  if (!identity) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = identity->ca_pem;
  options.pem_key_cert_pairs.push_back({identity->key_pem, identity->cert_pem});
  return grpc::SslServerCredentials(options);
}

}  // namespace etude
