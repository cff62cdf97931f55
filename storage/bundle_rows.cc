#include "storage/bundle_rows.h"

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormatVersion[] = "1.0";
constexpr int kMaxDepth = 6;  // of brackets: deeper ones would cost memory out of all proportion

// Outward.

Json RealToJson(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

Json FilesToJson(const std::vector<ArtifactFile>& files) {
  Json list = Json::array();
  for (const ArtifactFile& file : files) {
    list.push_back({{"name", file.name}, {"sha256", file.sha256}, {"bytes", file.bytes}});
  }
  return list;
}

Json KeysToJson(const std::vector<RunKey>& keys) {
  Json list = Json::array();
  for (const RunKey& key : keys) list.push_back(key.text());
  return list;
}

Json ToJson(const Sweep& sweep) {
  return {{"row", "sweep"},
          {"id", sweep.id.text()},
          {"name", sweep.name},
          {"corpus", sweep.corpus.text()},
          {"spec_toml", sweep.spec_toml},
          {"resolved_json", sweep.resolved_json},
          {"runs", KeysToJson(sweep.runs)},
          {"held_out", KeysToJson(sweep.held_out)},
          {"max_failed_runs", sweep.max_failed_runs},
          {"max_hours", RealToJson(sweep.max_hours)},
          {"state", SweepStateName(sweep.state)},
          {"reason", sweep.reason},
          {"paused", sweep.paused},
          {"priority", sweep.priority},
          {"weight", RealToJson(sweep.weight)},
          {"created_at_us", sweep.created_at_us},
          {"finished_at_us", sweep.finished_at_us}};
}

Json ToJson(const std::optional<RunResult>& result) {
  if (!result) return nullptr;
  return {{"val_loss", RealToJson(result->val_loss)},
          {"best_val_loss", RealToJson(result->best_val_loss)},
          {"best_step", result->best_step},
          {"train_eval_loss", RealToJson(result->train_eval_loss)},
          {"test_loss", RealToJson(result->test_loss)},
          {"train_seconds", RealToJson(result->train_seconds)},
          {"eval_seconds", RealToJson(result->eval_seconds)},
          {"tokens_per_s", RealToJson(result->tokens_per_s)},
          {"device", result->device},
          {"weights_sha256", result->weights_sha256},
          {"mixed_numerics", result->mixed_numerics}};
}

Json ToJson(const Run& run) {
  return {{"row", "run"},
          {"key", run.key.text()},
          {"config", RunConfigToJson(run.config)},
          {"state", RunStateName(run.state)},
          {"reason", run.reason},
          {"result", ToJson(run.result)},
          {"created_at_us", run.created_at_us},
          {"finished_at_us", run.finished_at_us}};
}

Json ToJson(const Job& job) {
  return {{"row", "job"},
          {"id", job.id.text()},
          {"run", job.run.text()},
          {"parent", job.parent.text()},
          {"from", job.from},
          {"to", job.to},
          {"state", JobStateName(job.state)},
          {"attempts", job.attempts},
          {"counted_failures", job.counted_failures},
          {"reason", job.reason}};
}

Json ToJson(const BundledAttempt& bundled) {
  const Attempt& attempt = bundled.attempt;
  return {{"row", "attempt"},
          {"job", attempt.job.text()},
          {"number", attempt.number},
          {"worker", attempt.worker.text()},
          {"start_step", attempt.start_step},
          {"outcome", JobOutcomeName(attempt.outcome.value_or(JobOutcome::kReleased))},
          {"reason", attempt.reason},
          {"started_at_us", attempt.started_at_us},
          {"ended_at_us", attempt.ended_at_us},
          {"numerics", attempt.numerics},
          {"artifacts", FilesToJson(bundled.artifacts)}};
}

Json ToJson(const CheckpointAdded& added) {
  const Checkpoint& checkpoint = added.checkpoint;
  return {{"row", "checkpoint"},
          {"job", checkpoint.job.text()},
          {"attempt", checkpoint.attempt},
          {"kind", CheckpointKindName(checkpoint.kind)},
          {"step", checkpoint.step},
          {"at_us", added.at_us},
          {"files", FilesToJson(checkpoint.files)}};
}

Json ToJson(const Segment& segment) {
  return {{"row", "segment"},          {"run", segment.run.text()}, {"ordinal", segment.ordinal},
          {"job", segment.job.text()}, {"from", segment.from},      {"to", segment.to}};
}

class RowWriter {
 public:
  void Add(const Json& row) {
    text_ += row.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
    text_ += '\n';
  }

  // One series' at a time.
  void AddPoints(const BundledAttempt& bundled) {
    const std::vector<LossPoint>& points = bundled.points;
    for (std::size_t first = 0; first < points.size();) {
      Json steps = Json::array();
      Json values = Json::array();
      std::size_t i = first;
      for (; i < points.size() && i < first + kMaxPointsPerRow; ++i) {
        if (points[i].series != points[first].series) break;
        steps.push_back(points[i].step);
        values.push_back(RealToJson(points[i].value));
      }
      Add({{"row", "points"},
           {"job", bundled.attempt.job.text()},
           {"attempt", bundled.attempt.number},
           {"series", SeriesName(points[first].series)},
           {"steps", std::move(steps)},
           {"values", std::move(values)}});
      first = i;
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Inward. A key that is missing, or of another type, makes the packaged library throw, which
// RowReader catches.

absl::Status Bad(const std::string& what) { return DataLoss(what); }

double RealFromJson(const Json& json) {
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (json == "inf") return std::numeric_limits<double>::infinity();
  if (json == "-inf") return -std::numeric_limits<double>::infinity();
  return json.get<double>();
}

// Numbers of JSON that do not fit would be cut by the library.
template <typename Integer>
absl::StatusOr<Integer> IntegerFromJson(const Json& json) {
  if (!json.is_number_integer()) return Bad("a whole number is missing");
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{1} << 62) {
    return Bad("a number is too large");
  }
  const auto value = json.get<std::int64_t>();
  if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max()) {
    return Bad("a number is too large");
  }
  return static_cast<Integer>(value);
}

template <typename Enum>
absl::StatusOr<Enum> NameFromJson(const Json& json,
                                  std::optional<Enum> (*from_name)(std::string_view)) {
  const std::optional<Enum> value = from_name(json.get_ref<const std::string&>());
  if (!value) return Bad("an unknown word");
  return *value;
}

absl::StatusOr<std::vector<ArtifactFile>> FilesFromJson(const Json& json) {
  std::vector<ArtifactFile> files;
  for (const Json& one : json) {
    ArtifactFile& file = files.emplace_back();
    file.name = one.at("name");
    file.sha256 = one.at("sha256");
    ASSIGN_OR_RETURN(file.bytes, IntegerFromJson<std::int64_t>(one.at("bytes")));
  }
  return files;
}

std::vector<RunKey> KeysFromJson(const Json& json) {
  std::vector<RunKey> keys;
  for (const Json& one : json) keys.emplace_back(one.get<std::string>());
  return keys;
}

absl::StatusOr<RunResult> ResultFromJson(const Json& json) {
  RunResult result;
  result.val_loss = RealFromJson(json.at("val_loss"));
  result.best_val_loss = RealFromJson(json.at("best_val_loss"));
  ASSIGN_OR_RETURN(result.best_step, IntegerFromJson<std::int64_t>(json.at("best_step")));
  result.train_eval_loss = RealFromJson(json.at("train_eval_loss"));
  result.test_loss = RealFromJson(json.at("test_loss"));
  result.train_seconds = RealFromJson(json.at("train_seconds"));
  result.eval_seconds = RealFromJson(json.at("eval_seconds"));
  result.tokens_per_s = RealFromJson(json.at("tokens_per_s"));
  result.device = json.at("device");
  result.weights_sha256 = json.at("weights_sha256");
  result.mixed_numerics = json.at("mixed_numerics");
  return result;
}

class RowReader {
 public:
  absl::Status Take(std::string_view line) {
    if (line.size() > kMaxBundleRowBytes) return Bad("it is too long");
    const Json row = Json::parse(
        line, [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; },
        /*allow_exceptions=*/false);
    if (!row.is_object()) return Bad("it is not a JSON object");
    try {  // the packaged library throws on a missing key or another type
      return TakeRow(row);
    } catch (const Json::exception& error) {
      return Bad(error.what());
    }
  }

  absl::StatusOr<Bundle> Finish() {
    if (!began_ || !has_sweep_ || !has_corpus_) return Bad("its beginning or its sweep is missing");
    if (!ended_) return Bad("its end is missing");
    RETURN_IF_ERROR(CheckBundle(bundle_));
    return std::move(bundle_);
  }

 private:
  absl::Status TakeRow(const Json& row) {
    const std::string& kind = row.at("row").get_ref<const std::string&>();
    if (!began_) return Begin(kind, row);
    if (ended_) return Bad("a row after the end");
    if (kind == "points") return TakePoints(row);
    if (kind == "attempt") return TakeAttempt(row);
    if (kind == "job") return TakeJob(row);
    if (kind == "checkpoint") return TakeCheckpoint(row);
    if (kind == "segment") return TakeSegment(row);
    if (kind == "run") return TakeRun(row);
    if (kind == "fit") return TakeFit(row);
    if (kind == "prediction") return TakePrediction(row);
    if (kind == "sweep") return TakeSweep(row);
    if (kind == "corpus") return TakeCorpus(row);
    if (kind != "end") return Bad("an unknown row");
    ended_ = true;
    return absl::OkStatus();
  }

  absl::Status Begin(const std::string& kind, const Json& row) {
    if (kind != "bundle") return Bad("it is not the beginning of a bundle");
    const std::string version = row.at("format_version");
    if (version != kFormatVersion) {
      return InvalidArgument("the bundle has format " + version.substr(0, 16) +
                             ", and this coordinator reads " + kFormatVersion +
                             ". Upgrade the coordinator");
    }
    began_ = true;
    return absl::OkStatus();
  }

  absl::Status TakeSweep(const Json& row) {
    if (std::exchange(has_sweep_, true)) return Bad("a second sweep");
    Sweep& sweep = bundle_.sweep;
    sweep.id = SweepId(row.at("id"));
    sweep.name = row.at("name");
    sweep.corpus = CorpusId(row.at("corpus"));
    sweep.spec_toml = row.at("spec_toml");
    sweep.resolved_json = row.at("resolved_json");
    sweep.runs = KeysFromJson(row.at("runs"));
    sweep.held_out = KeysFromJson(row.at("held_out"));
    ASSIGN_OR_RETURN(sweep.max_failed_runs, IntegerFromJson<int>(row.at("max_failed_runs")));
    sweep.max_hours = RealFromJson(row.at("max_hours"));
    ASSIGN_OR_RETURN(sweep.state, NameFromJson(row.at("state"), SweepStateFromName));
    sweep.reason = row.at("reason");
    sweep.paused = row.at("paused");
    ASSIGN_OR_RETURN(sweep.priority, IntegerFromJson<int>(row.at("priority")));
    sweep.weight = RealFromJson(row.at("weight"));
    return TakeTimes(row, sweep.created_at_us, sweep.finished_at_us);
  }

  static absl::Status TakeTimes(const Json& row, std::int64_t& created, std::int64_t& finished) {
    ASSIGN_OR_RETURN(created, IntegerFromJson<std::int64_t>(row.at("created_at_us")));
    ASSIGN_OR_RETURN(finished, IntegerFromJson<std::int64_t>(row.at("finished_at_us")));
    return absl::OkStatus();
  }

  absl::Status TakeCorpus(const Json& row) {
    if (std::exchange(has_corpus_, true)) return Bad("a second corpus");
    bundle_.corpus.id = CorpusId(row.at("id"));
    bundle_.corpus.name = row.at("name");
    ASSIGN_OR_RETURN(bundle_.corpus.files, FilesFromJson(row.at("files")));
    return absl::OkStatus();
  }

  absl::Status TakeRun(const Json& row) {
    if (bundle_.runs.size() >= kMaxBundleRuns) return Bad("too many runs");
    Run& run = bundle_.runs.emplace_back();
    run.key = RunKey(row.at("key"));
    absl::StatusOr<RunConfig> config =
        RunConfigFromJson(row.at("config").get_ref<const std::string&>());
    if (!config.ok()) return Bad("run " + run.key.Short() + ": " + MessageOf(config.status()));
    run.config = *std::move(config);
    ASSIGN_OR_RETURN(run.state, NameFromJson(row.at("state"), RunStateFromName));
    run.reason = row.at("reason");
    if (!row.at("result").is_null()) {
      ASSIGN_OR_RETURN(run.result, ResultFromJson(row.at("result")));
    }
    return TakeTimes(row, run.created_at_us, run.finished_at_us);
  }

  absl::Status TakeJob(const Json& row) {
    Job job;
    job.id = JobId(row.at("id"));
    job.run = RunKey(row.at("run"));
    job.parent = JobId(row.at("parent"));
    ASSIGN_OR_RETURN(job.from, IntegerFromJson<std::int64_t>(row.at("from")));
    ASSIGN_OR_RETURN(job.to, IntegerFromJson<std::int64_t>(row.at("to")));
    ASSIGN_OR_RETURN(job.state, NameFromJson(row.at("state"), JobStateFromName));
    ASSIGN_OR_RETURN(job.attempts, IntegerFromJson<int>(row.at("attempts")));
    ASSIGN_OR_RETURN(job.counted_failures, IntegerFromJson<int>(row.at("counted_failures")));
    job.reason = row.at("reason");
    bundle_.jobs.push_back({std::move(job), {}, {}});
    return absl::OkStatus();
  }

  // A job's attempts, points and checkpoints follow it.
  absl::StatusOr<BundledJob*> JobOfRow(const Json& row) {
    const std::string& id = row.at("job").get_ref<const std::string&>();
    if (bundle_.jobs.empty() || bundle_.jobs.back().job.id.text() != id) {
      return Bad("it does not follow its job");
    }
    return &bundle_.jobs.back();
  }

  absl::Status TakeAttempt(const Json& row) {
    ASSIGN_OR_RETURN(BundledJob * job, JobOfRow(row));
    BundledAttempt& bundled = job->attempts.emplace_back();
    Attempt& attempt = bundled.attempt;
    attempt.job = job->job.id;
    ASSIGN_OR_RETURN(attempt.number, IntegerFromJson<int>(row.at("number")));
    attempt.worker = WorkerId(row.at("worker"));
    ASSIGN_OR_RETURN(attempt.start_step, IntegerFromJson<std::int64_t>(row.at("start_step")));
    ASSIGN_OR_RETURN(attempt.outcome, NameFromJson(row.at("outcome"), JobOutcomeFromName));
    attempt.reason = row.at("reason");
    ASSIGN_OR_RETURN(attempt.started_at_us, IntegerFromJson<std::int64_t>(row.at("started_at_us")));
    ASSIGN_OR_RETURN(attempt.ended_at_us, IntegerFromJson<std::int64_t>(row.at("ended_at_us")));
    attempt.numerics = row.at("numerics");
    ASSIGN_OR_RETURN(bundled.artifacts, FilesFromJson(row.at("artifacts")));
    return absl::OkStatus();
  }

  absl::Status TakePoints(const Json& row) {
    ASSIGN_OR_RETURN(BundledJob * job, JobOfRow(row));
    ASSIGN_OR_RETURN(const int number, IntegerFromJson<int>(row.at("attempt")));
    if (job->attempts.empty() || job->attempts.back().attempt.number != number) {
      return Bad("it does not follow its attempt");
    }
    ASSIGN_OR_RETURN(const Series series, NameFromJson(row.at("series"), SeriesFromName));
    const Json& steps = row.at("steps");
    const Json& values = row.at("values");
    if (!steps.is_array() || steps.size() != values.size() || steps.size() > kMaxPointsPerRow) {
      return Bad("its columns have no common length");
    }
    points_ += static_cast<std::int64_t>(steps.size());
    if (points_ > kMaxBundlePoints) return Bad("too many loss points");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      ASSIGN_OR_RETURN(const std::int64_t step, IntegerFromJson<std::int64_t>(steps[i]));
      job->attempts.back().points.push_back({series, step, RealFromJson(values.at(i))});
    }
    return absl::OkStatus();
  }

  absl::Status TakeCheckpoint(const Json& row) {
    ASSIGN_OR_RETURN(BundledJob * job, JobOfRow(row));
    CheckpointAdded& added = job->checkpoints.emplace_back();
    Checkpoint& checkpoint = added.checkpoint;
    checkpoint.job = job->job.id;
    ASSIGN_OR_RETURN(checkpoint.attempt, IntegerFromJson<int>(row.at("attempt")));
    ASSIGN_OR_RETURN(checkpoint.kind, NameFromJson(row.at("kind"), CheckpointKindFromName));
    ASSIGN_OR_RETURN(checkpoint.step, IntegerFromJson<std::int64_t>(row.at("step")));
    ASSIGN_OR_RETURN(added.at_us, IntegerFromJson<std::int64_t>(row.at("at_us")));
    ASSIGN_OR_RETURN(checkpoint.files, FilesFromJson(row.at("files")));
    return absl::OkStatus();
  }

  absl::Status TakeSegment(const Json& row) {
    Segment& segment = bundle_.segments.emplace_back();
    segment.run = RunKey(row.at("run"));
    ASSIGN_OR_RETURN(segment.ordinal, IntegerFromJson<int>(row.at("ordinal")));
    segment.job = JobId(row.at("job"));
    ASSIGN_OR_RETURN(segment.from, IntegerFromJson<std::int64_t>(row.at("from")));
    ASSIGN_OR_RETURN(segment.to, IntegerFromJson<std::int64_t>(row.at("to")));
    return absl::OkStatus();
  }

  absl::Status TakeFit(const Json& row) {
    SweepFit& fit = bundle_.fits.emplace_back();
    fit.sweep = bundle_.sweep.id;
    ASSIGN_OR_RETURN(fit.family, NameFromJson(row.at("family"), FamilyFromName));
    fit.json = row.at("fit");
    fit.sha256 = row.at("sha256");
    ASSIGN_OR_RETURN(fit.fitted_at_us, IntegerFromJson<std::int64_t>(row.at("fitted_at_us")));
    return absl::OkStatus();
  }

  absl::Status TakePrediction(const Json& row) {
    const std::string& json = row.at("prediction").get_ref<const std::string&>();
    absl::StatusOr<FrozenPrediction> prediction = FrozenPredictionFromJson(json);
    if (!prediction.ok() || Sha256Hex(json) != row.at("sha256")) {
      return Bad("a frozen prediction does not match its hash");
    }
    prediction->blind = row.at("blind");
    ASSIGN_OR_RETURN(prediction->frozen_at_us,
                     IntegerFromJson<std::int64_t>(row.at("frozen_at_us")));
    bundle_.predictions.push_back(*std::move(prediction));
    return absl::OkStatus();
  }

  Bundle bundle_;
  bool began_ = false;
  bool ended_ = false;
  bool has_sweep_ = false;
  bool has_corpus_ = false;
  std::int64_t points_ = 0;
};

}  // namespace

std::string BundleToRows(const Bundle& bundle, const std::string& software) {
  RowWriter rows;
  rows.Add({{"row", "bundle"}, {"format_version", kFormatVersion}, {"software", software}});
  rows.Add(ToJson(bundle.sweep));
  rows.Add({{"row", "corpus"},
            {"id", bundle.corpus.id.text()},
            {"name", bundle.corpus.name},
            {"files", FilesToJson(bundle.corpus.files)}});
  for (const Run& run : bundle.runs) rows.Add(ToJson(run));
  for (const BundledJob& job : bundle.jobs) {
    rows.Add(ToJson(job.job));
    for (const BundledAttempt& attempt : job.attempts) {
      rows.Add(ToJson(attempt));
      rows.AddPoints(attempt);
    }
    for (const CheckpointAdded& checkpoint : job.checkpoints) rows.Add(ToJson(checkpoint));
  }
  for (const Segment& segment : bundle.segments) rows.Add(ToJson(segment));
  for (const SweepFit& fit : bundle.fits) {
    rows.Add({{"row", "fit"},
              {"family", FamilyName(fit.family)},
              {"fit", fit.json},
              {"sha256", fit.sha256},
              {"fitted_at_us", fit.fitted_at_us}});
  }
  for (const FrozenPrediction& prediction : bundle.predictions) {
    const std::string json = FrozenPredictionJson(prediction);
    rows.Add({{"row", "prediction"},
              {"prediction", json},
              {"sha256", Sha256Hex(json)},
              {"blind", prediction.blind},
              {"frozen_at_us", prediction.frozen_at_us}});
  }
  rows.Add({{"row", "end"}});
  return rows.Take();
}

absl::StatusOr<Bundle> BundleFromRows(std::string_view rows) {
  RowReader reader;
  for (int line = 1; !rows.empty(); ++line) {
    const std::size_t end = rows.find('\n');
    if (end == std::string_view::npos) return Bad("line " + std::to_string(line) + " is cut off");
    RETURN_IF_ERROR(Annotate(reader.Take(rows.substr(0, end)), "line " + std::to_string(line)));
    rows.remove_prefix(end + 1);
  }
  return reader.Finish();
}

}  // namespace etude
