#include "client/context.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

class ContextTest : public testing::Test {
 protected:
  void StoreContext(const std::string& endpoint) {
    const StoredContext context{endpoint, "/other/token", "/other"};
    ASSERT_TRUE(WriteStoredContext(state() + "/context.json", context).ok());
  }
  std::string state() const { return directory_->path(); }
  ClientContext Resolve(const std::string& flag, std::map<std::string, std::string> variables) {
    variables["ETUDE_STATE"] = state();
    const auto context = ResolveContext({.endpoint = flag}, MakeEnvironment(variables));
    EXPECT_TRUE(context.ok()) << context.status();
    return context.value_or(ClientContext());
  }

  std::unique_ptr<TemporaryDirectory> directory_ =
      TemporaryDirectory::Make(MakeEnvironment({})).value();
};

TEST_F(ContextTest, WithoutAnythingTheDefaultsHold) {
  const ClientContext context = Resolve("", {});
  EXPECT_EQ(context.endpoint, "127.0.0.1:7433");
  EXPECT_EQ(context.endpoint_source, "default");
  EXPECT_EQ(context.token_file, state() + "/token");
}

TEST_F(ContextTest, TheCurrentContextComesBeforeTheDefault) {
  StoreContext("127.0.0.1:5000");
  const ClientContext context = Resolve("", {});
  EXPECT_EQ(context.endpoint, "127.0.0.1:5000");
  EXPECT_EQ(context.token_file, "/other/token");
}

TEST_F(ContextTest, TheEnvironmentComesBeforeTheContextAndTheFlagBeforeBoth) {
  StoreContext("127.0.0.1:5000");
  EXPECT_EQ(Resolve("", {{"ETUDE_ENDPOINT", "127.0.0.1:6000"}}).endpoint, "127.0.0.1:6000");
  const ClientContext context = Resolve("10.0.0.1:7", {{"ETUDE_ENDPOINT", "127.0.0.1:6000"}});
  EXPECT_EQ(context.endpoint, "10.0.0.1:7");
  EXPECT_EQ(context.endpoint_source, "--endpoint");
}

TEST_F(ContextTest, TheTokenFileOfTheEnvironmentComesFirst) {
  StoreContext("127.0.0.1:5000");
  EXPECT_EQ(Resolve("", {{"ETUDE_TOKEN_FILE", "/mine"}}).token_file, "/mine");
}

TEST_F(ContextTest, ATokenNeverGoesToAnotherMachine) {
  StoreContext("127.0.0.1:5000");
  EXPECT_EQ(Resolve("10.0.0.1:5000", {}).token_file, "") << "nor the default directory's";
  EXPECT_EQ(Resolve("localhost:5000", {}).token_file, "/other/token");
}

TEST_F(ContextTest, OnlyTheUserMayReadTheContext) {
  StoreContext("127.0.0.1:5000");
  struct stat facts {};
  ASSERT_EQ(stat((state() + "/context.json").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(ContextTest, AContextIsRemovedOnlyByItsOwner) {
  StoreContext("127.0.0.1:5000");
  const std::string path = state() + "/context.json";
  ASSERT_TRUE(RemoveStoredContext(path, "127.0.0.1:1").ok());
  EXPECT_TRUE(FileExists(path));
  ASSERT_TRUE(RemoveStoredContext(path, "127.0.0.1:5000").ok());
  EXPECT_FALSE(FileExists(path));
}

TEST_F(ContextTest, ADamagedContextIsNamedUnlessAnEndpointIsGiven) {
  ASSERT_TRUE(WriteFileAtomically(state() + "/context.json", "{").ok());
  const Environment environment = MakeEnvironment({{"ETUDE_STATE", state()}});
  EXPECT_EQ(ResolveContext({}, environment).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ResolveContext({.endpoint = "127.0.0.1:1"}, environment).ok());
}

TEST(StateDirTest, FollowsTheThreeVariablesInOrder) {
  EXPECT_EQ(*DefaultStateDir(MakeEnvironment({{"HOME", "/h"}})), "/h/.local/state/etude");
  EXPECT_EQ(*DefaultStateDir(MakeEnvironment({{"HOME", "/h"}, {"XDG_STATE_HOME", "/x"}})),
            "/x/etude");
  EXPECT_EQ(*DefaultStateDir(MakeEnvironment({{"XDG_STATE_HOME", "/x"}, {"ETUDE_STATE", "/e"}})),
            "/e");
  EXPECT_FALSE(DefaultStateDir(MakeEnvironment({})).ok());
}

TEST(EndpointTest, IsAHostAndAPort) {
  for (const char* good : {"127.0.0.1:7433", "a-b.example:1", "[::1]:65535"}) {
    EXPECT_TRUE(CheckEndpoint(good).ok()) << good;
  }
  for (const char* bad : {"", "host", "host:", ":1", "host:0", "host:65536", "host:1a",
                          "unix:/tmp/x", "dns:///a:1", "a b:1"}) {
    EXPECT_FALSE(CheckEndpoint(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckEndpoint("127.0.0.1:0", /*allow_port_zero=*/true).ok());
}

}  // namespace
}  // namespace etude
