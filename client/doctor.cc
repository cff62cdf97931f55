// etude doctor
#include "client/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include "client/command.h"
#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

const char* HealthName(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarn:
      return "warn";
    case Health::kFail:
      return "FAIL";
  }
  return "";
}

Finding Failed(const std::string& check, const absl::Status& status, const std::string& fix) {
  return {check, Health::kFail, MessageOf(status), fix, ExitCodeOf(status)};
}

void ExamineToken(const ClientContext& context, std::vector<Finding>& findings) {
  const absl::StatusOr<std::string> token = ReadTokenIfAny(context.token_file);
  if (!token.ok()) {
    findings.push_back(Failed("token file", token.status(), "chmod 600 " + context.token_file));
  } else if (token->empty()) {
    findings.push_back({"token file", Health::kWarn, context.token_file + " is not there",
                        "etude up, or: export ETUDE_TOKEN_FILE=PATH"});
  } else {
    findings.push_back({"token file", Health::kOk, context.token_file, ""});
  }
}

void ExaminePrograms(const std::string& dir, std::vector<Finding>& findings) {
  for (const char* name : {"etude-coordinator", "etude-worker", "etude-trainer"}) {
    const std::string path = dir + "/" + name;
    if (access(path.c_str(), X_OK) == 0) {
      findings.push_back({name, Health::kOk, path, ""});
    } else {
      findings.push_back({name, Health::kFail, path + " is not there", "make build"});
    }
  }
}

void ExamineService(Session& session, std::vector<Finding>& findings) {
  const absl::StatusOr<CoordinatorClient*> client = session.Coordinator();
  const absl::StatusOr<CoordinatorInfo> info =
      client.ok() ? (*client)->Probe() : absl::StatusOr<CoordinatorInfo>(client.status());
  if (!info.ok()) {
    const bool away = info.status().code() == absl::StatusCode::kUnavailable;
    findings.push_back(Failed("coordinator", info.status(),
                              away ? "etude up" : "export ETUDE_TOKEN_FILE=STATE/token"));
    return;
  }
  for (Finding& finding : ExamineCoordinator(*info, session.clock().Now())) {
    findings.push_back(std::move(finding));
  }
  const absl::StatusOr<std::vector<WorkerView>> workers = (*client)->Workers();
  findings.push_back(workers.ok() ? ExamineWorkers(*workers)
                                  : Failed("workers", workers.status(), "etude worker ls"));
}

absl::StatusOr<ExitCode> RunDoctor(Session& session) {
  std::vector<Finding> findings;
  findings.push_back({"client", Health::kOk,
                      fmt::format("etude {}, protocol {}", kClientVersion, ClientProtocol()), ""});
  const absl::StatusOr<ClientContext> context = session.Context();
  if (context.ok()) {
    findings.push_back(
        {"endpoint", Health::kOk, context->endpoint + " (" + context->endpoint_source + ")", ""});
    ExamineToken(*context, findings);
    ExamineService(session, findings);
  } else {
    findings.push_back(Failed("endpoint", context.status(), "etude up"));
  }
  ExaminePrograms(session.world().program_dir, findings);
  session.Print(DoctorReport(findings));
  return ExitCodeOf(findings);
}

}  // namespace

std::vector<Finding> ExamineCoordinator(const CoordinatorInfo& info, absl::Time now) {
  std::vector<Finding> findings;
  const bool speaks = info.protocol >= OldestClientProtocol();
  findings.push_back(
      {"coordinator", speaks ? Health::kOk : Health::kFail,
       fmt::format("etude-coordinator {}, protocol {}, up since {}, state {}", info.software,
                   info.protocol, ToIso8601(FromMicros(info.started_at_us)), info.state_dir),
       speaks ? "" : "update the coordinator: make build, then: etude up", ExitCode::kConflict});
  findings.push_back({"store", info.read_only ? Health::kFail : Health::kOk,
                      info.read_only ? "read-only: " + info.read_only_reason
                                     : fmt::format("SQLite {}, schema {}", info.sqlite_version,
                                                   info.schema_version),
                      info.read_only ? "free some space in " + info.state_dir : ""});
  const bool low = info.free_bytes < kLowDiskBytes;
  findings.push_back({"disk", low ? Health::kWarn : Health::kOk,
                      BytesText(static_cast<double>(info.free_bytes)) + " free",
                      low ? "free some space in " + info.state_dir : ""});
  const absl::Duration skew = absl::AbsDuration(now - FromMicros(info.now_us));
  const bool skewed = skew > kMaxClockSkew;
  findings.push_back({"clock", skewed ? Health::kWarn : Health::kOk,
                      DurationText(absl::ToDoubleSeconds(skew)) + " apart from the coordinator's",
                      skewed ? "timedatectl status     (on both machines)" : ""});
  findings.push_back({"queue", Health::kOk,
                      fmt::format("{} active sweeps, {} jobs queued, {} running",
                                  info.active_sweeps, info.queued_jobs, info.leased_jobs),
                      ""});
  return findings;
}

Finding ExamineWorkers(const std::vector<WorkerView>& workers) {
  int online = 0;
  int slots = 0;
  std::vector<std::string> quarantined;
  for (const WorkerView& view : workers) {
    if (view.worker.state == WorkerState::kQuarantined)
      quarantined.push_back(view.worker.id.text());
    if (view.worker.state != WorkerState::kOnline) continue;
    ++online;
    slots += view.worker.slots;
  }
  const std::string found = fmt::format("{} of {} online, {} slots", online, workers.size(), slots);
  if (!quarantined.empty()) {
    return {"workers", Health::kWarn,
            fmt::format("{}; quarantined: {}", found, fmt::join(quarantined, ", ")),
            "etude worker ls"};
  }
  if (online == 0) {
    return {"workers", Health::kWarn, found + ": nothing will train",
            "etude up, or start etude-worker on a machine"};
  }
  return {"workers", Health::kOk, found, ""};
}

Report DoctorReport(const std::vector<Finding>& findings) {
  Report report{
      "checks",
      {},
      Table{{{"check", "check"}, {"health", "health"}, {"found", "found"}, {"fix", "fix"}}, {}},
      "nothing checked"};
  for (const Finding& finding : findings) {
    report.list->rows.push_back({finding.check, std::string(HealthName(finding.health)),
                                 finding.found, finding.fix.empty() ? Cell() : Cell(finding.fix)});
  }
  return report;
}

ExitCode ExitCodeOf(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (finding.health == Health::kFail) return finding.code;
  }
  return ExitCode::kOk;
}

void AddDoctor(CommandTree& tree) {
  AddCommand(tree, tree.app,
             {"doctor",
              "Check the way to the coordinator, and say how to mend it.",
              {"etude doctor", "etude doctor -o json --endpoint 127.0.0.1:7433"},
              "Exits with the code of the first failure; warnings alone exit 0."},
             RunDoctor);
}

}  // namespace etude
