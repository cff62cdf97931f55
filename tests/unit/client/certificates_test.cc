// Certificates as OpenSSL's own program judges them.
#include "client/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "lib/base/clock.h"

namespace etude {
namespace {

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeX509>;

Certificate Read(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Certificate certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return certificate;
}

// 0 is X509_V_OK; `host` is checked when given.
int Verify(const std::string& authority, const std::string& leaf, int purpose, const char* host,
           absl::Time now) {
  const Certificate root = Read(authority);
  const Certificate certificate = Read(leaf);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, root.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, certificate.get(), nullptr);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  X509_VERIFY_PARAM_set_time(parameters, absl::ToTimeT(now));
  if (host != nullptr) X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  X509_verify_cert(context);
  const int error = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return error;
}

const absl::Time kNow = absl::FromUnixSeconds(1'790'000'000);

class CertificatesTest : public testing::Test {
 protected:
  const CertificateSet set_ = MakeCertificates({"big-host", "10.0.0.5"}, kNow).value();
};

TEST_F(CertificatesTest, TheAuthorityVouchesForEachInItsPart) {
  const std::string& ca = set_.authority.cert;
  EXPECT_EQ(Verify(ca, set_.server.cert, X509_PURPOSE_SSL_SERVER, "big-host", kNow), X509_V_OK);
  EXPECT_EQ(Verify(ca, set_.worker.cert, X509_PURPOSE_SSL_CLIENT, nullptr, kNow), X509_V_OK);
  EXPECT_EQ(Verify(ca, set_.client.cert, X509_PURPOSE_SSL_CLIENT, nullptr, kNow), X509_V_OK);
  EXPECT_NE(Verify(ca, set_.client.cert, X509_PURPOSE_SSL_SERVER, nullptr, kNow), X509_V_OK)
      << "a client cannot play the coordinator";
  EXPECT_NE(Verify(ca, set_.server.cert, X509_PURPOSE_SSL_SERVER, "other-host", kNow), X509_V_OK);
}

TEST_F(CertificatesTest, AnotherAuthorityVouchesForNothingOfOurs) {
  const CertificateSet other = MakeCertificates({"big-host"}, kNow).value();
  EXPECT_NE(Verify(other.authority.cert, set_.server.cert, X509_PURPOSE_SSL_SERVER, nullptr, kNow),
            X509_V_OK);
}

TEST_F(CertificatesTest, AClockAYearOffStillBelievesThem) {
  for (const absl::Duration off : {-absl::Hours(365 * 24), absl::Hours(365 * 24)}) {
    EXPECT_EQ(
        Verify(set_.authority.cert, set_.server.cert, X509_PURPOSE_SSL_SERVER, nullptr, kNow + off),
        X509_V_OK);
  }
  EXPECT_NE(Verify(set_.authority.cert, set_.server.cert, X509_PURPOSE_SSL_SERVER, nullptr,
                   kNow + absl::Hours(4 * 365 * 24)),
            X509_V_OK)
      << "but not for ever";
}

TEST(CertificateHostsTest, OnlyNamesAndAddressesAreHosts) {
  EXPECT_TRUE(MakeCertificates({"a-b.example", "::1"}, kNow).ok());
  for (const char* bad : {"", "host:7433", "a b", "a,DNS:evil", "*", "10.0.0.300"}) {
    EXPECT_EQ(MakeCertificates({bad}, kNow).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_FALSE(MakeCertificates({}, kNow).ok());
}

}  // namespace
}  // namespace etude
