#include "coordinator/coordinator_metrics.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "lib/base/file.h"
#include "storage/state_disk.h"

namespace etude {
namespace {

constexpr double kMicrosPerSecond = 1e6;

// In the order of Change's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<Change>> kChangeNames = {
    "corpus_added", "sweep_added",        "sweep_changed",   "sweep_deleted",   "runs_added",
    "run_changed",  "job_changed",        "job_added",       "attempt_started", "attempt_ended",
    "points_added", "checkpoint_added",   "checkpoint_lost", "worker_changed",  "worker_forgotten",
    "fit_added",    "predictions_frozen", "rate_measured"};
static_assert(!kChangeNames.back().empty(), "every kind of change has a name");

std::int64_t FileBytes(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 ? static_cast<std::int64_t>(facts.st_size) : 0;
}

std::int64_t ResidentBytes() {
  std::istringstream pages(ReadFile("/proc/self/statm").value_or(""));
  std::int64_t all = 0;
  std::int64_t resident = 0;
  pages >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// One sample for each state, zeros too, so that a rate or an alert never lacks its series.
template <typename State, std::size_t n>
void AddByState(MetricsText& text, const std::array<std::int64_t, n>& counts,
                std::string_view (*name_of)(State)) {
  for (std::size_t i = 0; i < n; ++i) {
    text.Add(static_cast<double>(counts[i]), {{"state", name_of(static_cast<State>(i))}});
  }
}

void AddCore(MetricsText& text, const Core::Load& load) {
  text.BeginGauge("etude_core_queue_depth", "What waits for the core, by queue.");
  text.Add(static_cast<double>(load.events), {{"queue", "changes"}});
  text.Add(static_cast<double>(load.points), {{"queue", "points"}});
  text.Add(static_cast<double>(load.heartbeats), {{"queue", "heartbeats"}});
  text.BeginGauge("etude_core_queue_limit", "Beyond it calls are answered RESOURCE_EXHAUSTED.");
  text.Add(static_cast<double>(kMaxQueuedEvents), {{"queue", "changes"}});
  text.Add(static_cast<double>(kMaxQueuedPoints), {{"queue", "points"}});
  text.Add(static_cast<double>(kMaxQueuedHeartbeats), {{"queue", "heartbeats"}});
  text.BeginCounter("etude_core_events_total", "Events that the core has taken, by queue.");
  text.Add(static_cast<double>(load.events_taken), {{"queue", "changes"}});
  text.Add(static_cast<double>(load.heartbeats_taken), {{"queue", "heartbeats"}});
  text.BeginGauge("etude_parked_acquires", "Slots of workers that wait for a job.");
  text.Add(static_cast<double>(load.parked_acquires));
}

void AddSchedule(MetricsText& text, const Scheduler::Counts& counts) {
  text.BeginGauge("etude_workers", "Workers known, by state.");
  AddByState(text, counts.workers, WorkerStateName);
  text.BeginGauge("etude_sweeps", "Sweeps, by state.");
  AddByState(text, counts.sweeps, SweepStateName);
  text.BeginGauge("etude_runs", "Runs, by state.");
  AddByState(text, counts.runs, RunStateName);
  text.BeginGauge("etude_jobs", "Jobs that a worker may take now (queued) or has (leased).");
  text.Add(counts.queued_jobs, {{"state", "queued"}});
  text.Add(counts.leased_jobs, {{"state", "leased"}});
  text.BeginGauge("etude_leases", "Leases that workers hold.");
  text.Add(counts.leased_jobs);
}

}  // namespace

std::string CoordinatorMetrics::Text(const Core::Load& load, bool read_only) const {
  MetricsText text;
  AddProcess(text);
  AddState(text, read_only);
  AddCore(text, load);
  AddSchedule(text, load.counts);
  AddStore(text);
  calls_.AddTo(text);
  return text.text();
}

void CoordinatorMetrics::AddProcess(MetricsText& text) const {
  text.BeginGauge("etude_build_info", "1; the labels say what runs.");
  text.Add(1, {{"version", facts_.software}});
  text.BeginGauge("etude_start_time_seconds", "When it started, since the Unix epoch.");
  text.Add(static_cast<double>(facts_.started_at_us) / kMicrosPerSecond);
  text.BeginGauge("etude_process_resident_memory_bytes", "Memory of the process.");
  text.Add(static_cast<double>(ResidentBytes()));
}

void CoordinatorMetrics::AddState(MetricsText& text, bool read_only) const {
  text.BeginGauge("etude_read_only", "1 while the store takes no writes; /healthz says why.");
  text.Add(read_only ? 1 : 0);
  text.BeginGauge("etude_state_free_bytes", "Free on the disk of the state directory.");
  text.Add(static_cast<double>(FreeBytesOf(facts_.state_dir).value_or(0)));
  text.BeginGauge("etude_database_bytes", "Size of the results store, by file.");
  text.Add(static_cast<double>(FileBytes(facts_.store_path)), {{"file", "main"}});
  text.Add(static_cast<double>(FileBytes(facts_.store_path + "-wal")), {{"file", "wal"}});
  text.BeginGauge("etude_blob_bytes", "Size of all blobs, measured every 5 minutes.");
  text.Add(static_cast<double>(blob_bytes_.load(std::memory_order_relaxed)));
}

void CoordinatorMetrics::AddStore(MetricsText& text) const {
  text.AddHistogram("etude_commit_duration_seconds", "How long a commit took, failed or not.",
                    store_.commit_seconds);
  text.AddHistogram("etude_commit_changes", "Changes of a committed batch.", store_.batch_changes);
  text.AddHistogram("etude_commit_points", "Loss points of a committed batch.",
                    store_.batch_points);
  text.BeginCounter("etude_commits_failed_total", "Batches that the store did not take.");
  text.Add(static_cast<double>(store_.commits_failed.value()));
  text.BeginCounter("etude_points_committed_total",
                    "Loss points committed, which is when they are acknowledged; one that is sent "
                    "again counts again.");
  text.Add(static_cast<double>(store_.points.value()));
  text.BeginCounter("etude_changes_total", "Changes committed, by kind.");
  for (std::size_t i = 0; i < kChangeNames.size(); ++i) {
    text.Add(static_cast<double>(store_.changes[i].value()), {{"kind", kChangeNames[i]}});
  }
  text.BeginCounter("etude_attempts_ended_total", "Attempts that ended, by outcome.");
  for (std::size_t i = 0; i < kJobOutcomes; ++i) {
    text.Add(static_cast<double>(store_.attempts_ended[i].value()),
             {{"outcome", JobOutcomeName(static_cast<JobOutcome>(i))}});
  }
  const auto superseded = static_cast<std::size_t>(JobOutcome::kSuperseded);
  text.BeginCounter("etude_leases_expired_total", "Leases lost by a worker's silence.");
  text.Add(static_cast<double>(store_.attempts_ended[superseded].value()));
}

}  // namespace etude
