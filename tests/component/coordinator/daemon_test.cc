#include "coordinator/daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "etude/v1/client.grpc.pb.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "proto/channel.h"
#include "tests/support/http.h"

namespace etude {
namespace {

using testing::HasSubstr;
using testing::Not;

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

TEST_F(DaemonTest, AClientThatDoesNotLookAtItsConnectionDoesNotKeepItFromStopping) {
  const auto daemon = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  // The beginning of HTTP/2 with no settings, and then nothing: no answer to the server's goodbye.
  const HttpConnection idle((*daemon)->endpoint());
  idle.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9));
  const CoordinatorChannel channel(
      {(*daemon)->endpoint(), *ReadTokenFile(config_.state_dir + "/token")});
  grpc::ClientContext context;
  channel.Prepare(context, kDataDeadline);
  v1::GetInfoResponse info;
  ASSERT_TRUE(v1::ClientService::NewStub(channel.channel())
                  ->GetInfo(&context, v1::GetInfoRequest(), &info)
                  .ok());
  const absl::Time asked = SystemClock().MonotonicNow();
  (*daemon)->Stop();
  EXPECT_LT(SystemClock().MonotonicNow() - asked, absl::Seconds(1));
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

// What Prometheus' own reader makes of the metrics, a sample a line.
std::string Scrape(const std::string& endpoint) {
  const char* configured = std::getenv("ETUDE_PYTHON");
  const std::string python = configured != nullptr ? configured : ".deps/venv/bin/python3";
  EXPECT_TRUE(FileExists(python)) << python << ": no such Python; run make setup";
  const std::string line =
      python + " tests/oracles/check_metrics.py http://" + endpoint + "/metrics 2>&1";
  FILE* pipe = popen(line.c_str(), "r");
  std::string samples;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) samples += buffer;
  EXPECT_EQ(pclose(pipe), 0) << samples;
  return samples;
}

TEST_F(DaemonTest, PrometheusReadsItsMetrics) {
  config_.metrics = "127.0.0.1:0";
  const auto daemon = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  const CoordinatorChannel channel(
      {(*daemon)->endpoint(), *ReadTokenFile(config_.state_dir + "/token")});
  const auto client = v1::ClientService::NewStub(channel.channel());
  for (const char* run : {"0123456789", "abcdef"}) {
    grpc::ClientContext context;
    channel.Prepare(context, kDataDeadline);
    v1::GetRunRequest request;
    request.set_run(run);
    v1::GetRunResponse response;
    EXPECT_EQ(client->GetRun(&context, request, &response).error_code(), grpc::NOT_FOUND);
  }
  const std::string samples = Scrape((*daemon)->metrics_endpoint());
  EXPECT_THAT(samples, HasSubstr("etude_rpcs_total{code=NOT_FOUND,method=GetRun} 2\n"));
  EXPECT_THAT(samples, HasSubstr(std::string("etude_build_info{version=") + kSoftwareVersion));
  EXPECT_THAT(samples, HasSubstr("etude_read_only{} 0\n"));
  EXPECT_THAT(samples, HasSubstr("etude_workers{state=online} 0\n"));
  EXPECT_THAT(samples, HasSubstr("etude_commit_duration_seconds_bucket{le=+Inf} "));
  EXPECT_THAT(samples, Not(HasSubstr("etude_state_free_bytes{} 0\n")));
  EXPECT_THAT(samples, Not(HasSubstr("etude_database_bytes{file=main} 0\n")));
}

TEST_F(DaemonTest, ItsHealthIsThatOfTheStore) {
  config_.metrics = "127.0.0.1:0";
  const std::string request = "GET /healthz HTTP/1.0\r\n\r\n";
  {
    const auto daemon = Daemon::Start(config_, SystemClock());
    ASSERT_TRUE(daemon.ok()) << daemon.status();
    EXPECT_THAT(HttpExchange((*daemon)->metrics_endpoint(), request), HasSubstr(" 200 OK\r\n"));
  }
  config_.min_free_mib = std::numeric_limits<int>::max();
  const auto daemon = Daemon::Start(config_, SystemClock());
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  const std::string answer = HttpExchange((*daemon)->metrics_endpoint(), request);
  EXPECT_THAT(answer, HasSubstr(" 503 "));
  EXPECT_THAT(answer, HasSubstr("min_free_mib"));
  EXPECT_THAT(Scrape((*daemon)->metrics_endpoint()), HasSubstr("etude_read_only{} 1\n"));
}

TEST_F(DaemonTest, MetricsAreServedToThisMachineAlone) {
  config_.metrics = "0.0.0.0:0";
  const auto daemon = Daemon::Start(config_, SystemClock());
  EXPECT_EQ(daemon.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(daemon.status()), HasSubstr("--metrics 127.0.0.1:0"));
  EXPECT_FALSE(FileExists(config_.state_dir));
}

}  // namespace
}  // namespace etude
