#include "coordinator/authentication.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "tests/support/fake_clock.h"

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

// The coordinator's list of tokens, which people change while it runs.
class TokenListTest : public AuthenticationTest {
 protected:
  void Write(const std::string& lines, unsigned mode = 0600) {
    ASSERT_TRUE(WriteFileAtomically(path_, lines, mode).ok());
  }
  static std::string Line(const std::string& token) {
    return "read " + Sha256Hex(token) + " never ana\n";
  }
  bool Passes(const Authentication& authentication, const std::string& token) {
    return authentication.Check(kMethod, "Bearer " + token).ok();
  }
  const std::string path_ = directory_ + "/tokens";
  FakeClock clock_;
};

TEST_F(TokenListTest, AnAddedTokenIsKnownAndARemovedOneForgottenWithinASecond) {
  Write(Line("one"));
  const auto authentication = Authentication::Open(directory_, path_, clock_);
  ASSERT_TRUE(authentication.ok()) << authentication.status();
  Write(Line("two"));
  EXPECT_TRUE(Passes(*authentication, "one")) << "the file is not looked at for every call";
  clock_.Advance(kTokensReadEvery);
  EXPECT_TRUE(Passes(*authentication, "two"));
  EXPECT_FALSE(Passes(*authentication, "one"));
  EXPECT_FALSE(authentication->IsValid({Sha256Hex("one"), "ana"}));
  EXPECT_TRUE(authentication->IsValid({Sha256Hex("two"), "ana"}));
  EXPECT_TRUE(Passes(*authentication, Token())) << "the owner's stays";
}

TEST_F(TokenListTest, AFileThatHasBecomeBadLeavesTheTokensAsTheyWere) {
  Write(Line("one"));
  const auto authentication = Authentication::Open(directory_, path_, clock_);
  ASSERT_TRUE(authentication.ok()) << authentication.status();
  Write("nonsense\n");
  clock_.Advance(kTokensReadEvery);
  EXPECT_TRUE(Passes(*authentication, "one"));
  Write(Line("two"), 0644);
  clock_.Advance(kTokensReadEvery);
  EXPECT_FALSE(Passes(*authentication, "two")) << "others may read it";
  EXPECT_TRUE(Passes(*authentication, "one"));
}

TEST(AuthenticationCheckTest, OnlyTheWholeTokenPasses) {
  const Authentication authentication("etude_abc", "/state/token");
  EXPECT_TRUE(authentication.Check(kMethod, "Bearer etude_abc").ok());
  for (const char* wrong : {"Bearer etude_abd", "Bearer etude_ab", "Bearer etude_abcd", "Bearer ",
                            "etude_abc", "bearer etude_abc", "Basic etude_abc", ""}) {
    const absl::Status status = authentication.Check(kMethod, wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_NE(MessageOf(status).find("/state/token"), std::string::npos);
  }
  EXPECT_EQ(authentication.Check(kMethod, std::nullopt).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST(AuthenticationCheckTest, HealthIsOpenAndUnknownCallsAreRefusedEvenWithTheToken) {
  const Authentication authentication("etude_abc", "/state/token");
  EXPECT_TRUE(authentication.Check("/grpc.health.v1.Health/Check", std::nullopt).ok());
  EXPECT_EQ(
      authentication.Check("/etude.v1.ClientService/Drop", "Bearer etude_abc").status().code(),
      absl::StatusCode::kPermissionDenied);
}

constexpr char kReaders[] = "read submit admin";
constexpr char kSubmitters[] = "submit admin";
constexpr char kWorkers[] = "worker";

// Written beside the table, not made from it: which roles may make each call.
const std::map<std::string, std::string>& Expected() {
  static const auto& expected =
      *new std::map<std::string, std::string>{{"WorkerService/Register", kWorkers},
                                              {"WorkerService/Acquire", kWorkers},
                                              {"WorkerService/Heartbeat", kWorkers},
                                              {"WorkerService/Report", kWorkers},
                                              {"WorkerService/CommitCheckpoint", kWorkers},
                                              {"WorkerService/Finish", kWorkers},
                                              {"WorkerService/ShipLog", kWorkers},
                                              {"BlobService/Stat", "read submit admin worker"},
                                              {"BlobService/Read", "read submit admin worker"},
                                              {"BlobService/Write", "submit admin worker"},
                                              {"ClientService/GetInfo", kReaders},
                                              {"ClientService/PushCorpus", kSubmitters},
                                              {"ClientService/GetCorpus", kReaders},
                                              {"ClientService/ListCorpora", kReaders},
                                              {"ClientService/SubmitSweep", kSubmitters},
                                              {"ClientService/ListSweeps", kReaders},
                                              {"ClientService/GetSweep", kReaders},
                                              {"ClientService/WatchSweep", kReaders},
                                              {"ClientService/CancelSweep", kSubmitters},
                                              {"ClientService/DeleteSweep", "admin"},
                                              {"ClientService/ListRuns", kReaders},
                                              {"ClientService/GetRun", kReaders},
                                              {"ClientService/GetCurve", kReaders},
                                              {"ClientService/FitSweep", kReaders},
                                              {"ClientService/ListPredictions", kReaders},
                                              {"ClientService/ListWorkers", kReaders},
                                              {"ClientService/ControlSweep", kSubmitters},
                                              {"ClientService/RetrySweep", kSubmitters},
                                              {"ClientService/CancelRun", kSubmitters},
                                              {"ClientService/RetryRun", kSubmitters},
                                              {"ClientService/ExplainRun", kReaders},
                                              {"ClientService/TailLog", kReaders},
                                              {"ClientService/DrainWorker", "admin"},
                                              {"StoreService/GetStore", kReaders},
                                              {"StoreService/Backup", "admin"},
                                              {"StoreService/Verify", "admin"},
                                              {"BundleService/Export", kReaders},
                                              {"BundleService/Import", "admin"}};
  return expected;
}

// Every call with every role and a token that is missing, wrong, expired or right.
TEST(AuthorisationTest, EachRoleMayWhatIsExpectedAndNothingElse) {
  constexpr absl::StatusCode kNobody = absl::StatusCode::kUnauthenticated;
  StoppedClock clock;
  for (const Role role : {Role::kRead, Role::kSubmit, Role::kAdmin, Role::kWorker}) {
    const std::string name(RoleName(role));
    const Authentication now({{role, Sha256Hex("right"), kNeverExpires, "r"}}, "/token", clock);
    const Authentication past({{role, Sha256Hex("right"), ToMicros(clock.Now()), "r"}}, "/token",
                              clock);
    for (const auto& [call, roles] : Expected()) {
      const std::string method = "/etude.v1." + call;
      const bool may = (" " + roles + " ").find(" " + name + " ") != std::string::npos;
      EXPECT_EQ(now.Check(method, "Bearer right").status().code(),
                may ? absl::StatusCode::kOk : absl::StatusCode::kPermissionDenied)
          << name << " " << call;
      EXPECT_EQ(now.Check(method, std::nullopt).status().code(), kNobody) << name << " " << call;
      EXPECT_EQ(now.Check(method, "Bearer wrong").status().code(), kNobody) << name << " " << call;
      EXPECT_EQ(past.Check(method, "Bearer right").status().code(), kNobody) << name << " " << call;
    }
  }
}

TEST(AuthorisationTest, EveryCallIsExpected) {
  for (const CallRule& rule : CallRules()) {
    if (rule.access == Access::kOpen) continue;
    EXPECT_TRUE(Expected().contains(std::string(rule.method.substr(rule.method.find('.') + 4))))
        << rule.method;
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
  EXPECT_EQ(records->at(0).expires_at_us, kNeverExpires);
  EXPECT_EQ(records->at(1).name, "ana");
  EXPECT_EQ(ToIso8601(FromMicros(records->at(1).expires_at_us)).substr(0, 10), "2030-01-31");
  for (const std::string& bad :
       {"owner " + hash + " never x", std::string("read etude_abc never x"),
        "read " + hash + " soon x", "read " + hash}) {
    const absl::Status status = ParseTokenFile("\n" + bad, "tokens").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(MessageOf(status).find("tokens:2"), std::string::npos) << MessageOf(status);
    EXPECT_EQ(MessageOf(status).find("etude_abc"), std::string::npos) << "a token is never printed";
  }
}

TEST(TokenFileTest, ATokenGivenForTheListIsNotPrinted) {
  const absl::Status status = ParseTokenFile("etude_0123456789\n", "worker.token").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status).find("0123456789"), std::string::npos) << MessageOf(status);
}

TEST(TokenFileTest, AnExpiryLongAgoIsNotNever) {
  const auto records =
      ParseTokenFile("admin " + Sha256Hex("t") + " 1970-01-01T00:00:00Z gone\n", "tokens");
  ASSERT_TRUE(records.ok());
  StoppedClock clock;
  const Authentication authentication(*records, "/token", clock);
  EXPECT_EQ(authentication.Check(kMethod, "Bearer t").status().code(),
            absl::StatusCode::kUnauthenticated);
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
