// A coordinator that other machines call: mutual TLS, tokens with roles, and a network that fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr int kAuth = 4;
constexpr int kUnreachable = 5;
constexpr double kRunSeconds = 240;
constexpr double kSilenceSeconds = 60;  // a lease is 15 s

const SmallSweep kSweep = {.name = "remote", .tokens = "1M"};

class TlsTest : public testing::Test {
 protected:
  TlsTest() : cluster_({.tls = true}) { cluster_.StartCoordinator(); }
  std::string Tls(const std::string& file) const { return cluster_.tls_directory() + "/" + file; }
  Cluster cluster_;
};

TEST_F(TlsTest, OnlyACallerWithACertificateOfTheAuthorityIsHeard) {
  EXPECT_EQ(cluster_.Etude({"sweep", "ls"}).status, 0);
  const CommandResult plain =
      cluster_.EtudeWith({"ETUDE_TLS_CA=", "ETUDE_TLS_CERT=", "ETUDE_TLS_KEY="}, {"sweep", "ls"});
  EXPECT_EQ(plain.status, kUnreachable) << plain.out;
  const std::string other = cluster_.directory() + "/other";
  ASSERT_EQ(cluster_.Etude({"cert", "init", "127.0.0.1", "--out", other}).status, 0);
  const CommandResult stranger = cluster_.EtudeWith(
      {"ETUDE_TLS_CERT=" + other + "/client.pem", "ETUDE_TLS_KEY=" + other + "/client.key"},
      {"sweep", "ls"});
  EXPECT_EQ(stranger.status, kUnreachable) << stranger.out;
  const CommandResult impostor =
      cluster_.EtudeWith({"ETUDE_TLS_CA=" + other + "/ca.pem"}, {"sweep", "ls"});
  EXPECT_EQ(impostor.status, kUnreachable) << "a coordinator of another authority is not believed";
  EXPECT_THAT(impostor.err, HasSubstr("--tls-ca"));
}

TEST_F(TlsTest, ATokenMayWhatItsRoleMay) {
  const auto as = [&](const std::string& role, const std::vector<std::string>& words) {
    return cluster_.EtudeWith({"ETUDE_TOKEN_FILE=" + Tls(role + ".token")}, words);
  };
  EXPECT_EQ(as("read", {"sweep", "ls"}).status, 0);
  const CommandResult refused = as("read", {"sweep", "cancel", "first"});
  EXPECT_EQ(refused.status, kAuth);
  EXPECT_THAT(refused.err, HasSubstr("role read may not call CancelSweep; it takes submit"));
  EXPECT_EQ(as("submit", {"sweep", "cancel", "none"}).status, 3) << "allowed, and not found";
  EXPECT_EQ(as("worker", {"sweep", "ls"}).status, kAuth);
}

TEST_F(TlsTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_EQ(RunCommand({"chmod", "644", Tls("client.key")}).status, 0);
  const CommandResult result = cluster_.Etude({"sweep", "ls"});
  EXPECT_EQ(result.status, kAuth);
  EXPECT_THAT(result.err, HasSubstr("chmod 600"));
}

TEST(PlainTest, ACoordinatorThatOthersCouldReachUnguardedDoesNotStart) {
  const std::string state = NewDirectory("plain");
  const CommandResult result =
      RunCommand({ProgramPath("etude-coordinator"), "--state", state, "--listen", "0.0.0.0:7433"});
  EXPECT_EQ(result.status, 2);
  for (const char* flag : {"--tls-cert", "--tls-key", "--tls-ca", "--token-file"}) {
    EXPECT_THAT(result.err, HasSubstr(flag));
  }
  EXPECT_FALSE(FileExists(state + "/etude.db"));
}

TEST(PlainTest, ATokenDoesNotCrossANetworkInPlainText) {
  const CommandResult result =
      RunCommand({ProgramPath("etude"), "sweep", "ls", "--endpoint", "coordinator.invalid:7433"});
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("--tls-ca"));
}

// A process with these believes that it is a year ago; its monotonic clock is its own.
std::vector<std::string> AYearAgo() {
  for (const char* library : {"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
                              "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"}) {
    if (FileExists(library)) {
      return {std::string("LD_PRELOAD=") + library, "FAKETIME=-365d",
              "FAKETIME_DONT_FAKE_MONOTONIC=1"};
    }
  }
  ADD_FAILURE() << "libfaketime is missing; type: deploy/setup";
  return {};
}

// Four hosts that share no files but the programs; one's clock is a year off, its cable is pulled
// and plugged in again, and the coordinator dies and comes back.
std::string WorkerState(Cluster& cluster, const std::string& name) {
  const auto listed = cluster.EtudeJson({"worker", "ls"});
  for (const auto& worker : listed.at("workers")) {
    if (worker.at("worker").get<std::string>().rfind(name, 0) == 0) return worker.at("state");
  }
  return "unknown";
}

TEST(NetworkTest, ASweepOverMutualTlsSurvivesACutLinkAndARestart) {
  if (!Network::IsAvailable()) GTEST_SKIP() << "NOT TESTED: network namespaces need root and `ip`";
  const std::map<std::string, std::string> undisturbed = Undisturbed(kSweep);
  const Network network({"coordinator", "client", "one", "two"});
  Cluster cluster({.network = &network});
  cluster.StartCoordinator();
  cluster.StartWorker("one", AYearAgo());
  cluster.StartWorker("two");
  cluster.PushCorpus();
  ASSERT_EQ(cluster.Submit(SpecOf(kSweep), /*wait=*/false).status, 0);
  const std::vector<std::string> runs = cluster.RunsOf("remote");
  ASSERT_TRUE(Eventually(kRunSeconds, [&] { return cluster.StepOf(runs[0]) > 100; }));
  // The coordinator lives, and notices that one has gone silent; one trains on.
  network.Cut("one");
  EXPECT_TRUE(
      Eventually(kSilenceSeconds, [&] { return WorkerState(cluster, "one") == "offline"; }));
  const bool one_holds_a_run =
      std::ranges::any_of(runs, [&](const auto& run) { return cluster.StateOf(run) == "running"; });
  EXPECT_TRUE(one_holds_a_run) << "nothing was left to disturb";
  network.Heal("one");
  EXPECT_TRUE(Eventually(kSilenceSeconds, [&] { return WorkerState(cluster, "one") == "online"; }));
  cluster.coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster.coordinator().Wait(10));
  cluster.StartCoordinator();
  const CommandResult waited = cluster.Etude({"sweep", "wait", "remote"}, kRunSeconds);
  ASSERT_EQ(waited.status, 0) << waited.err;
  EXPECT_EQ(FingerprintsOf(cluster, "remote"), undisturbed);
}

// The blocks of commands of README's section, each with the files that the text before it tells to
// copy.
struct Block {
  std::vector<std::string> files;
  std::string commands;
};

std::vector<Block> ReadmeBlocks(const std::string& heading) {
  std::ifstream readme("README.md");
  std::vector<Block> blocks(1);
  bool in_section = false;
  bool in_block = false;
  std::string prose;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("## ")) in_section = line == "## " + heading;
    if (!in_section) continue;
    if (line == "```") {
      if (in_block) blocks.emplace_back();
      in_block = !in_block;
      const std::size_t copy = prose.find("Copy `");
      std::istringstream words(copy == std::string::npos ? "" : prose.substr(copy));
      std::string word;
      for (int i = 0; std::getline(words, word, '`'); ++i) {
        if (in_block && i % 2 == 1) blocks.back().files.push_back(word);
      }
      prose.clear();
    } else if (in_block) {
      blocks.back().commands += line + "\n";
    } else {
      prose += line + "\n";
    }
  }
  return blocks;
}

// Machines with directories of their own, where people type.
class ReadmeTest : public testing::Test {
 protected:
  // `commands` in a shell of `host`, in its directory.
  std::vector<std::string> Shell(const Network& network, const std::string& host,
                                 const std::string& commands) {
    std::vector<std::string> words = network.PrefixOf(host);
    words.insert(words.end(), {"env", "-C", HomeOf(host), "HOME=" + HomeOf(host),
                               "XDG_STATE_HOME=", "PATH=" + BinDirectory() + ":/usr/bin:/bin",
                               "bash", "-euc", commands});
    return words;
  }
  std::string HomeOf(const std::string& host) {
    std::filesystem::create_directories(directory_ + "/" + host);
    return directory_ + "/" + host;
  }
  std::string BinDirectory() const {
    return std::filesystem::path(ProgramPath("etude")).parent_path().string();
  }
  void Copy(const std::vector<std::string>& files, const std::string& host) {
    for (const std::string& file : files) {
      std::filesystem::copy(HomeOf("big-host") + "/tls/" + file, HomeOf(host) + "/" + file);
    }
  }
  std::string directory_ = NewDirectory("readme");
};

TEST_F(ReadmeTest, SeveralMachinesAsWrittenRunASweepOverMutualTls) {
  if (!Network::IsAvailable()) GTEST_SKIP() << "NOT TESTED: network namespaces need root and `ip`";
  const std::vector<Block> blocks = ReadmeBlocks("Several machines");
  ASSERT_GE(blocks.size(), 3u);
  const Network network({"big-host", "one", "two", "mine"});
  const auto start = [&](const std::string& host, const std::string& commands) {
    return std::make_unique<Process>(Shell(network, host, commands),
                                     ProcessOptions{.output_prefix = HomeOf(host) + "/output"});
  };
  const auto coordinator = start("big-host", blocks[0].commands);
  const std::string endpoint = HomeOf("big-host") + "/.local/state/etude/endpoint";
  ASSERT_TRUE(Eventually(kSilenceSeconds, [&] { return FileExists(endpoint); }));
  std::vector<std::unique_ptr<Process>> workers;
  for (const std::string host : {"one", "two"}) {
    Copy(blocks[1].files, host);
    workers.push_back(start(host, blocks[1].commands));
  }
  for (const std::string host : {"one", "two"}) {
    EXPECT_TRUE(Eventually(kSilenceSeconds, [&] {
      std::stringstream log;
      log << std::ifstream(HomeOf(host) + "/output.err").rdbuf();
      return log.str().find("registered as") != std::string::npos;
    }));
  }
  // The corpus of the sections before, of made-up tunes; and the specs of the source tree.
  WriteTunes(HomeOf("mine") + "/abc", 5000);
  ASSERT_EQ(
      RunCommand(Shell(network, "mine", "etude corpus build abc folk --tokenizer char")).status, 0);
  std::filesystem::copy("configs", HomeOf("mine") + "/configs",
                        std::filesystem::copy_options::recursive);
  Copy(blocks[2].files, "mine");
  const CommandResult sweep =
      RunCommand(Shell(network, "mine", blocks[2].commands), {}, kRunSeconds);
  EXPECT_EQ(sweep.status, 0) << sweep.err;
  EXPECT_THAT(sweep.out, testing::ContainsRegex("state +finished"));
  for (const auto& worker : workers) {
    worker->Signal(SIGTERM);
    EXPECT_EQ(worker->Wait(15), 0);
  }
}

}  // namespace
}  // namespace etude
