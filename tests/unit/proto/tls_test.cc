// Which files make a TLS identity, and when plain text is refused.
#include "proto/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using testing::HasSubstr;

// A self-signed certificate, good for these tests alone, and its key.
struct Pem {
  std::string cert;
  std::string key;
};
Pem MakePem() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  BIO* bios[] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(bios[0], certificate);
  PEM_write_bio_PrivateKey(bios[1], key, nullptr, nullptr, 0, nullptr, nullptr);
  std::string texts[2];
  for (int i = 0; i < 2; ++i) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bios[i], &bytes);
    texts[i].assign(bytes, static_cast<std::size_t>(size));
    BIO_free(bios[i]);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {texts[0], texts[1]};
}

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    std::string path = testing::TempDir() + "etude.tls.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    files_ = {path + "/cert.pem", path + "/cert.key", path + "/ca.pem"};
    const Pem pem = MakePem();
    EXPECT_TRUE(WriteFileAtomically(files_.cert, pem.cert, 0600).ok());
    EXPECT_TRUE(WriteFileAtomically(files_.key, pem.key, 0600).ok());
    EXPECT_TRUE(WriteFileAtomically(files_.ca, pem.cert, 0600).ok());
  }
  ~TlsFilesTest() override {
    std::filesystem::remove_all(std::filesystem::path(files_.cert).parent_path());
  }
  TlsFiles files_;
};

TEST_F(TlsFilesTest, AllThreeMakeAnIdentityAndNoneMakesNone) {
  const auto identity = ReadTls(files_);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(identity->has_value());
  EXPECT_FALSE(ReadTls({}).value().has_value());
}

TEST_F(TlsFilesTest, AKeyOfAnotherCertificateIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(files_.key, MakePem().key, 0600).ok());
  EXPECT_THAT(MessageOf(ReadTls(files_).status()), HasSubstr("is not the key of --tls-cert"));
}

TEST_F(TlsFilesTest, AKeyInPlaceOfACertificateIsRefused) {
  files_.ca = files_.key;
  EXPECT_THAT(MessageOf(ReadTls(files_).status()), HasSubstr("--tls-ca"));
}

TEST_F(TlsFilesTest, SomeOfThemAreRefusedByTheirFlags) {
  files_.ca.clear();
  const absl::Status status = ReadTls(files_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("--tls-cert, --tls-key and --tls-ca go together"));
}

TEST_F(TlsFilesTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_EQ(chmod(files_.key.c_str(), 0640), 0);
  const absl::Status status = ReadTls(files_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(MessageOf(status), HasSubstr("chmod 600 " + files_.key));
}

TEST_F(TlsFilesTest, WhatIsNoPemIsRefused) {
  ASSERT_TRUE(WriteFileAtomically(files_.ca, "hello", 0600).ok());
  EXPECT_THAT(MessageOf(ReadTls(files_).status()), HasSubstr("--tls-ca " + files_.ca));
}

TEST_F(TlsFilesTest, PlainTextIsForThisMachineAlone) {
  EXPECT_TRUE(CheckPlainText("127.0.0.1:7433", std::nullopt).ok());
  EXPECT_TRUE(CheckPlainText("10.0.0.1:7433", ReadTls(files_).value()).ok());
  EXPECT_THAT(MessageOf(CheckPlainText("10.0.0.1:7433", std::nullopt)), HasSubstr("--tls-ca"));
}

TEST(EndpointTest, OnlyThisMachineIsLoopback) {
  EXPECT_TRUE(IsLoopback("127.1.2.3:4"));
  EXPECT_TRUE(IsLoopback("[::1]:4"));
  EXPECT_FALSE(IsLoopback("127.0.0.1.example.com:4"));
  EXPECT_FALSE(IsLoopback("10.0.0.1:4"));
}

}  // namespace
}  // namespace etude
