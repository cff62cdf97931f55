#include "coordinator/authentication.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kMethod[] = "/etude.v1.ClientService/GetInfo";

class AuthenticationTest : public testing::Test {
 protected:
  AuthenticationTest() {
    std::string path = testing::TempDir() + "etude.authentication.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  ~AuthenticationTest() override { std::filesystem::remove_all(directory_); }
  std::string TokenPath() const { return directory_ + "/token"; }
  std::string Token() const {
    std::string token;
    std::ifstream(TokenPath()) >> token;
    return token;
  }
  std::string directory_;
};

TEST_F(AuthenticationTest, TheFirstStartMakesATokenThatOnlyItsOwnerMayRead) {
  ASSERT_TRUE(Authentication::Open(directory_).ok());
  struct stat facts {};
  ASSERT_EQ(stat(TokenPath().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(Token().size(), 6u + 64u);
  EXPECT_EQ(Token().substr(0, 6), "etude_");
  EXPECT_EQ(Token().find_first_not_of("0123456789abcdef", 6), std::string::npos);
}

TEST_F(AuthenticationTest, ALaterStartKeepsTheToken) {
  ASSERT_TRUE(Authentication::Open(directory_).ok());
  const std::string token = Token();
  const auto again = Authentication::Open(directory_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Token(), token);
  EXPECT_TRUE(again->Check(kMethod, "Bearer " + token).ok());
}

TEST_F(AuthenticationTest, ATokenFileThatOthersMayReadIsRefused) {
  ASSERT_TRUE(Authentication::Open(directory_).ok());
  chmod(TokenPath().c_str(), 0644);
  EXPECT_EQ(Authentication::Open(directory_).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(AuthenticationCheckTest, OnlyTheWholeTokenPasses) {
  const Authentication authentication("etude_abc", "/state/token");
  EXPECT_TRUE(authentication.Check(kMethod, "Bearer etude_abc").ok());
  for (const char* wrong : {"Bearer etude_abd", "Bearer etude_ab", "Bearer etude_abcd", "Bearer ",
                            "etude_abc", "bearer etude_abc", "Basic etude_abc", ""}) {
    const absl::Status status = authentication.Check(kMethod, wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_NE(MessageOf(status).find("/state/token"), std::string::npos);
  }
  EXPECT_EQ(authentication.Check(kMethod, std::nullopt).code(), absl::StatusCode::kUnauthenticated);
}

TEST(AuthenticationCheckTest, HealthIsOpenAndUnknownCallsAreRefusedEvenWithTheToken) {
  const Authentication authentication("etude_abc", "/state/token");
  EXPECT_TRUE(authentication.Check("/grpc.health.v1.Health/Check", std::nullopt).ok());
  EXPECT_EQ(authentication.Check("/etude.v1.ClientService/Drop", "Bearer etude_abc").code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(ListenAddressTest, OnlyThisMachinesAddressesAreTaken) {
  for (const char* good : {"127.0.0.1:7433", "127.0.0.1:0", "localhost:1", "[::1]:7433"}) {
    EXPECT_TRUE(CheckListenAddress(good).ok()) << good;
  }
  for (const char* bad :
       {"0.0.0.0:7433", "192.168.1.5:7433", "[::]:7433", "example.org:7433", "127.evil.org:7433"}) {
    const absl::Status status = CheckListenAddress(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    for (const char* flag : {"--tls-cert", "--tls-key", "--tls-ca", "--token-file"}) {
      EXPECT_NE(MessageOf(status).find(flag), std::string::npos) << bad;
    }
  }
  for (const char* malformed :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:-1"}) {
    EXPECT_EQ(CheckListenAddress(malformed).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace etude
