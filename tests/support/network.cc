#include "tests/support/network.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "tests/support/process.h"

namespace etude {
namespace {

constexpr char kSwitch[] = "switch";
constexpr char kSubnet[] = "10.97.0.";

// `ip WORDS`; the test fails if it does.
void Ip(const std::vector<std::string>& words) {
  std::vector<std::string> command = {"ip"};
  command.insert(command.end(), words.begin(), words.end());
  const CommandResult result = RunCommand(command);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(command) << result.err;
}

constexpr char kPrefix[] = "etude-";
const std::string kEtc = "/etc/netns/";

// Ours and no other test's.
std::string Prefix() { return kPrefix + std::to_string(getpid()) + "-"; }

// With what still runs there.
void Remove(const std::string& name) {
  std::istringstream pids(RunCommand({"ip", "netns", "pids", name}).out);
  for (int pid = 0; pids >> pid;) kill(pid, SIGKILL);
  RunCommand({"ip", "netns", "del", name});
  std::error_code ignored;
  std::filesystem::remove_all(kEtc + name, ignored);
  std::filesystem::remove(kEtc, ignored);  // when it is empty
}

// Those of tests that were killed.
void RemoveLeftOvers() {
  std::istringstream names(RunCommand({"ip", "netns", "list"}).out);
  for (std::string line; std::getline(names, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (!name.starts_with(kPrefix)) continue;
    const int pid = std::atoi(name.c_str() + sizeof(kPrefix) - 1);
    if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH) Remove(name);
  }
}

}  // namespace

bool Network::IsAvailable() {
  const std::string probe = Prefix() + "probe";
  if (RunCommand({"ip", "netns", "add", probe}).status != 0) return false;
  const bool links =
      RunCommand({"ip", "-n", probe, "link", "add", "probe", "type", "bridge"}).status == 0;
  RunCommand({"ip", "netns", "del", probe});
  return links;
}

Network::Network(const std::vector<std::string>& hosts) : hosts_(hosts) {
  RemoveLeftOvers();
  const std::string hub = NamespaceOf(kSwitch);
  Ip({"netns", "add", hub});
  Ip({"-n", hub, "link", "add", "br0", "type", "bridge"});
  Ip({"-n", hub, "link", "set", "br0", "up"});
  for (const std::string& host : hosts_) {
    const std::string name = NamespaceOf(host);
    const std::string port = "port" + std::to_string(IndexOf(host));
    Ip({"netns", "add", name});
    Ip({"-n", name, "link", "set", "lo", "up"});
    Ip({"-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", hub});
    Ip({"-n", name, "addr", "add", AddressOf(host) + "/24", "dev", "eth0"});
    Ip({"-n", hub, "link", "set", port, "master", "br0", "up"});
    Ip({"-n", name, "link", "set", "eth0", "up"});
    WriteHosts(name);
  }
}

// `ip netns exec` shows a namespace's own files in place of those in /etc.
void Network::WriteHosts(const std::string& name) const {
  std::filesystem::create_directories(kEtc + name);
  std::ofstream file(kEtc + name + "/hosts");
  file << "127.0.0.1 localhost\n";
  for (const std::string& host : hosts_) file << AddressOf(host) << " " << host << "\n";
}

Network::~Network() {
  for (const std::string& host : hosts_) Remove(NamespaceOf(host));
  Remove(NamespaceOf(kSwitch));
}

int Network::IndexOf(const std::string& host) const {
  const auto at = std::find(hosts_.begin(), hosts_.end(), host);
  EXPECT_NE(at, hosts_.end()) << host;
  return static_cast<int>(at - hosts_.begin()) + 1;
}

std::string Network::NamespaceOf(const std::string& host) const { return Prefix() + host; }

std::string Network::AddressOf(const std::string& host) const {
  return kSubnet + std::to_string(IndexOf(host));
}

std::vector<std::string> Network::PrefixOf(const std::string& host) const {
  return {"ip", "netns", "exec", NamespaceOf(host)};
}

void Network::SetLink(const std::string& host, const std::string& state) const {
  Ip({"-n", NamespaceOf(kSwitch), "link", "set", "port" + std::to_string(IndexOf(host)), state});
}

}  // namespace etude
