#include "coordinator/daemon.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "etude/v1/client.grpc.pb.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "proto/channel.h"

namespace etude {
namespace {

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    std::string path = testing::TempDir() + "etude.daemon.XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    config_.state_dir = directory_ + "/state";
    config_.listen = "127.0.0.1:0";
  }
  ~DaemonTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  CoordinatorConfig config_;
};

TEST_F(DaemonTest, NamesItsPortAndAnswersWhoeverHasItsToken) {
  const auto daemon = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  EXPECT_EQ(*ReadFile(config_.state_dir + "/endpoint"), (*daemon)->endpoint() + "\n");
  const CoordinatorChannel channel(
      {(*daemon)->endpoint(), *ReadTokenFile(config_.state_dir + "/token")});
  grpc::ClientContext context;
  channel.Prepare(context, kDataDeadline);
  v1::GetInfoResponse info;
  const grpc::Status status =
      v1::ClientService::NewStub(channel.channel())->GetInfo(&context, v1::GetInfoRequest(), &info);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(info.state_dir(), config_.state_dir);
  EXPECT_EQ(info.sqlite_version().substr(0, 2), "3.");
  EXPECT_GE(info.schema_version(), 1);
  EXPECT_GT(info.free_bytes(), 0);
  EXPECT_FALSE(info.read_only());
}

TEST_F(DaemonTest, ASecondOneOnTheSameStateIsRefused) {
  const auto first = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(first.ok());
  const auto second = Daemon::Start(config_, SystemClock());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition) << second.status();
}

TEST_F(DaemonTest, ATakenPortIsRefusedWithWhatToType) {
  const auto first = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(first.ok());
  CoordinatorConfig other = config_;
  other.state_dir = directory_ + "/other";
  other.listen = (*first)->endpoint();
  const auto second = Daemon::Start(other, SystemClock());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(MessageOf(second.status()).find("address in use"), std::string::npos);
  EXPECT_NE(MessageOf(second.status()).find("etude-coordinator --listen"), std::string::npos);
}

TEST_F(DaemonTest, StopsAndStartsAgainOnTheSameStateWithTheSameToken) {
  auto first = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(first.ok());
  const std::string token = *ReadTokenFile(config_.state_dir + "/token");
  (*first)->Stop();
  EXPECT_FALSE(FileExists(config_.state_dir + "/endpoint"));
  const auto second = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*ReadTokenFile(config_.state_dir + "/token"), token);
}

TEST_F(DaemonTest, TheStateDirectoryIsItsOwnersAlone) {
  const auto daemon = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(daemon.ok());
  struct stat facts {};
  ASSERT_EQ(stat(config_.state_dir.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 077, 0u);
}

TEST_F(DaemonTest, AnAddressOfOtherMachinesIsRefusedBeforeAnythingIsMade) {
  config_.listen = "0.0.0.0:0";
  EXPECT_EQ(Daemon::Start(config_, SystemClock()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(FileExists(config_.state_dir));
}

}  // namespace
}  // namespace etude
