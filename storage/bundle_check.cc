#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/scaling/spec.h"
#include "storage/bundle.h"

namespace etude {
namespace {

constexpr std::size_t kMaxTextBytes = 16 << 10;  // reasons, numerics, names of workers
constexpr std::size_t kMaxFiles = 64;            // of one checkpoint or attempt

absl::Status Bad(const std::string& what) { return DataLoss(what); }

bool IsText(const std::string& text) { return text.size() <= kMaxTextBytes; }

// "KEY.N"
bool IsJobIdOf(const JobId& id, const RunKey& run) {
  const std::string& text = id.text();
  const std::size_t digits = run.text().size() + 1;
  return text.size() > digits && text.size() <= digits + 9 && text.starts_with(run.text() + ".") &&
         text.find_first_not_of("0123456789", digits) == std::string::npos;
}

absl::Status CheckFiles(const std::vector<ArtifactFile>& files) {
  if (files.size() > kMaxFiles) return Bad("too many files");
  std::set<std::string> names;
  for (const ArtifactFile& file : files) {
    const bool named = IsSafeFileName(file.name) && names.insert(file.name).second;
    if (!named || !IsSha256Hex(file.sha256) || file.bytes < 0) {
      return Bad("a file without a name, a hash or a size");
    }
  }
  return absl::OkStatus();
}

// Jobs come in the order in which they were made, so that whatever one needs has been looked at.
class Checker {
 public:
  explicit Checker(const Bundle& bundle) : bundle_(bundle) {}

  absl::Status Check() {
    RETURN_IF_ERROR(Annotate(CheckSweep(), "the sweep"));
    for (const Run& run : bundle_.runs) {
      RETURN_IF_ERROR(Annotate(CheckRun(run), "run " + run.key.Short()));
    }
    RETURN_IF_ERROR(Annotate(CheckRunsOfSweep(), "the sweep"));
    for (const BundledJob& job : bundle_.jobs) {
      RETURN_IF_ERROR(Annotate(CheckJob(job), "job " + job.job.id.text()));
      jobs_[job.job.id] = &job.job;
    }
    RETURN_IF_ERROR(CheckPaths());
    for (const BundledJob& job : bundle_.jobs) {
      RETURN_IF_ERROR(Annotate(CheckOpen(job.job), "job " + job.job.id.text()));
    }
    return CheckForecast();
  }

 private:
  absl::Status CheckSweep() const {
    const Sweep& sweep = bundle_.sweep;
    if (!IsSweepName(sweep.name)) return Bad("it has no name");
    if (sweep.id.text() != Sha256Hex(sweep.resolved_json)) return Bad("its id is not its hash");
    if (sweep.spec_toml.size() > kMaxSpecBytes || !IsText(sweep.reason)) return Bad("too long");
    if (sweep.max_failed_runs < 0 || !(sweep.max_hours >= 0)) return Bad("its limits");
    const bool turn = std::abs(sweep.priority) <= kMaxSweepPriority &&
                      sweep.weight >= kMinSweepWeight && sweep.weight <= kMaxSweepWeight;
    if (!turn) return Bad("its priority or weight is out of range");
    const Corpus& corpus = bundle_.corpus;
    if (corpus.id != sweep.corpus || !IsSha256Hex(corpus.id.text()) || !IsSweepName(corpus.name)) {
      return Bad("it is of another corpus");
    }
    return CheckFiles(corpus.files);
  }

  absl::Status CheckRun(const Run& run) {
    if (run.key != KeyOf(run.config)) {
      return Bad("its key is not the hash of its configuration by this version's numerics");
    }
    if (!runs_.emplace(run.key, &run).second) return Bad("it is there twice");
    if (run.config.corpus != bundle_.sweep.corpus) return Bad("it is of another corpus");
    if (run.state == RunState::kRunning) return Bad("it runs");
    if (run.result.has_value() != (run.state == RunState::kSucceeded)) {
      return Bad("a result belongs to runs that succeeded, and to all of those");
    }
    if (!IsText(run.reason)) return Bad("too long");
    if (!run.result) return absl::OkStatus();
    const RunResult& result = *run.result;
    if (!std::isfinite(result.val_loss) || !IsText(result.device)) return Bad("its result");
    const std::string& weights = result.weights_sha256;
    return weights.empty() || IsSha256Hex(weights) ? absl::OkStatus() : Bad("its weights' hash");
  }

  // The sweep's id names its runs' configurations, so nobody can put others in their place.
  absl::Status CheckRunsOfSweep() const {
    const Sweep& sweep = bundle_.sweep;
    if (sweep.runs.empty() || sweep.runs.size() > bundle_.runs.size()) return Bad("no runs");
    std::string fitted;
    std::string held_out;
    for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
      const Run& run = bundle_.runs[i];
      if (run.key != sweep.runs[i]) return Bad("its runs are others, or in another order");
      std::string& list = sweep.HoldsOut(run.key) ? held_out : fitted;
      list += (list.empty() ? "" : ",") + RunConfigToJson(run.config);
    }
    const std::string begin = "{\"corpus\":\"" + sweep.corpus.text() + "\",";
    const std::string end = "\"runs\":[" + fitted + "]}";
    bool same = sweep.resolved_json.starts_with(begin) && sweep.resolved_json.ends_with(end);
    if (!held_out.empty()) {
      same =
          same &&
          sweep.resolved_json.substr(begin.size()).starts_with("\"held_out\":[" + held_out + "],");
    }
    if (!same) return Bad("its id is that of other runs");
    for (const RunKey& run : sweep.held_out) {
      if (std::find(sweep.runs.begin(), sweep.runs.end(), run) == sweep.runs.end()) {
        return Bad("it holds out a run that it does not have");
      }
    }
    for (std::size_t i = sweep.runs.size(); i < bundle_.runs.size(); ++i) {
      if (!IsTerminal(bundle_.runs[i].state)) return Bad("another sweep's run has not ended");
    }
    return absl::OkStatus();
  }

  absl::Status CheckJob(const BundledJob& bundled) {
    const Job& job = bundled.job;
    const auto run = runs_.find(job.run);
    if (run == runs_.end() || !IsJobIdOf(job.id, job.run)) return Bad("it is of no run");
    if (jobs_.contains(job.id)) return Bad("it is there twice");
    if (job.from < 0 || job.from >= job.to || job.to > run->second->config.steps) {
      return Bad("its steps");
    }
    if (job.parent.empty() != (job.from == 0)) return Bad("its parent");
    if (!job.parent.empty()) {
      const auto parent = jobs_.find(job.parent);
      const bool fits = parent != jobs_.end() && parent->second->from < job.from &&
                        job.from <= parent->second->to;
      if (!fits) return Bad("its parent");
    }
    if (job.state == JobState::kLeased || job.counted_failures < 0 || !IsText(job.reason)) {
      return Bad("its state");
    }
    RETURN_IF_ERROR(CheckAttempts(bundled));
    return CheckCheckpoints(bundled);
  }

  static absl::Status CheckAttempts(const BundledJob& bundled) {
    const Job& job = bundled.job;
    int newest = 0;
    for (const BundledAttempt& one : bundled.attempts) {
      const Attempt& attempt = one.attempt;
      if (attempt.number <= newest || !attempt.outcome) return Bad("its attempts");
      newest = attempt.number;
      if (attempt.start_step < job.from || attempt.start_step > job.to) return Bad("its attempts");
      const bool texts =
          IsText(attempt.worker.text()) && IsText(attempt.reason) && IsText(attempt.numerics);
      if (!texts) return Bad("its attempts' texts are too long");
      RETURN_IF_ERROR(CheckFiles(one.artifacts));
      RETURN_IF_ERROR(CheckPoints(job, one.points));
    }
    return newest > 0 && newest == job.attempts ? absl::OkStatus() : Bad("its attempts");
  }

  static absl::Status CheckPoints(const Job& job, const std::vector<LossPoint>& points) {
    const LossPoint* before = nullptr;
    for (const LossPoint& point : points) {
      if (point.step < 0 || point.step > job.to) return Bad("a loss point outside its steps");
      const bool ordered = before == nullptr || std::tie(before->series, before->step) <
                                                    std::tie(point.series, point.step);
      if (!ordered) return Bad("its loss points are out of order");
      before = &point;
    }
    return absl::OkStatus();
  }

  static absl::Status CheckCheckpoints(const BundledJob& bundled) {
    const Job& job = bundled.job;
    std::set<std::pair<CheckpointKind, std::int64_t>> seen;
    for (const CheckpointAdded& added : bundled.checkpoints) {
      const Checkpoint& checkpoint = added.checkpoint;
      const bool branch = checkpoint.kind == CheckpointKind::kBranch;
      if (!seen.emplace(checkpoint.kind, branch ? checkpoint.step : 0).second) {
        return Bad("two checkpoints of a kind");
      }
      // The best weights may be of its trunk.
      const std::int64_t first = checkpoint.kind == CheckpointKind::kBest ? 0 : job.from + 1;
      if (checkpoint.step < first || checkpoint.step > job.to) return Bad("a checkpoint's step");
      const bool of_attempt =
          std::any_of(bundled.attempts.begin(), bundled.attempts.end(),
                      [&](const auto& one) { return one.attempt.number == checkpoint.attempt; });
      if (!of_attempt) return Bad("a checkpoint of no attempt");
      if (checkpoint.kind == CheckpointKind::kResume && IsTerminal(job.state)) {
        return Bad("a resume checkpoint of a job that is over");
      }
      if (checkpoint.files.empty()) return Bad("a checkpoint without files");
      RETURN_IF_ERROR(CheckFiles(checkpoint.files));
    }
    return absl::OkStatus();
  }

  absl::Status CheckPaths() {
    const Segment* before = nullptr;
    for (const Segment& segment : bundle_.segments) {
      const auto place = "the path of run " + segment.run.Short();
      RETURN_IF_ERROR(Annotate(CheckSegment(segment, before), place));
      before = &segment;
    }
    for (const Run& run : bundle_.runs) {
      const auto last = last_.find(run.key);
      const bool has_path = last != last_.end();
      if (!has_path && run.state != RunState::kSucceeded) continue;
      const bool ends = has_path && last->second->to == run.config.steps &&
                        jobs_.at(last->second->job)->run == run.key &&
                        jobs_.at(last->second->job)->to == run.config.steps;
      const bool succeeded =
          ends && (run.state == RunState::kSucceeded) ==
                      (jobs_.at(last->second->job)->state == JobState::kSucceeded);
      if (!succeeded)
        return Bad("the path of run " + run.key.Short() + " does not lead to its end");
    }
    return absl::OkStatus();
  }

  absl::Status CheckSegment(const Segment& segment, const Segment* before) {
    const auto job = jobs_.find(segment.job);
    if (!runs_.contains(segment.run) || job == jobs_.end()) return Bad("it leads nowhere");
    const bool first = before == nullptr || before->run != segment.run;
    if (first && last_.contains(segment.run)) return Bad("it is there twice");
    const bool joined = first
                            ? segment.ordinal == 0 && segment.from == 0 && job->second->from == 0
                            : segment.ordinal == before->ordinal + 1 &&
                                  segment.from == before->to && job->second->parent == before->job;
    const bool inside = job->second->from == segment.from && segment.from < segment.to &&
                        segment.to <= job->second->to;
    if (!joined || !inside) return Bad("it has a gap");
    last_[segment.run] = &segment;
    return absl::OkStatus();
  }

  // A job that goes on is the last of a path of a run that goes on.
  absl::Status CheckOpen(const Job& job) const {
    if (IsTerminal(job.state)) return absl::OkStatus();
    const auto last = last_.find(job.run);
    const bool goes_on =
        !IsTerminal(runs_.at(job.run)->state) && last != last_.end() && last->second->job == job.id;
    return goes_on ? absl::OkStatus() : Bad("it is queued for nothing");
  }

  absl::Status CheckForecast() const {
    std::set<std::pair<Family, std::string>> fits;
    for (const SweepFit& fit : bundle_.fits) {
      if (fit.sweep != bundle_.sweep.id || fit.sha256 != Sha256Hex(fit.json)) {
        return Bad("a fit does not match its hash");
      }
      fits.emplace(fit.family, fit.sha256);
    }
    std::set<RunKey> predicted;
    for (const FrozenPrediction& prediction : bundle_.predictions) {
      const bool fits_in = prediction.sweep == bundle_.sweep.id &&
                           bundle_.sweep.HoldsOut(prediction.run) &&
                           fits.contains({prediction.family, prediction.fit_sha256}) &&
                           predicted.insert(prediction.run).second;
      if (!fits_in) return Bad("a prediction of another sweep, or by no fit");
    }
    return absl::OkStatus();
  }

  const Bundle& bundle_;
  std::map<RunKey, const Run*> runs_;
  std::map<JobId, const Job*> jobs_;
  std::map<RunKey, const Segment*> last_;  // of each path
};

}  // namespace

absl::Status CheckBundle(const Bundle& bundle) { return Checker(bundle).Check(); }

}  // namespace etude
