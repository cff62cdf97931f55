// Hosts on a network of their own, as network namespaces of this machine, for the system tests.
#ifndef ETUDE_TESTS_SUPPORT_NETWORK_H_
#define ETUDE_TESTS_SUPPORT_NETWORK_H_

#include <string>
#include <vector>

namespace etude {

// A switch (a bridge in a namespace of its own) and hosts 10.97.0.1, .2, … behind it, each with a
// loopback, which know each other by name. Nothing of it is seen from outside; all of it goes with
// the object, or with the next one if a test was killed.
class Network {
 public:
  // False where namespaces may not be made: no `ip`, or not root.
  static bool IsAvailable();

  explicit Network(const std::vector<std::string>& hosts);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  std::string AddressOf(const std::string& host) const;
  // What a command begins with to run on a host.
  std::vector<std::string> PrefixOf(const std::string& host) const;
  // Pulls the host's cable, or plugs it in again.
  void Cut(const std::string& host) const { SetLink(host, "down"); }
  void Heal(const std::string& host) const { SetLink(host, "up"); }

 private:
  std::string NamespaceOf(const std::string& host) const;
  void WriteHosts(const std::string& name) const;
  void SetLink(const std::string& host, const std::string& state) const;
  int IndexOf(const std::string& host) const;

  std::vector<std::string> hosts_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_NETWORK_H_
