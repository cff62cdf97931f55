// A fleet's workers as processes of machines that the user may log in to with ssh.
#ifndef ETUDE_CLIENT_SSH_FLEET_H_
#define ETUDE_CLIENT_SSH_FLEET_H_

#include <map>
#include <string>
#include <vector>

#include "client/fleet_engine.h"
#include "client/fleet_spec.h"

namespace etude {

// Worker k of the fleet, from 1, is on host (k - 1) modulo their number, in a directory of its own
// there: ~/.local/state/etude/fleets/NAME/k. Certificates and token go through ssh's stdin into
// files that only the user may read.
class SshEngine : public FleetEngine {
 public:
  explicit SshEngine(FleetSpec spec);

  absl::Status Start(int count, bool stays) override;
  // A host that does not answer is a silent member "HOST/*". kUnavailable: none answers.
  absl::StatusOr<std::vector<FleetMember>> Members() override;
  absl::Status Stop(const std::vector<FleetMember>& members) override;
  absl::Status Kill(const std::vector<FleetMember>& members) override;
  absl::Status CleanUp() override;

 private:
  const std::string& HostOf(int number) const;
  // Runs the script of each host there, all at once; what each printed.
  using Answers = std::map<std::string, absl::StatusOr<std::string>>;
  static absl::Status AnyOf(const Answers& answers);
  Answers RunScripts(const std::map<std::string, std::string>& scripts) const;
  absl::Status Signal(const std::vector<FleetMember>& members, const std::string& function) const;

  FleetSpec spec_;
};

// The scripts that run on a host, by its `sh`. `numbers` are the workers to start.
std::string SshListScript(const FleetSpec& spec);
// Errors are those of reading the certificates and the token.
absl::StatusOr<std::string> SshStartScript(const FleetSpec& spec, const std::vector<int>& numbers,
                                           bool stays);

// What SshListScript printed on `host`.
std::vector<FleetMember> ParseSshList(const std::string& text, const FleetSpec& spec,
                                      const std::string& host);

}  // namespace etude

#endif  // ETUDE_CLIENT_SSH_FLEET_H_
