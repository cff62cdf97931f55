#include "tests/support/cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "lib/base/file.h"
#include "lib/base/random.h"

namespace etude {
namespace {

constexpr double kStartSeconds = 20;

constexpr char kWorkerConfig[] =
    "checkpoint_seconds = 1\n"
    "upload_seconds = 2\n";

void WriteText(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A bar of four eighths-pairs that wanders stepwise over the scale.
std::string MakeBar(const CounterRandom& random, std::uint64_t& draw, int& degree) {
  static constexpr char kScale[] = "DEFGABcdefga";
  std::string bar;
  for (int i = 0; i < 4; ++i) {
    degree += static_cast<int>(random.Below(draw++, 5)) - 2;
    degree = std::min(std::max(degree, 0), 10);
    bar += kScale[degree];
    bar += random.Below(draw++, 4) == 0 ? "2" : std::string(1, kScale[degree + 1]);
  }
  return bar + "|";
}

}  // namespace

std::string ProgramPath(const std::string& program) {
  const char* folder = std::getenv("ETUDE_BIN");
  return (folder == nullptr ? "build/bin" : std::string(folder)) + "/" + program;
}

void WriteTunes(const std::string& directory, int tunes) {
  std::filesystem::create_directories(directory);
  std::ofstream file(directory + "/tunes.abc");
  for (int tune = 1; tune <= tunes; ++tune) {
    const CounterRandom random(11, RandomStream::kSampling, static_cast<std::uint32_t>(tune));
    std::uint64_t draw = 0;
    int degree = 4;
    file << "X:" << tune << "\nT:Made-up tune " << tune
         << "\nM:4/4\nL:1/8\nK:" << (random.Below(draw++, 2) == 0 ? "D" : "G") << "\n";
    for (int line = 0; line < 4; ++line) {
      for (int bar = 0; bar < 4; ++bar) file << MakeBar(random, draw, degree);
      file << "\n";
    }
    file << "\n";
  }
}

Cluster::Cluster(const ClusterOptions& options)
    : options_(options), directory_(NewDirectory("cluster")) {
  WriteText(directory_ + "/worker.toml", kWorkerConfig);
  WriteText(directory_ + "/coordinator.toml", options_.coordinator_toml);
  if (tls()) MakeCredentials();
}

std::string Cluster::Host() const {
  return options_.network == nullptr ? "127.0.0.1" : options_.network->AddressOf("coordinator");
}

std::vector<std::string> Cluster::Command(const std::string& host, const std::string& program,
                                          const std::vector<std::string>& arguments) const {
  std::vector<std::string> command;
  if (options_.network != nullptr) command = options_.network->PrefixOf(host);
  command.push_back(ProgramPath(program));
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

// As the README says it.
void Cluster::MakeCredentials() {
  const std::string tls = tls_directory();
  const CommandResult made =
      RunCommand({ProgramPath("etude"), "cert", "init", Host(), "--out", tls});
  ASSERT_EQ(made.status, 0) << made.err;
  for (const std::string role : {"worker", "read", "submit", "admin"}) {
    const CommandResult token = RunCommand({ProgramPath("etude"), "token", "new", role, "--tokens",
                                            tls + "/tokens", "--out", tls + "/" + role + ".token"});
    ASSERT_EQ(token.status, 0) << token.err;
  }
}

std::vector<std::string> Cluster::TlsFlags(const std::string& name) const {
  if (!tls()) return {};
  const std::string tls = tls_directory();
  return {"--tls-ca",  tls + "/ca.pem",          "--tls-cert", tls + "/" + name + ".pem",
          "--tls-key", tls + "/" + name + ".key"};
}

ProcessOptions Cluster::Options(const std::string& output) {
  ProcessOptions options;
  // A client on another host sees nothing of the coordinator's directory.
  const std::string state = options_.network == nullptr ? "/coordinator" : "/client";
  options.environment = {"ETUDE_STATE=" + directory_ + state, "ETUDE_ENDPOINT=" + endpoint(),
                         "XDG_CONFIG_HOME=" + directory_ + "/config"};
  if (tls()) {
    const std::string tls = tls_directory();
    for (const std::string& variable :
         {"ETUDE_TOKEN_FILE=" + tls + "/admin.token", "ETUDE_TLS_CA=" + tls + "/ca.pem",
          "ETUDE_TLS_CERT=" + tls + "/client.pem", "ETUDE_TLS_KEY=" + tls + "/client.key"}) {
      options.environment.push_back(variable);
    }
  } else {
    options.environment.emplace_back("ETUDE_TOKEN_FILE=");
  }
  if (!output.empty()) options.output_prefix = directory_ + "/" + output;
  return options;
}

void Cluster::StartCoordinator() {
  const std::string endpoint_file = directory_ + "/coordinator/endpoint";
  std::filesystem::remove(endpoint_file);
  std::vector<std::string> arguments = {"--state",  directory_ + "/coordinator",
                                        "--listen", endpoint(),
                                        "--config", directory_ + "/coordinator.toml"};
  if (tls()) arguments.insert(arguments.end(), {"--token-file", tls_directory() + "/tokens"});
  const std::vector<std::string> flags = TlsFlags("server");
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  coordinator_ = std::make_unique<Process>(Command("coordinator", "etude-coordinator", arguments),
                                           Options("coordinator"));
  ASSERT_TRUE(Eventually(kStartSeconds,
                         [&] { return FileExists(endpoint_file) || !coordinator_->Running(); }));
  std::ifstream text(endpoint_file);
  std::string line;
  ASSERT_TRUE(std::getline(text, line)) << "the coordinator did not start: see " << directory_;
  port_ = std::stoi(line.substr(line.rfind(':') + 1));
}

void Cluster::StartWorker(const std::string& name, const std::vector<std::string>& environment) {
  const std::string token =
      tls() ? tls_directory() + "/worker.token" : directory_ + "/coordinator/token";
  std::vector<std::string> arguments = {"--endpoint",   endpoint(),
                                        "--token-file", token,
                                        "--state",      directory_ + "/" + name,
                                        "--name",       name,
                                        "--slots",      "1",
                                        "--threads",    "1",
                                        "--config",     directory_ + "/worker.toml"};
  const std::vector<std::string> flags = TlsFlags("worker");
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  ProcessOptions options = Options(name);
  options.environment.insert(options.environment.end(), environment.begin(), environment.end());
  workers_[name] = std::make_unique<Process>(Command(name, "etude-worker", arguments), options);
}

CommandResult Cluster::Etude(const std::vector<std::string>& arguments, double seconds) {
  return EtudeWith({}, arguments, seconds);
}

std::unique_ptr<Process> Cluster::StartEtude(const std::vector<std::string>& arguments) {
  return std::make_unique<Process>(Command("client", "etude", arguments), Options("background"));
}

CommandResult Cluster::EtudeWith(const std::vector<std::string>& environment,
                                 const std::vector<std::string>& arguments, double seconds) {
  ProcessOptions options = Options("");
  // Before the others: of equal names the first counts.
  options.environment.insert(options.environment.begin(), environment.begin(), environment.end());
  return RunCommand(Command("client", "etude", arguments), options, seconds);
}

nlohmann::json Cluster::EtudeJson(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  const CommandResult result = Etude(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  nlohmann::json json = nlohmann::json::parse(result.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << result.out;
  return json;
}

void Cluster::PushCorpus() {
  WriteTunes(directory_ + "/abc", 700);
  const CommandResult built =
      Etude({"corpus", "build", directory_ + "/abc", directory_ + "/tunes", "--tokenizer", "char"});
  ASSERT_EQ(built.status, 0) << built.err;
  const CommandResult pushed = Etude({"corpus", "push", directory_ + "/tunes", "--name", "tunes"});
  ASSERT_EQ(pushed.status, 0) << pushed.err;
}

CommandResult Cluster::Submit(const std::string& toml, bool wait) {
  const std::string path = NewDirectory("spec") + "/spec.toml";
  WriteText(path, toml);
  std::vector<std::string> arguments = {"submit", path};
  if (wait) arguments.emplace_back("--wait");
  return Etude(arguments, 240);
}

std::vector<std::string> Cluster::RunsOf(const std::string& sweep) {
  std::vector<std::string> runs;
  const nlohmann::json facts = EtudeJson({"sweep", "show", sweep});
  for (const auto& run : facts["runs"]) runs.push_back(run["run"]);
  return runs;
}

std::string Cluster::StateOf(const std::string& run) {
  return EtudeJson({"run", "show", run})["state"];
}

std::string Cluster::FamilyOf(const std::string& run) {
  return EtudeJson({"run", "show", run})["family"];
}

std::int64_t Cluster::StepOf(const std::string& run) {
  return EtudeJson({"run", "show", run})["step"];
}

int Cluster::AttemptsOf(const std::string& run) {
  return static_cast<int>(EtudeJson({"run", "show", run})["attempts"].size());
}

std::int64_t Cluster::LastStartStepOf(const std::string& run) {
  return EtudeJson({"run", "show", run})["attempts"].back()["start_step"];
}

std::string Cluster::FingerprintOf(const std::string& run) {
  const nlohmann::json facts = EtudeJson({"run", "show", run});
  const CommandResult curve = Etude({"run", "curve", run, "-o", "csv"});
  EXPECT_EQ(curve.status, 0) << curve.err;
  std::istringstream lines(curve.out);
  std::string line;
  std::string kept;
  std::map<std::string, std::int64_t> points;
  std::set<std::string> keys;
  while (std::getline(lines, line)) {
    if (line.find("tokens_per_s") != std::string::npos) continue;
    kept += line + "\n";
    EXPECT_TRUE(keys.insert(line.substr(0, line.rfind(','))).second) << "twice: " << line;
    for (const char* series : {"train", "lr", "grad_norm"}) {
      if (line.find("," + std::string(series) + ",") != std::string::npos) ++points[series];
    }
  }
  const std::int64_t steps = facts["steps"];
  for (const char* series : {"train", "lr", "grad_norm"})
    EXPECT_EQ(points[series], steps) << series;
  return kept + facts["weights_sha256"].get<std::string>();
}

}  // namespace etude
