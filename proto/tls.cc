#include "proto/tls.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <memory>
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

template <auto Free>
struct Freed {
  template <typename Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Certificate ParseCertificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Key ParseKey(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// gRPC says nothing that a person could act on of files that it cannot use.
absl::Status CheckIdentity(const TlsFiles& files, const TlsIdentity& identity) {
  const Certificate own = ParseCertificate(identity.cert_pem);
  const Key key = ParseKey(identity.key_pem);
  if (own == nullptr) {
    return InvalidArgument("--tls-cert " + files.cert + ": it holds no certificate" + kHint);
  }
  if (key == nullptr) {
    return InvalidArgument("--tls-key " + files.key + ": it holds no private key" + kHint);
  }
  if (ParseCertificate(identity.ca_pem) == nullptr) {
    return InvalidArgument("--tls-ca " + files.ca + ": it holds no certificate" + kHint);
  }
  if (X509_check_private_key(own.get(), key.get()) == 1) return absl::OkStatus();
  return InvalidArgument("--tls-key " + files.key + " is not the key of --tls-cert " + files.cert +
                         "; name the pair that was made together");
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
  RETURN_IF_ERROR(CheckIdentity(files, identity));
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
