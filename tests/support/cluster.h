// A coordinator and workers of real processes in a directory of their own, for the system tests.
#ifndef ETUDE_TESTS_SUPPORT_CLUSTER_H_
#define ETUDE_TESTS_SUPPORT_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/network.h"
#include "tests/support/process.h"

namespace etude {

// Where the programs are: $ETUDE_BIN.
std::string ProgramPath(const std::string& program);

// Writes `tunes` made-up but regular ABC tunes to `directory`/tunes.abc.
void WriteTunes(const std::string& directory, int tunes);

// How the parts of a cluster reach each other.
struct ClusterOptions {
  bool tls = false;                   // mutual TLS, and a token for each role
  std::string coordinator_toml = "";  // its settings file
  const Network* network = nullptr;   // hosts "coordinator", "client" and one a worker; implies tls
};

class Cluster {
 public:
  // Checkpoints are written every second, so that a killed process has something to resume from.
  explicit Cluster(const ClusterOptions& options = {});

  const std::string& directory() const { return directory_; }
  std::string tls_directory() const { return directory_ + "/tls"; }
  std::string endpoint() const { return Host() + ":" + std::to_string(port_); }

  // Starts the coordinator and waits until it answers. The first start picks a free port, later
  // ones take it again.
  void StartCoordinator();
  // Starts worker `name` (again, with the same state directory).
  void StartWorker(const std::string& name, const std::vector<std::string>& environment = {});
  Process& coordinator() { return *coordinator_; }
  Process& worker(const std::string& name) { return *workers_.at(name); }

  // `etude ARGUMENTS`, against this coordinator.
  CommandResult Etude(const std::vector<std::string>& arguments, double seconds = 60);
  // The same in the background.
  std::unique_ptr<Process> StartEtude(const std::vector<std::string>& arguments);
  // The same with other environment, "NAME=value".
  CommandResult EtudeWith(const std::vector<std::string>& environment,
                          const std::vector<std::string>& arguments, double seconds = 60);
  // The same with -o json; fails the test unless the command succeeds and prints JSON.
  nlohmann::json EtudeJson(std::vector<std::string> arguments);

  // Builds and pushes the made-up corpus under the name "tunes".
  void PushCorpus();
  // Writes `toml` to a file and submits it; returns the exit status and output.
  CommandResult Submit(const std::string& toml, bool wait);

  // Of the runs of a sweep, in the order of its spec; a name, or a prefix of a key, stands for a
  // run.
  std::vector<std::string> RunsOf(const std::string& sweep);
  std::string StateOf(const std::string& run);
  std::string FamilyOf(const std::string& run);
  std::int64_t StepOf(const std::string& run);  // newest committed training step
  int AttemptsOf(const std::string& run);
  std::int64_t LastStartStepOf(const std::string& run);  // where its newest attempt began

  // Everything that must be equal between two executions of a run: its curve but for timings, and
  // its weights' hash. Fails the test when the curve lacks a step or has one twice.
  std::string FingerprintOf(const std::string& run);

 private:
  ProcessOptions Options(const std::string& output);
  bool tls() const { return options_.tls || options_.network != nullptr; }
  std::string Host() const;
  // `program` with `arguments`, on `host` where there are hosts.
  std::vector<std::string> Command(const std::string& host, const std::string& program,
                                   const std::vector<std::string>& arguments) const;
  void MakeCredentials();
  std::vector<std::string> TlsFlags(const std::string& name) const;

  const ClusterOptions options_;
  std::string directory_;
  int port_ = 0;
  std::unique_ptr<Process> coordinator_;
  std::map<std::string, std::unique_ptr<Process>> workers_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_SUPPORT_CLUSTER_H_
