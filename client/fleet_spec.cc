#include "client/fleet_spec.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "client/context.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxFleetBytes = 1 << 20;
constexpr std::size_t kMaxNameBytes = 32;  // a worker's id has 64 at most
constexpr absl::Duration kLeastConnectTimeout = absl::Minutes(5);
constexpr std::size_t kMaxHosts = 1000;
constexpr int kMaxPerWorker = 1024;  // slots, threads, GPUs
constexpr char kDefinition[] = "fleet.json";
constexpr unsigned kPrivateMode = 0700;

// What may stand in a job script's own lines and in a shell's without being quoted.
bool IsPlainWord(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-+:,/@=[]").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

absl::Status CheckCount(const char* flag, int count, int least, int most) {
  if (count >= least && count <= most) return absl::OkStatus();
  return InvalidArgument(fmt::format("{} {}: {} to {}", flag, count, least, most));
}

absl::Status CheckWord(const char* flag, const std::string& word) {
  if (IsPlainWord(word) && !word.starts_with("-")) return absl::OkStatus();
  return InvalidArgument(
      fmt::format("{} {}: letters, digits and . _ - + : , / @ = [ ] alone", flag, word));
}

absl::Status CheckSlurm(const FleetSpec& spec) {
  RETURN_IF_ERROR(CheckWord("--partition", spec.slurm.partition));
  RETURN_IF_ERROR(CheckWord("--account", spec.slurm.account));
  RETURN_IF_ERROR(CheckWord("--time", spec.slurm.time_limit));
  return CheckCount("--gpus", spec.slurm.gpus, 0, kMaxPerWorker);
}

absl::Status CheckSsh(const FleetSpec& spec) {
  if (spec.ssh.hosts.empty()) {
    return InvalidArgument("an ssh fleet needs machines: --host HOST, once for each");
  }
  if (spec.ssh.hosts.size() > kMaxHosts) {
    return InvalidArgument(fmt::format("--host: at most {}", kMaxHosts));
  }
  const std::string& program = spec.worker.program;
  if (program.find('/') != std::string::npos && !program.starts_with("/")) {
    return InvalidArgument("--program " + program +
                           ": a name in the machines' PATH, or a path that begins with /");
  }
  for (const std::string& host : spec.ssh.hosts) {
    if (host.empty()) return InvalidArgument("--host: a name is empty");
    RETURN_IF_ERROR(CheckWord("--host", host));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view FleetEngineName(FleetEngineKind kind) {
  return kind == FleetEngineKind::kSlurm ? "slurm" : "ssh";
}

std::optional<FleetEngineKind> FleetEngineFromName(std::string_view name) {
  for (const FleetEngineKind kind : {FleetEngineKind::kSlurm, FleetEngineKind::kSsh}) {
    if (name == FleetEngineName(kind)) return kind;
  }
  return std::nullopt;
}

absl::Status CheckFleet(const FleetSpec& spec) {
  if (!IsSafeFileName(spec.name) || spec.name.size() > kMaxNameBytes || spec.name[0] == '-') {
    return InvalidArgument(
        fmt::format("--name {}: up to {} of letters, digits and . _ -", spec.name, kMaxNameBytes));
  }
  RETURN_IF_ERROR(CheckCount("--max", spec.max, 1, kMaxFleetWorkers));
  RETURN_IF_ERROR(CheckCount("--min", spec.min, 0, spec.max));
  RETURN_IF_ERROR(CheckCount("--slots", spec.worker.slots, 1, kMaxPerWorker));
  RETURN_IF_ERROR(CheckCount("--threads", spec.worker.threads, 1, kMaxPerWorker));
  RETURN_IF_ERROR(CheckEndpoint(spec.worker.endpoint));
  return spec.engine == FleetEngineKind::kSlurm ? CheckSlurm(spec) : CheckSsh(spec);
}

std::string FleetWorkerName(const FleetSpec& spec, const std::string& member) {
  return spec.name + "." + spec.tag + "-" + member;
}

absl::StatusOr<std::string> NewFleetTag() {
  std::array<unsigned char, 3> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Internal("the system gives no random bytes");
  }
  return fmt::format("{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2]);
}

std::vector<std::string> FleetWorkerArguments(const FleetSpec& spec, bool stays) {
  const FleetWorker& worker = spec.worker;
  std::vector<std::string> arguments = {"--endpoint",   worker.endpoint,
                                        "--token-file", worker.token_file,
                                        "--slots",      std::to_string(worker.slots),
                                        "--threads",    std::to_string(worker.threads),
                                        "--device",     worker.device};
  if (!worker.tls_ca.empty()) {
    arguments.insert(arguments.end(), {"--tls-ca", worker.tls_ca, "--tls-cert", worker.tls_cert,
                                       "--tls-key", worker.tls_key});
  }
  if (!stays) {
    const absl::Duration connect = std::max(spec.idle, kLeastConnectTimeout);
    arguments.insert(arguments.end(),
                     {"--idle-exit", fmt::format("{:g}", absl::ToDoubleSeconds(spec.idle)),
                      "--connect-timeout", fmt::format("{:g}", absl::ToDoubleSeconds(connect))});
  }
  return arguments;
}

std::string FleetToJson(const FleetSpec& spec) {
  const FleetWorker& worker = spec.worker;
  const Json json = {{"format_version", "1.0"},
                     {"name", spec.name},
                     {"tag", spec.tag},
                     {"engine", FleetEngineName(spec.engine)},
                     {"min", spec.min},
                     {"max", spec.max},
                     {"idle_s", absl::ToDoubleSeconds(spec.idle)},
                     {"finish_in_s", absl::ToDoubleSeconds(spec.finish_in)},
                     {"worker",
                      {{"program", worker.program},
                       {"endpoint", worker.endpoint},
                       {"tls_ca", worker.tls_ca},
                       {"tls_cert", worker.tls_cert},
                       {"tls_key", worker.tls_key},
                       {"token_file", worker.token_file},
                       {"slots", worker.slots},
                       {"threads", worker.threads},
                       {"device", worker.device}}},
                     {"slurm",
                      {{"partition", spec.slurm.partition},
                       {"account", spec.slurm.account},
                       {"time", spec.slurm.time_limit},
                       {"gpus", spec.slurm.gpus},
                       {"sbatch", spec.slurm.sbatch_arguments}}},
                     {"ssh", {{"hosts", spec.ssh.hosts}, {"config", spec.ssh.config_file}}}};
  return json.dump(2) + "\n";
}

absl::StatusOr<FleetSpec> FleetFromJson(const std::string& json, const std::string& path) {
  try {
    const Json root = Json::parse(json);
    FleetSpec spec;
    spec.name = root.at("name");
    spec.tag = root.at("tag");
    const auto engine = FleetEngineFromName(root.at("engine").get<std::string>());
    if (!engine) return DataLoss(path + " names an engine that is unknown; remove the file");
    spec.engine = *engine;
    spec.min = root.at("min");
    spec.max = root.at("max");
    spec.idle = absl::Seconds(root.at("idle_s").get<double>());
    spec.finish_in = absl::Seconds(root.at("finish_in_s").get<double>());
    const Json& worker = root.at("worker");
    spec.worker = {worker.at("program"),  worker.at("endpoint"), worker.at("tls_ca"),
                   worker.at("tls_cert"), worker.at("tls_key"),  worker.at("token_file"),
                   worker.at("slots"),    worker.at("threads"),  worker.at("device")};
    const Json& slurm = root.at("slurm");
    spec.slurm = {slurm.at("partition"), slurm.at("account"), slurm.at("time"), slurm.at("gpus"),
                  slurm.at("sbatch")};
    spec.ssh = {root.at("ssh").at("hosts"), root.at("ssh").at("config")};
    return spec;
  } catch (const nlohmann::json::exception& error) {
    return DataLoss(path + " is damaged: " + error.what() + "; remove it and type: etude fleet up");
  }
}

std::string FleetDirectory(const std::string& state_dir, const std::string& name) {
  return state_dir + "/fleets/" + name;
}

absl::StatusOr<FleetSpec> ReadFleet(const std::string& state_dir, const std::string& name) {
  const std::string path = FleetDirectory(state_dir, name) + "/" + kDefinition;
  const absl::StatusOr<std::string> json = ReadFile(path, kMaxFleetBytes);
  if (json.ok()) return FleetFromJson(*json, path);
  if (!absl::IsNotFound(json.status())) return json.status();
  const std::vector<std::string> names = FleetNames(state_dir);
  const std::string known = fmt::format("{}", fmt::join(names, ", "));
  return WithHint(NotFound("there is no fleet \"" + name + "\" here"),
                  names.empty() ? "etude fleet up -h" : "one of: " + known);
}

absl::Status WriteFleet(const std::string& state_dir, const FleetSpec& spec) {
  const std::string directory = FleetDirectory(state_dir, spec.name);
  RETURN_IF_ERROR(MakeDirectories(directory, kPrivateMode));
  return WriteFileAtomically(directory + "/" + kDefinition, FleetToJson(spec));
}

absl::Status RemoveFleet(const std::string& state_dir, const std::string& name) {
  std::error_code error;
  std::filesystem::remove(FleetDirectory(state_dir, name) + "/" + kDefinition, error);
  return error ? FromErrno(error.value(), "remove the fleet " + name) : absl::OkStatus();
}

std::vector<std::string> FleetNames(const std::string& state_dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(state_dir + "/fleets", error), end;
       !error && at != end; at.increment(error)) {
    if (FileExists(at->path().string() + "/" + kDefinition)) names.push_back(at->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ShellQuoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace etude
