#include "client/fleet_round.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "client/display_text.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::size_t kSuffixBytes = 7;  // "-" and six hex digits, which a worker adds to its name

absl::Status AddWork(CoordinatorClient& client, FleetDemand& demand) {
  ASSIGN_OR_RETURN(const std::vector<SweepSummary> sweeps, client.Sweeps());
  for (const SweepSummary& summary : sweeps) {
    if (summary.sweep.state != SweepState::kActive) continue;
    ASSIGN_OR_RETURN(const SweepView view, client.FindSweep(summary.sweep.id.text()));
    demand.eta_s = std::max(demand.eta_s, view.eta_s);
    if (view.eta_s < 0) {
      demand.has_unmeasured = true;
    } else {
      demand.work_s += view.eta_s * view.summary.running;
    }
  }
  return absl::OkStatus();
}

std::string JobsText(const FleetDemand& demand) {
  const std::string eta =
      demand.eta_s < 0 ? "time left not known yet" : DurationText(demand.eta_s) + " left";
  return fmt::format("{} {} queued, {}", demand.queued_jobs,
                     demand.queued_jobs == 1 ? "job" : "jobs", eta);
}

Cell Text(const std::string& text) { return text.empty() ? Cell() : Cell(text); }

}  // namespace

const WorkerView* WorkerOf(const FleetMember& member, const std::vector<WorkerView>& workers) {
  const WorkerView* found = nullptr;
  if (member.worker.empty()) return found;
  for (const WorkerView& view : workers) {
    const std::string& id = view.worker.id.text();
    if (id.size() != member.worker.size() + kSuffixBytes || !id.starts_with(member.worker))
      continue;
    if (found == nullptr || view.worker.last_seen_at_us > found->worker.last_seen_at_us) {
      found = &view;
    }
  }
  return found;
}

absl::StatusOr<FleetView> LookAtFleet(const FleetSpec& spec, FleetEngine& engine,
                                      CoordinatorClient& client) {
  FleetView view{.spec = spec, .demand = {}, .members = {}, .workers = {}};
  ASSIGN_OR_RETURN(view.members, engine.Members());
  ASSIGN_OR_RETURN(const CoordinatorInfo info, client.Info());
  ASSIGN_OR_RETURN(view.workers, client.Workers());
  view.demand.queued_jobs = info.queued_jobs;
  for (const FleetMember& member : view.members) {
    const WorkerView* worker = WorkerOf(member, view.workers);
    if (worker != nullptr) view.demand.fleet_jobs += static_cast<int>(worker->runs.size());
  }
  RETURN_IF_ERROR(AddWork(client, view.demand));
  view.wanted = WantedWorkers(spec, view.demand);
  return view;
}

absl::Status AdjustFleet(const FleetView& view, FleetEngine& engine,
                         const std::function<void(const std::string&)>& say) {
  const FleetStep step = NextFleetStep(view.spec, view.wanted, view.members);
  if (!step.stop.empty()) {
    say(fmt::format("fleet {}: {}; ending {}", view.spec.name, JobsText(view.demand),
                    step.stop.size()));
    RETURN_IF_ERROR(engine.Stop(step.stop));
  }
  const int start = step.start_staying + step.start_others;
  if (start == 0) return absl::OkStatus();
  say(fmt::format("fleet {}: {}; starting {}", view.spec.name, JobsText(view.demand), start));
  if (step.start_staying > 0) RETURN_IF_ERROR(engine.Start(step.start_staying, /*stays=*/true));
  if (step.start_others > 0) RETURN_IF_ERROR(engine.Start(step.start_others, /*stays=*/false));
  return absl::OkStatus();
}

Report FleetReport(const FleetView& view) {
  const FleetSpec& spec = view.spec;
  Report report{
      "members",
      {{{"fleet", "fleet"}, spec.name},
       {{"engine", "engine"}, std::string(FleetEngineName(spec.engine))},
       {{"endpoint", "coordinator"}, spec.worker.endpoint},
       {{"min", "at least"}, static_cast<std::int64_t>(spec.min)},
       {{"max", "at most"}, static_cast<std::int64_t>(spec.max)},
       {{"wanted", "wanted now"}, static_cast<std::int64_t>(view.wanted)},
       {{"queued_jobs", "queued jobs"}, static_cast<std::int64_t>(view.demand.queued_jobs)},
       {{"eta_s", "time left", Show::kSeconds},
        view.demand.eta_s < 0 ? Cell() : Cell(view.demand.eta_s)}},
      Table{{{"member", "member"},
             {"state", "state"},
             {"stays", "stays"},
             {"where", "where"},
             {"worker", "worker"},
             {"worker_state", "worker is"},
             {"runs", ""},
             {"runs_now", "runs"},
             {"reason", "reason"},
             {"log", "log"}},
            {}},
      "no workers now"};
  for (const FleetMember& member : view.members) {
    const WorkerView* worker = WorkerOf(member, view.workers);
    std::vector<std::string> keys;
    std::vector<std::string> shorts;
    for (std::size_t i = 0; worker != nullptr && i < worker->runs.size(); ++i) {
      keys.push_back(worker->runs[i].text());
      shorts.push_back(worker->runs[i].Short());
    }
    report.list->rows.push_back(
        {member.id, std::string(FleetMemberStateName(member.state)), member.stays,
         Text(member.where), worker == nullptr ? Cell() : Cell(worker->worker.id.text()),
         worker == nullptr ? Cell() : Cell(std::string(WorkerStateName(worker->worker.state))),
         keys, shorts, Text(member.reason), Text(member.log)});
  }
  return report;
}

}  // namespace etude
