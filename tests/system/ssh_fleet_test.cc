// A fleet on two machines that are reached with the real ssh, over mutual TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "tests/support/cluster.h"
#include "tests/support/small_sweep.h"

namespace etude {
namespace {

using testing::HasSubstr;

constexpr double kRunSeconds = 240;
constexpr double kStartSeconds = 30;

// Machines "ana" and "bob" with homes of their own, and "gone", where nobody answers.
class SshHosts {
 public:
  SshHosts() : directory_(NewDirectory("ssh")) {
    for (const char* key : {"host", "user"}) {
      EXPECT_EQ(
          RunCommand({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory_ + "/" + key})
              .status,
          0);
    }
    std::ofstream config(config_file());
    config << "Host *\n  HostName 127.0.0.1\n  User etude\n  IdentityFile " << directory_
           << "/user\n  IdentitiesOnly yes\n  StrictHostKeyChecking accept-new\n"
           << "  UserKnownHostsFile " << directory_ << "/known_%n\nHost gone\n  Port 1\n";
    for (const char* host : {"ana", "bob"}) {
      config << "Host " << host << "\n  Port " << Start(host) << "\n";
    }
  }
  std::string config_file() const { return directory_ + "/config"; }
  std::string HomeOf(const std::string& host) const { return directory_ + "/" + host; }

 private:
  std::string Start(const std::string& host) {
    std::filesystem::create_directories(HomeOf(host));
    const std::string port_file = directory_ + "/" + host + ".port";
    servers_.push_back(std::make_unique<Process>(
        std::vector<std::string>{std::getenv("ETUDE_PYTHON"), "tests/support/ssh_server.py",
                                 directory_ + "/host", directory_ + "/user.pub", HomeOf(host),
                                 port_file},
        ProcessOptions{.output_prefix = directory_ + "/" + host + ".server"}));
    EXPECT_TRUE(Eventually(kStartSeconds, [&] { return FileExists(port_file); }));
    std::string port;
    std::getline(std::ifstream(port_file) >> std::ws, port);
    return port;
  }

  std::string directory_;
  std::vector<std::unique_ptr<Process>> servers_;
};

class SshFleetTest : public testing::Test {
 protected:
  SshFleetTest() : cluster_({.tls = true}) { cluster_.StartCoordinator(); }
  ~SshFleetTest() override { Fleet({"down"}); }

  CommandResult Fleet(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "fleet");
    return cluster_.Etude(arguments, 120);
  }
  std::vector<std::string> UpArguments(const std::vector<std::string>& hosts) {
    std::vector<std::string> arguments = {"fleet",         "up",
                                          "--engine",      "ssh",
                                          "--min",         "2",
                                          "--max",         "2",
                                          "--ssh-config",  hosts_.config_file(),
                                          "--credentials", cluster_.tls_directory(),
                                          "--program",     ProgramPath("etude-worker")};
    for (const std::string& host : hosts) arguments.insert(arguments.end(), {"--host", host});
    return arguments;
  }
  CommandResult Up(const std::vector<std::string>& hosts) {
    std::vector<std::string> arguments = UpArguments(hosts);
    arguments.emplace_back("--once");
    return cluster_.Etude(arguments, 120);
  }
  int LiveMembers() {
    const CommandResult status = Fleet({"status", "-o", "json"});
    if (status.status != 0) return 0;
    int live = 0;
    const nlohmann::json shown = nlohmann::json::parse(status.out);
    for (const auto& member : shown.at("members")) live += member.at("state") == "running" ? 1 : 0;
    return live;
  }
  nlohmann::json Members() {
    const CommandResult status = Fleet({"status", "-o", "json"});
    EXPECT_EQ(status.status, 0) << status.err;
    return nlohmann::json::parse(status.out).at("members");
  }

  SshHosts hosts_;
  Cluster cluster_;
};

TEST_F(SshFleetTest, TrainsOnTwoMachinesAndStartsWhatDiedAgain) {
  const SmallSweep sweep = {.name = "ssh"};
  const auto undisturbed = Undisturbed(sweep);
  cluster_.PushCorpus();
  ASSERT_EQ(cluster_.Submit(SpecOf(sweep), /*wait=*/false).status, 0);
  const CommandResult up = Up({"ana", "bob"});
  ASSERT_EQ(up.status, 0) << up.err;
  const std::string run = cluster_.RunsOf("ssh")[0];
  ASSERT_TRUE(Eventually(kRunSeconds, [&] { return cluster_.StepOf(run) > 100; }));
  const auto pid = ReadFile(hosts_.HomeOf("ana") + "/.local/state/etude/fleets/ssh/1/pid");
  ASSERT_TRUE(pid.ok()) << pid.status();
  kill(std::stoi(*pid), SIGKILL);
  nlohmann::json dead;
  EXPECT_TRUE(Eventually(kStartSeconds, [&] {
    dead = Members()[0];
    return dead.at("state") == "failed";
  }));
  EXPECT_EQ(dead.at("member"), "ana/1");
  EXPECT_THAT(dead.at("reason").get<std::string>(), HasSubstr("exit code 137"));
  ASSERT_EQ(Up({"ana", "bob"}).status, 0);
  const CommandResult waited = cluster_.Etude({"sweep", "wait", "ssh"}, kRunSeconds);
  EXPECT_EQ(waited.status, 0) << waited.err;
  EXPECT_EQ(FingerprintsOf(cluster_, "ssh"), undisturbed);
  EXPECT_EQ(Members().size(), 2u);
  const CommandResult down = Fleet({"down"});
  EXPECT_EQ(down.status, 0) << down.err;
  for (const std::string host_and_number : {"ana/1", "bob/2"}) {
    const std::string host = host_and_number.substr(0, 3);
    EXPECT_EQ(ProcessWith(hosts_.HomeOf(host) + "/.local/state/etude/fleets/ssh/" +
                          host_and_number.substr(4) + "/state"),
              std::nullopt);
  }
}

TEST_F(SshFleetTest, CredentialsAreTheUsersAloneOnEachMachine) {
  ASSERT_EQ(Up({"ana", "bob"}).status, 0);
  for (const std::string host : {"ana", "bob"}) {
    const std::string tls = hosts_.HomeOf(host) + "/.local/state/etude/fleets/ssh/tls/";
    for (const std::string file : {"token", "ca.pem", "worker.pem", "worker.key"}) {
      struct stat facts {};
      ASSERT_EQ(stat((tls + file).c_str(), &facts), 0) << tls + file;
      EXPECT_EQ(facts.st_mode & 0777U, 0600U) << tls + file;
    }
  }
}

TEST_F(SshFleetTest, AMachineThatDoesNotAnswerIsNamedAndLeftOut) {
  const CommandResult up = Up({"gone", "ana"});
  ASSERT_EQ(up.status, 0) << up.err;
  const auto members = Members();
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].at("where"), "ana");
  EXPECT_EQ(members[1].at("where"), "ana");
  EXPECT_EQ(members[2].at("member"), "gone/*");
  EXPECT_THAT(members[2].at("reason").get<std::string>(), HasSubstr("ssh gone"));
  const CommandResult down = Fleet({"down"});
  EXPECT_EQ(down.status, 5) << "gone may run workers still";
  EXPECT_THAT(down.err, HasSubstr("gone does not answer"));
  const CommandResult moved = Up({"bob"});
  EXPECT_EQ(moved.status, 6) << "or its workers would be left behind: " << moved.err;
}

TEST_F(SshFleetTest, WhatIsEndedStaysEndedThoughItIsKept) {
  std::vector<std::string> up = UpArguments({"ana", "bob"});
  up.insert(up.end(), {"--every", "200ms"});
  const auto kept = cluster_.StartEtude(up);
  EXPECT_TRUE(Eventually(kStartSeconds, [&] { return LiveMembers() == 2; }));
  const CommandResult down = Fleet({"down"});
  EXPECT_EQ(down.status, 0) << down.err;
  EXPECT_EQ(kept->Wait(kStartSeconds), 0) << "it notices";
  for (const char* host : {"ana", "bob"}) {
    EXPECT_FALSE(FileExists(hosts_.HomeOf(host) + "/.local/state/etude/fleets/ssh/tls"));
  }
  EXPECT_EQ(ProcessWith(hosts_.HomeOf("ana") + "/.local/state/etude/fleets/ssh/1/state"),
            std::nullopt);
}

TEST_F(SshFleetTest, WorkersThatFailAreNotStartedForEver) {
  std::vector<std::string> up = UpArguments({"ana"});
  up.insert(up.end(), {"--every", "100ms"});
  std::replace(up.begin(), up.end(), ProgramPath("etude-worker"), std::string("/bin/false"));
  const CommandResult failing = cluster_.Etude(up, 60);
  EXPECT_EQ(failing.status, 1) << failing.err;
  EXPECT_THAT(failing.err, HasSubstr("3 workers failed one after the other"));
}

TEST_F(SshFleetTest, WithoutAnyMachineThatAnswersItSaysSo) {
  const CommandResult up = Up({"gone"});
  EXPECT_EQ(up.status, 5);
  EXPECT_THAT(up.err, HasSubstr("ssh gone true"));
}

}  // namespace
}  // namespace etude
