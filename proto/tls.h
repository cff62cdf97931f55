// Mutual TLS between the coordinator and those who call it: both sides show a certificate of the
// same authority (`etude cert init`). TLS 1.2 or newer, gRPC's own implementation.
#ifndef ETUDE_PROTO_TLS_H_
#define ETUDE_PROTO_TLS_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace etude {

// Paths of PEM files; all empty: no TLS.
struct TlsFiles {
  std::string cert;  // one's own certificate
  std::string key;   // and its private key, which only its owner may read
  std::string ca;    // the authority whose certificates are believed
};

struct TlsIdentity {
  std::string cert_pem;
  std::string key_pem;
  std::string ca_pem;
};

// nullopt: no file is named. kInvalidArgument: only some are, one is not what it should be, or the
// key is not the certificate's; names the flags.
// kPermissionDenied: group or others may read the key. kNotFound.
absl::StatusOr<std::optional<TlsIdentity>> ReadTls(const TlsFiles& files);

// kInvalidArgument: without TLS a token would leave this machine in plain text. `endpoint` is
// HOST:PORT.
absl::Status CheckPlainText(const std::string& endpoint,
                            const std::optional<TlsIdentity>& identity);
// True for 127.x.x.x, localhost and [::1].
bool IsLoopback(const std::string& endpoint);

// Without an identity plain text, which is for this machine alone.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(
    const std::optional<TlsIdentity>& identity);
// A client without a certificate of the authority is turned away in the handshake.
std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(
    const std::optional<TlsIdentity>& identity);

}  // namespace etude

#endif  // ETUDE_PROTO_TLS_H_
