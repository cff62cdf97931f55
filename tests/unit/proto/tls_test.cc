// Which files make a TLS identity, and when plain text is refused.
#include "proto/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr char kPem[] = "-----BEGIN CERTIFICATE-----\n";

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    std::string path = testing::TempDir() + "etude.tls.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    files_ = {path + "/cert.pem", path + "/cert.key", path + "/ca.pem"};
    for (const std::string& file : {files_.cert, files_.key, files_.ca}) {
      EXPECT_TRUE(WriteFileAtomically(file, kPem, 0600).ok());
    }
  }
  ~TlsFilesTest() override {
    std::filesystem::remove_all(std::filesystem::path(files_.cert).parent_path());
  }
  TlsFiles files_;
};

TEST_F(TlsFilesTest, AllThreeMakeAnIdentityAndNoneMakesNone) {
  EXPECT_TRUE(ReadTls(files_).value().has_value());
  EXPECT_FALSE(ReadTls({}).value().has_value());
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
