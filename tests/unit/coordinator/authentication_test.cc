#include "coordinator/authentication.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

class StoppedClock final : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch() + absl::Hours(1000); }
  absl::Time MonotonicNow() override { return absl::UnixEpoch(); }
  void SleepFor(absl::Duration) override {}
};

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
  ASSERT_TRUE(Authentication::Open(directory_, "", SystemClock()).ok());
  struct stat facts {};
  ASSERT_EQ(stat(TokenPath().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(Token().size(), 6u + 64u);
  EXPECT_EQ(Token().substr(0, 6), "etude_");
  EXPECT_EQ(Token().find_first_not_of("0123456789abcdef", 6), std::string::npos);
}

TEST_F(AuthenticationTest, ALaterStartKeepsTheToken) {
  ASSERT_TRUE(Authentication::Open(directory_, "", SystemClock()).ok());
  const std::string token = Token();
  const auto again = Authentication::Open(directory_, "", SystemClock());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Token(), token);
  EXPECT_TRUE(again->Check(kMethod, "Bearer " + token).ok());
}

TEST_F(AuthenticationTest, ATokenFileThatOthersMayReadIsRefused) {
  ASSERT_TRUE(Authentication::Open(directory_, "", SystemClock()).ok());
  chmod(TokenPath().c_str(), 0644);
  EXPECT_EQ(Authentication::Open(directory_, "", SystemClock()).status().code(),
            absl::StatusCode::kPermissionDenied);
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

// Every call of the table with every role and a token that is missing, wrong, expired or right.
TEST(AuthorisationTest, EachRoleMayWhatTheTableSaysAndNothingElse) {
  const std::map<Role, std::set<Access>> may = {
      {Role::kRead, {Access::kRead, Access::kBlobRead}},
      {Role::kSubmit, {Access::kRead, Access::kSubmit, Access::kBlobRead, Access::kBlobWrite}},
      {Role::kAdmin,
       {Access::kRead, Access::kSubmit, Access::kAdmin, Access::kBlobRead, Access::kBlobWrite}},
      {Role::kWorker, {Access::kWorker, Access::kBlobRead, Access::kBlobWrite}}};
  StoppedClock clock;
  for (const auto& [role, allowed] : may) {
    const Authentication now({{role, Sha256Hex("right"), 0, "r"}}, "/token", clock);
    const Authentication past({{role, Sha256Hex("right"), ToMicros(clock.Now()), "r"}}, "/token",
                              clock);
    for (const CallRule& rule : CallRules()) {
      if (rule.access == Access::kOpen) continue;
      const std::string what = std::string(RoleName(role)) + " " + std::string(rule.method);
      const absl::StatusCode right = allowed.contains(rule.access)
                                         ? absl::StatusCode::kOk
                                         : absl::StatusCode::kPermissionDenied;
      constexpr absl::StatusCode kNobody = absl::StatusCode::kUnauthenticated;
      EXPECT_EQ(now.Check(rule.method, "Bearer right").code(), right) << what;
      EXPECT_EQ(now.Check(rule.method, std::nullopt).code(), kNobody) << what;
      EXPECT_EQ(now.Check(rule.method, "Bearer wrong").code(), kNobody) << what;
      EXPECT_EQ(past.Check(rule.method, "Bearer right").code(), kNobody) << what;
    }
  }
}

TEST(TokenFileTest, ALineIsATokensRoleHashExpiryAndName) {
  const std::string hash = Sha256Hex("t");
  const auto records = ParseTokenFile("# tokens\nworker " + hash + " never gpu-box\n\nread " +
                                          hash + " 2030-01-31T00:00:00Z ana # leaves in spring\n",
                                      "tokens");
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->at(0).role, Role::kWorker);
  EXPECT_EQ(records->at(0).expires_at_us, 0);
  EXPECT_EQ(records->at(1).name, "ana");
  EXPECT_EQ(ToIso8601(FromMicros(records->at(1).expires_at_us)).substr(0, 10), "2030-01-31");
  for (const std::string& bad :
       {"owner " + hash + " never x", std::string("read etude_abc never x"),
        "read " + hash + " soon x", "read " + hash}) {
    const absl::Status status = ParseTokenFile("\n" + bad, "tokens").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(MessageOf(status).find("tokens:2"), std::string::npos) << MessageOf(status);
  }
}

TEST(ListenAddressTest, OnlyThisMachinesAddressesAreTaken) {
  for (const char* good : {"127.0.0.1:7433", "127.0.0.1:0", "localhost:1", "[::1]:7433"}) {
    EXPECT_TRUE(CheckListenAddress(good, /*guarded=*/false).ok()) << good;
  }
  for (const char* bad :
       {"0.0.0.0:7433", "192.168.1.5:7433", "[::]:7433", "example.org:7433", "127.evil.org:7433"}) {
    const absl::Status status = CheckListenAddress(bad, /*guarded=*/false);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    for (const char* flag : {"--tls-cert", "--tls-key", "--tls-ca", "--token-file"}) {
      EXPECT_NE(MessageOf(status).find(flag), std::string::npos) << bad;
    }
    EXPECT_TRUE(CheckListenAddress(bad, /*guarded=*/true).ok()) << bad;
  }
  for (const char* malformed :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:-1"}) {
    EXPECT_EQ(CheckListenAddress(malformed, /*guarded=*/true).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace etude
