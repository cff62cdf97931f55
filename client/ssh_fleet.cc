#include "client/ssh_fleet.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include "client/display_text.h"
#include "client/external_command.h"
#include "client/failure.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr absl::Duration kSshLimit = absl::Seconds(60);
constexpr int kSshStatus = 255;  // of a failure of ssh itself
constexpr std::size_t kSshAtOnce = 16;
constexpr std::int64_t kMaxCredentialBytes = 1 << 20;

// What every script begins with. A worker's directory holds pid, status (once it ended), stays,
// ending (once it was asked to), log and state.
constexpr char kPrologue[] = R"SH(set -u
umask 077
root=${XDG_STATE_HOME:-$HOME/.local/state}/etude/fleets/$fleet
alive() {  # no other program that got the same pid
  pid=$(cat "$root/$1/pid" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "$root/$1/state"
}
stop() { alive "$1" && [ ! -e "$root/$1/ending" ] && : >"$root/$1/ending" && kill -TERM "$pid"; }
end() { alive "$1" && kill -KILL "$pid"; }
put() { mkdir -p "$root/tls" && base64 -d >"$root/tls/$1.new" && mv -f "$root/tls/$1.new" "$root/tls/$1"; }
)SH";

constexpr char kList[] = R"SH(
for directory in "$root"/[0-9]*/; do
  [ -d "$directory" ] || continue
  number=$(basename "$directory")
  stays=no state=running reason=
  [ -e "$directory/stays" ] && stays=yes
  if alive "$number"; then
    [ -e "$directory/ending" ] && state=ending
  elif [ "$(cat "$directory/status" 2>/dev/null)" = 0 ]; then
    continue
  else
    state=failed
    reason="exit code $(cat "$directory/status" 2>/dev/null || echo unknown): $(tail -n 1 "$directory/log" 2>/dev/null | tr '|' ' ')"
  fi
  printf '%s|%s|%s|%s|%s\n' "$number" "$state" "$stays" "$(cat "$directory/pid" 2>/dev/null)" "$reason"
done
)SH";

// The shell between outlives the worker, to note how it ended.
constexpr char kStart[] = R"SH(
start() {
  number=$1; shift
  mkdir -p "$root/$number" && cd "$root/$number" || exit 1
  rm -f pid status ending stays
  [ "$stays" = no ] || : >stays
  setsid sh -c '"$@" & echo $! >pid; wait $!; echo $? >status' sh \
    "$program" "$@" --name "$name-$number" --state "$root/$number/state" >>log 2>&1 </dev/null &
  tries=0
  until [ -s pid ] || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
}
)SH";

std::string Prologue(const FleetSpec& spec) {
  return "fleet=" + ShellQuoted(spec.name) + "\n" + kPrologue;
}

std::string Base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

struct Credential {
  std::string FleetWorker::*path;
  const char* name;  // on the host
};
constexpr Credential kCredentials[] = {{&FleetWorker::token_file, "token"},
                                       {&FleetWorker::tls_ca, "ca.pem"},
                                       {&FleetWorker::tls_cert, "worker.pem"},
                                       {&FleetWorker::tls_key, "worker.key"}};

int NumberOf(const FleetMember& member) {
  const std::string text = member.id.substr(member.id.rfind('/') + 1);
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;  // 0: the host as a whole
}

}  // namespace

std::string SshListScript(const FleetSpec& spec) { return Prologue(spec) + kList; }

absl::StatusOr<std::string> SshStartScript(const FleetSpec& spec, const std::vector<int>& numbers,
                                           bool stays) {
  std::string script = Prologue(spec);
  FleetSpec there = spec;  // a worker starts in its directory, beside that of the credentials
  for (const Credential& credential : kCredentials) {
    const std::string& path = spec.worker.*credential.path;
    if (path.empty()) continue;
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxCredentialBytes));
    script += fmt::format("put {} <<'END' || exit 1\n{}\nEND\n", credential.name, Base64(bytes));
    there.worker.*credential.path = std::string("../tls/") + credential.name;
  }
  script += "program=" + ShellQuoted(spec.worker.program) + "\n";
  script += "name=" + ShellQuoted(spec.name + "." + spec.tag) + "\n";
  script += std::string("stays=") + (stays ? "yes" : "no") + "\n" + kStart;
  for (const int number : numbers) {
    script += "start " + std::to_string(number);
    for (const std::string& word : FleetWorkerArguments(there, stays)) {
      script += " " + ShellQuoted(word);
    }
    script += "\n";
  }
  return script;
}

std::vector<FleetMember> ParseSshList(const std::string& text, const FleetSpec& spec,
                                      const std::string& host) {
  std::vector<FleetMember> members;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number;
    std::string state;
    std::string stays;
    FleetMember member{.where = host};
    if (!std::getline(fields, number, '|') || !std::getline(fields, state, '|') ||
        !std::getline(fields, stays, '|') || !std::getline(fields, member.life, '|')) {
      continue;
    }
    std::getline(fields, member.reason);
    member.reason = Printable(member.reason);
    member.id = fmt::format("{}/{}", host, number);
    member.state = state == "running"  ? FleetMember::State::kRunning
                   : state == "ending" ? FleetMember::State::kEnding
                                       : FleetMember::State::kFailed;
    member.worker = FleetWorkerName(spec, number);
    member.log = fmt::format("{}:~/.local/state/etude/fleets/{}/{}/log", host, spec.name, number);
    member.stays = stays == "yes";
    members.push_back(std::move(member));
  }
  return members;
}

SshEngine::SshEngine(FleetSpec spec) : spec_(std::move(spec)) {}

const std::string& SshEngine::HostOf(int number) const {
  return spec_.ssh.hosts[static_cast<std::size_t>(number - 1) % spec_.ssh.hosts.size()];
}

SshEngine::Answers SshEngine::RunScripts(const std::map<std::string, std::string>& scripts) const {
  Answers answers;
  for (const auto& [host, script] : scripts) answers.emplace(host, std::string());
  const auto run = [&](const std::string& host, const std::string& script) {
    std::vector<std::string> command = {"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"};
    if (!spec_.ssh.config_file.empty()) {
      command.insert(command.end(), {"-F", spec_.ssh.config_file});
    }
    command.insert(command.end(), {"--", host, "exec sh -s"});
    absl::StatusOr<ExternalResult> result = RunExternal(
        {.arguments = command, .input = script, .limit = kSshLimit, .hears_terminal = false});
    absl::StatusOr<std::string>& answer = answers.at(host);
    if (!result.ok()) {
      answer = result.status();
    } else if (result->status == kSshStatus) {
      answer = Unavailable("ssh " + host + ": " + LastLineOf(result->err));
    } else if (result->status != 0) {
      answer = Internal("on " + host + ": " + LastLineOf(result->err));
    } else {
      answer = std::move(result->out);
    }
  };
  auto next = scripts.begin();
  while (next != scripts.end()) {
    std::vector<std::jthread> batch;
    for (; next != scripts.end() && batch.size() < kSshAtOnce; ++next) {
      batch.emplace_back(run, std::cref(next->first), std::cref(next->second));
    }
  }
  return answers;
}

absl::StatusOr<std::vector<FleetMember>> SshEngine::Members() {
  std::map<std::string, std::string> scripts;
  for (const std::string& host : spec_.ssh.hosts) scripts.emplace(host, SshListScript(spec_));
  std::vector<FleetMember> members;
  absl::Status error;
  std::size_t silent = 0;
  for (auto& [host, answer] : RunScripts(scripts)) {
    if (answer.ok()) {
      const std::vector<FleetMember> some = ParseSshList(*answer, spec_, host);
      members.insert(members.end(), some.begin(), some.end());
      continue;
    }
    ++silent;
    error = answer.status();
    members.push_back({.id = host + "/*",
                       .state = FleetMember::State::kSilent,
                       .where = host,
                       .reason = MessageOf(error)});
  }
  if (silent < scripts.size()) return members;
  return WithHint(error, "ssh " + scripts.begin()->first + " true     (does this work?)");
}

absl::Status SshEngine::Start(int count, bool stays) {
  ASSIGN_OR_RETURN(const std::vector<FleetMember> members, Members());
  std::set<int> taken;
  std::set<std::string> silent;
  for (const FleetMember& member : members) {
    const int number = NumberOf(member);
    if (member.state == FleetMember::State::kSilent) {
      silent.insert(member.where);
    } else if (member.state != FleetMember::State::kFailed) {
      taken.insert(number);
    }
  }
  std::map<std::string, std::vector<int>> numbers;
  for (int number = 1; count > 0; ++number) {
    if (taken.contains(number) || silent.contains(HostOf(number))) continue;
    numbers[HostOf(number)].push_back(number);
    --count;
  }
  std::map<std::string, std::string> scripts;
  for (const auto& [host, some] : numbers) {
    ASSIGN_OR_RETURN(scripts[host], SshStartScript(spec_, some, stays));
  }
  return AnyOf(RunScripts(scripts));
}

// One host that fails is not a reason to do without the others.
absl::Status SshEngine::AnyOf(const Answers& answers) {
  absl::Status status;
  for (const auto& [host, answer] : answers) {
    if (answer.ok()) return absl::OkStatus();
    status = answer.status();
  }
  return status;
}

absl::Status SshEngine::CleanUp() {
  std::map<std::string, std::string> scripts;
  for (const std::string& host : spec_.ssh.hosts) {
    scripts.emplace(host, Prologue(spec_) + "rm -rf -- \"$root/tls\"\n");
  }
  for (const auto& [host, answer] : RunScripts(scripts)) RETURN_IF_ERROR(answer.status());
  return absl::OkStatus();
}

absl::Status SshEngine::Signal(const std::vector<FleetMember>& members,
                               const std::string& function) const {
  std::map<std::string, std::string> scripts;
  for (const FleetMember& member : members) {
    const int number = NumberOf(member);
    if (number == 0) continue;
    std::string& script = scripts.try_emplace(member.where, Prologue(spec_)).first->second;
    script += fmt::format("{} {}\n", function, number);
  }
  for (auto& [host, script] : scripts) script += "exit 0\n";
  for (const auto& [host, answer] : RunScripts(scripts)) RETURN_IF_ERROR(answer.status());
  return absl::OkStatus();
}

absl::Status SshEngine::Stop(const std::vector<FleetMember>& members) {
  return Signal(members, "stop");
}

absl::Status SshEngine::Kill(const std::vector<FleetMember>& members) {
  return Signal(members, "end");
}

}  // namespace etude
