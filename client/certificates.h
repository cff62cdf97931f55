// Certificates for a coordinator and its callers: a private authority and what it signs.
#ifndef ETUDE_CLIENT_CERTIFICATES_H_
#define ETUDE_CLIENT_CERTIFICATES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace etude {

// Certificates begin so long ago, so that a machine whose clock is behind believes them too.
inline constexpr absl::Duration kCertificateBackdated = absl::Hours(2 * 365 * 24);
inline constexpr absl::Duration kAuthorityLife = absl::Hours(10 * 365 * 24);
inline constexpr absl::Duration kCertificateLife = absl::Hours(3 * 365 * 24);
inline constexpr std::size_t kMaxCertificateHosts = 100;

struct PemPair {
  std::string cert;
  std::string key;  // PKCS 8, not encrypted: the file's mode guards it
};

struct CertificateSet {
  PemPair authority;
  PemPair server;  // names `hosts`, localhost and the loopback addresses
  PemPair worker;
  PemPair client;
};

// ECDSA on P-256 with SHA-256. `hosts`: names or IP addresses under which the coordinator is
// called. kInvalidArgument: none, too many, or one that is neither. kInternal: OpenSSL's words.
absl::StatusOr<CertificateSet> MakeCertificates(const std::vector<std::string>& hosts,
                                                absl::Time now);

}  // namespace etude

#endif  // ETUDE_CLIENT_CERTIFICATES_H_
