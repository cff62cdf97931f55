#include "tests/support/network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

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

// Ours and no other test's.
std::string Prefix() { return "etude-" + std::to_string(getpid()) + "-"; }

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
  }
}

Network::~Network() {
  for (const std::string& host : hosts_) RunCommand({"ip", "netns", "del", NamespaceOf(host)});
  RunCommand({"ip", "netns", "del", NamespaceOf(kSwitch)});
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
