#include "client/certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kSerialBits = 127;
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035

template <auto Free>
struct Freed {
  template <typename Object>
  void operator()(Object* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

absl::Status OpenSslError(const std::string& what) {
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof(text));
  return Internal(fmt::format("{}: {}", what, text));
}

// What one certificate says.
struct Subject {
  std::string name;  // common name
  bool authority = false;
  std::string usage;      // extended: "serverAuth"; empty: any
  std::string alt_names;  // "DNS:a,IP:10.0.0.1"; empty: none
  absl::Duration life;
};

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

absl::Status CheckHost(const std::string& host) {
  const bool digits = host.find_first_not_of("0123456789.") == std::string::npos;
  const bool name = !host.empty() && !digits && host.size() <= kMaxHostBytes &&
                    std::all_of(host.begin(), host.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
                    });
  if (name || IsAddress(host)) return absl::OkStatus();
  return InvalidArgument("\"" + host.substr(0, kMaxHostBytes) +
                         "\" is neither a host's name nor an IP address; leave its port out");
}

std::string AltNames(const std::vector<std::string>& hosts) {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  for (const std::string& host : hosts) {
    names += (IsAddress(host) ? ",IP:" : ",DNS:") + host;
  }
  return names;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return OpenSslError("certificate extension " + value);
  }
  return absl::OkStatus();
}

absl::Status AddExtensions(X509* certificate, X509* issuer, const Subject& subject) {
  const std::pair<int, std::string> extensions[] = {
      {NID_basic_constraints,
       subject.authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"},
      {NID_key_usage,
       subject.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"},
      {NID_ext_key_usage, subject.usage},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
      {NID_subject_alt_name, subject.alt_names}};
  for (const auto& [nid, value] : extensions) {
    if (!value.empty()) RETURN_IF_ERROR(AddExtension(certificate, issuer, nid, value));
  }
  return absl::OkStatus();
}

absl::Status SetFacts(X509* certificate, const Subject& subject, absl::Time now) {
  const Number serial(BN_new());
  const bool numbered =
      serial != nullptr &&
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(subject.name.c_str());
  const bool set = numbered && X509_set_version(certificate, X509_VERSION_3) == 1 &&
                   ASN1_TIME_set(X509_getm_notBefore(certificate),
                                 absl::ToTimeT(now - kCertificateBackdated)) != nullptr &&
                   ASN1_TIME_set(X509_getm_notAfter(certificate),
                                 absl::ToTimeT(now + subject.life)) != nullptr &&
                   X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1;
  return set ? absl::OkStatus() : OpenSslError("certificate of " + subject.name);
}

struct Identity {
  Key key;
  Certificate certificate;
};

// `authority`: nullptr for one that signs itself.
absl::StatusOr<Identity> MakeIdentity(const Subject& subject, const Identity* authority,
                                      absl::Time now) {
  Identity identity{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  if (identity.key == nullptr || identity.certificate == nullptr) {
    return OpenSslError("key of " + subject.name);
  }
  const Identity& issuer = authority == nullptr ? identity : *authority;
  X509* certificate = identity.certificate.get();
  RETURN_IF_ERROR(SetFacts(certificate, subject, now));
  if (X509_set_pubkey(certificate, identity.key.get()) != 1 ||
      X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get())) != 1) {
    return OpenSslError("certificate of " + subject.name);
  }
  RETURN_IF_ERROR(AddExtensions(certificate, issuer.certificate.get(), subject));
  if (X509_sign(certificate, issuer.key.get(), EVP_sha256()) == 0) {
    return OpenSslError("sign the certificate of " + subject.name);
  }
  return identity;
}

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

absl::StatusOr<PemPair> ToPem(const Identity& identity) {
  const Bio cert(BIO_new(BIO_s_mem()));
  const Bio key(BIO_new(BIO_s_mem()));
  if (cert == nullptr || key == nullptr ||
      PEM_write_bio_X509(cert.get(), identity.certificate.get()) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key.get(), identity.key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1) {
    return OpenSslError("write PEM");
  }
  return PemPair{TextOf(cert.get()), TextOf(key.get())};
}

absl::StatusOr<PemPair> MakeLeaf(const Subject& subject, const Identity& authority,
                                 absl::Time now) {
  ASSIGN_OR_RETURN(const Identity identity, MakeIdentity(subject, &authority, now));
  return ToPem(identity);
}

}  // namespace

absl::StatusOr<CertificateSet> MakeCertificates(const std::vector<std::string>& hosts,
                                                absl::Time now) {
  if (hosts.empty() || hosts.size() > kMaxCertificateHosts) {
    return InvalidArgument(
        fmt::format("{} hosts: name 1 to {} under which the coordinator is called", hosts.size(),
                    kMaxCertificateHosts));
  }
  for (const std::string& host : hosts) RETURN_IF_ERROR(CheckHost(host));
  ASSIGN_OR_RETURN(const Identity authority,
                   MakeIdentity({"etude authority", true, "", "", kAuthorityLife}, nullptr, now));
  CertificateSet set;
  ASSIGN_OR_RETURN(set.authority, ToPem(authority));
  ASSIGN_OR_RETURN(set.server, MakeLeaf({"etude coordinator", false, "serverAuth", AltNames(hosts),
                                         kCertificateLife},
                                        authority, now));
  ASSIGN_OR_RETURN(set.worker, MakeLeaf({"etude worker", false, "clientAuth", "", kCertificateLife},
                                        authority, now));
  ASSIGN_OR_RETURN(set.client, MakeLeaf({"etude client", false, "clientAuth", "", kCertificateLife},
                                        authority, now));
  return set;
}

}  // namespace etude
