#include "tests/scenarios/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "lib/base/hash.h"
#include "lib/base/status.h"

namespace etude {
namespace {

const CorpusId kCorpus(std::string(64, 'c'));
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string Text(const absl::Status& status) {
  return status.ok() ? "ok" : "error " + Lower(absl::StatusCodeToString(status.code()));
}

std::string Trim(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string Join(const std::string& state, const std::string& reason) {
  return reason.empty() ? state : state + ": " + reason;
}

// "NAME=VALUE" -> VALUE if the word begins with NAME=.
std::optional<std::string> Option(const std::string& word, const std::string& name) {
  if (word.rfind(name + "=", 0) != 0) return std::nullopt;
  return word.substr(name.size() + 1);
}

}  // namespace

Scenario::Scenario() {
  now_ = {absl::UnixEpoch() + absl::Hours(1), 1000 * kMicrosPerSecond};
  Corpus corpus;
  corpus.id = kCorpus;
  corpus.name = "folk";
  corpus.vocab = 37;
  changes_.push_back(CorpusAdded{corpus, now_.wall_us});
  ENSURE(store_.Commit(changes_).ok());
  Restart();
}

std::string Scenario::Check(const std::string& line) {
  const std::string text = Trim(line);
  if (text.empty() || text[0] == '#') return "";
  const std::size_t arrow = text.find("->");
  std::string expected = arrow == std::string::npos ? "ok" : Trim(text.substr(arrow + 2));
  changes_.clear();
  const std::string answer = Answer(Trim(text.substr(0, arrow)));
  const absl::Status stored = store_.Commit(changes_);
  if (!stored.ok()) return "the store refused the changes: " + stored.ToString();
  const bool prefix = !expected.empty() && expected.back() == '*';
  if (prefix) expected.pop_back();
  if (prefix ? answer.rfind(expected, 0) == 0 : answer == expected) return "";
  return "answered: " + answer;
}

std::string Scenario::Answer(const std::string& command) {
  Words words(command);
  std::string verb;
  words >> verb;
  if (verb == "submit") return Submit(words);
  if (verb == "register") return Register(words);
  if (verb == "heartbeat") return Heartbeat(words);
  if (verb == "acquire") return Acquire(words);
  if (verb == "points") return Points(words);
  if (verb == "checkpoint") return Checkpointed(words);
  if (verb == "finish") return Finish(words);
  if (verb == "advance") return Advance(words);
  if (verb == "restart") return Restart();
  if (verb == "backup") return Backup();
  if (verb == "restore") return Restore(words);
  if (verb == "awaiting") return Awaiting();
  if (verb == "freeze") return Freeze(words);
  if (verb == "turn") return Turn(words);
  std::string name;
  words >> name;
  if (verb == "pause" || verb == "resume") {
    return etude::Text(scheduler_->PauseSweep(SweepId(name), verb == "pause", now_, changes_));
  }
  if (verb == "stop") return etude::Text(scheduler_->StopSweep(SweepId(name), now_, changes_));
  if (verb == "retry") return Retry(name, words);
  if (verb == "delete") {
    const auto runs = scheduler_->DeleteSweep(SweepId(name), name, changes_);
    return runs.ok() ? fmt::format("{} runs", *runs) : etude::Text(runs.status());
  }
  if (verb == "cancel_run" || verb == "retry_run") return ControlRun(verb, name);
  if (verb == "drain" || verb == "undrain") {
    const auto worker = scheduler_->DrainWorker(WorkerId(name), verb == "drain", now_, changes_);
    return etude::Text(worker.status());
  }
  if (verb == "lose") {
    scheduler_->LoseBlob(name, now_, changes_);
    return "ok";
  }
  if (verb == "explain") return Explain(name);
  if (verb == "cancel") {
    return etude::Text(scheduler_->CancelSweep(SweepId(name), now_, changes_));
  }
  if (verb == "run") return RunState(name);
  if (verb == "sweep") return SweepState(name);
  if (verb == "worker") return WorkerStateOf(name);
  if (verb == "curve") return CurveOf(name);
  if (verb == "path") return PathOf(name);
  if (verb == "predictions") return PredictionsOf(name);
  return "unknown event " + verb;
}

RunConfig Scenario::ConfigOf(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string run = text.substr(0, colon);
  const std::size_t shape = text.find(':', colon + 1);
  RunConfig config;
  config.model.layers = 1;
  config.model.width = 8;
  config.model.heads = 1;
  if (shape != std::string::npos) {
    const std::string size = text.substr(shape + 1);
    const Family family = size.find('x') == size.rfind('x') ? Family::kLstm : Family::kTransformer;
    const std::optional<ModelConfig> parsed = ParseShape(family, size);
    ENSURE(parsed.has_value());
    config.model = *parsed;
  }
  config.model.vocab = 37;
  config.corpus = kCorpus;
  config.steps = std::stoll(text.substr(colon + 1, shape - colon - 1));
  config.unique_tokens = config.train_tokens = 1000;
  config.lr = 0.01;
  config.seed = std::hash<std::string>()(run.substr(0, run.find('~'))) % 1000003;
  return runs_.try_emplace(run, config).first->second;
}

std::string Scenario::Submit(Words& words) {
  Sweep sweep;
  words >> sweep.name;
  sweep.id = SweepId(sweep.name);
  sweep.corpus = kCorpus;
  std::vector<RunConfig> configs;
  for (std::string word; words >> word;) {
    if (const auto failed = Option(word, "max_failed")) {
      sweep.max_failed_runs = std::stoi(*failed);
    } else if (const auto hours = Option(word, "max_hours")) {
      sweep.max_hours = std::stod(*hours);
    } else {
      const auto held_out = Option(word, "held_out");
      configs.push_back(ConfigOf(held_out.value_or(word)));
      if (held_out) sweep.held_out.push_back(KeyOf(configs.back()));
    }
  }
  const auto submitted = scheduler_->Submit(sweep, configs, now_, changes_);
  if (!submitted.ok()) return etude::Text(submitted.status());
  return fmt::format("{}, {} shared", submitted->created ? "created" : "known",
                     submitted->runs_shared);
}

std::string Scenario::Register(Words& words) {
  Worker worker;
  std::string name;
  words >> name;
  worker.id = WorkerId(name);
  std::vector<HeldAttempt> held;
  for (std::string word; words >> word;) {
    if (const auto slots = Option(word, "slots")) {
      slots_[name] = std::stoi(*slots);
    } else if (const auto device = Option(word, "device")) {
      worker.device = *device;
    } else {
      held.push_back(ParseAttempt(word));
    }
  }
  worker.slots = slots_.try_emplace(name, 1).first->second;
  const auto directives = scheduler_->Register(worker, held, now_, changes_);
  return directives.ok() ? Text(*directives) : etude::Text(directives.status());
}

std::string Scenario::Heartbeat(Words& words) {
  std::string name;
  words >> name;
  const auto after_name = words.tellg();
  std::string first;
  const bool draining = words >> first && first == "draining";
  if (!draining) {
    words.clear();
    if (after_name != -1) words.seekg(after_name);
  }
  const std::vector<HeldAttempt> held =
      after_name == -1 ? std::vector<HeldAttempt>() : ParseHeld(words);
  const auto reply = scheduler_->Heartbeat(WorkerId(name), held, draining, now_, changes_);
  if (!reply.ok()) return etude::Text(reply.status());
  return Text(reply->directives) + (reply->drain ? ", drain" : "");
}

std::string Scenario::Turn(Words& words) {
  std::string sweep;
  int priority = 0;
  double weight = 1;
  words >> sweep >> priority;
  if (!(words >> weight)) weight = 1;
  return etude::Text(scheduler_->SetTurn(SweepId(sweep), priority, weight, changes_));
}

std::string Scenario::Retry(const std::string& sweep, Words& words) {
  std::string which;
  words >> which;
  const auto runs = scheduler_->RetrySweep(SweepId(sweep), which == "failed", now_, changes_);
  return runs.ok() ? fmt::format("{} runs", *runs) : etude::Text(runs.status());
}

std::string Scenario::ControlRun(const std::string& verb, const std::string& run) {
  const RunKey key = KeyOf(runs_.at(run));
  return etude::Text(verb == "cancel_run" ? scheduler_->CancelRun(key, now_, changes_)
                                          : scheduler_->RetryRun(key, now_, changes_));
}

std::string Scenario::Explain(const std::string& run) {
  std::string text;
  const Scheduler::Explanation why = scheduler_->Explain(KeyOf(runs_.at(run)), now_);
  for (const auto* verdicts : {&why.sweeps, &why.workers}) {
    for (const Scheduler::Verdict& verdict : *verdicts) {
      text += (text.empty() ? "" : ", ") + verdict.who + " " + verdict.what;
    }
  }
  return text;
}

std::string Scenario::Acquire(Words& words) {
  std::string worker;
  int slot = 0;
  words >> worker >> slot;
  const auto acquired = scheduler_->Acquire(WorkerId(worker), slot, now_, changes_);
  if (!acquired.ok()) return etude::Text(acquired.status());
  if (!acquired->assignment) return "none: " + acquired->reason;
  const Assignment& assignment = *acquired->assignment;
  holders_[{assignment.job.text(), assignment.attempt}] = worker;
  std::string text = fmt::format("{}#{} from {}", NameOf(assignment.job), assignment.attempt,
                                 assignment.start_step);
  if (assignment.local_attempt > 0) text += fmt::format(" local {}", assignment.local_attempt);
  if (assignment.checkpoint) text += " uploaded";
  if (text.find('~') == std::string::npos) return text;
  return text + fmt::format(" branches [{}]", fmt::join(assignment.branch_steps, " "));
}

std::string Scenario::Points(Words& words) {
  std::string attempt;
  std::int64_t first = 0;
  std::int64_t last = 0;
  char dot = 0;
  words >> attempt >> first >> dot >> dot >> last;
  std::vector<LossPoint> points;
  for (std::int64_t step = first; step <= last; ++step) {
    points.push_back({Series::kTrain, step, 1.0 / static_cast<double>(step)});
  }
  std::string word;
  if (words >> word) {
    points.push_back({Series::kTokensPerSecond, last, std::stod(*Option(word, "rate"))});
  }
  const HeldAttempt held = ParseAttempt(attempt);
  const WorkerId holder(holders_[{held.job.text(), held.attempt}]);
  const auto accepted = scheduler_->AddPoints(holder, held.job, held.attempt, points, changes_);
  if (!accepted.ok()) return etude::Text(accepted.status());
  return *accepted ? "ok" : "superseded";
}

std::string Scenario::Checkpointed(Words& words) {
  std::string worker;
  std::string attempt;
  Checkpoint checkpoint;
  words >> worker >> attempt >> checkpoint.step;
  if (std::string kind; words >> kind) {
    const auto known = CheckpointKindFromName(kind);
    if (!known) return "unknown checkpoint " + kind;
    checkpoint.kind = *known;
  }
  const HeldAttempt held = ParseAttempt(attempt);
  checkpoint.job = held.job;
  checkpoint.attempt = held.attempt;
  checkpoint.files = {{"weights", attempt + "/" + std::to_string(checkpoint.step), 1}};
  return etude::Text(scheduler_->CommitCheckpoint(WorkerId(worker), checkpoint, now_, changes_));
}

std::string Scenario::Finish(Words& words) {
  std::string worker;
  std::string attempt;
  std::string outcome;
  std::string word;
  words >> worker >> attempt >> outcome;
  const HeldAttempt held = ParseAttempt(attempt);
  FinishedAttempt end{.worker = WorkerId(worker), .job = held.job, .attempt = held.attempt};
  const auto known = JobOutcomeFromName(outcome);
  if (!known) return "unknown outcome " + outcome;
  end.outcome = *known;
  if (end.outcome == JobOutcome::kSucceeded) end.result = RunResult{};
  while (words >> word) {
    if (const auto local = Option(word, "local")) end.local_step = std::stoll(*local);
    if (const auto rate = Option(word, "rate")) end.result->tokens_per_s = std::stod(*rate);
  }
  return etude::Text(scheduler_->Finish(end, now_, changes_));
}

std::string Scenario::Advance(Words& words) {
  int seconds = 0;
  words >> seconds;
  for (int i = 0; i < seconds; ++i) {
    now_.monotonic += absl::Seconds(1);
    now_.wall_us += kMicrosPerSecond;
    scheduler_->Tick(now_, changes_);
  }
  return "ok";
}

std::string Scenario::Restart() {
  const auto state = store_.Load();
  if (!state.ok()) return etude::Text(state.status());
  scheduler_ = std::make_unique<Scheduler>(SchedulerOptions{});
  return etude::Text(scheduler_->Restore(*state, now_));
}

std::string Scenario::Backup() {
  store_.Backup();
  return "ok";
}

std::string Scenario::Restore(Words& words) {
  int attempts_above = 0;
  words >> attempts_above;
  store_.RestoreBackup(attempts_above);
  return Restart();
}

std::string Scenario::RunState(const std::string& name) {
  const RunKey key = KeyOf(runs_.at(name));
  const StoredState state = *store_.Load();
  for (const Run& run : state.runs) {
    if (run.key != key) continue;
    const Scheduler::RunNow where = scheduler_->WhereIs(key, now_);
    if (!where.worker.empty()) return "running on " + where.worker.text();
    const std::string why = where.wait_reason.empty() ? run.reason : where.wait_reason;
    return Join(std::string(RunStateName(run.state)), why);
  }
  return "unknown";
}

std::string Scenario::SweepState(const std::string& name) {
  const StoredState state = *store_.Load();
  for (const Sweep& sweep : state.sweeps) {
    if (sweep.name == name) return Join(std::string(SweepStateName(sweep.state)), sweep.reason);
  }
  return "unknown";
}

std::string Scenario::WorkerStateOf(const std::string& name) {
  for (const Scheduler::WorkerNow& worker : scheduler_->Workers()) {
    if (worker.worker.id.text() == name) return std::string(WorkerStateName(worker.worker.state));
  }
  return "unknown";
}

std::string Scenario::CurveOf(const std::string& name) {
  std::int64_t first = 0;
  std::int64_t last = 0;
  for (const auto& [key, value] : store_.PointsOf(JobOf(name))) {
    if (first == 0) first = key.second;
    if (last != 0 && key.second != last + 1) return fmt::format("gap after {}", last);
    last = key.second;
  }
  return fmt::format("{}..{}", first, last);
}

std::string Scenario::PathOf(const std::string& name) {
  std::string path;
  std::int64_t reached = 0;
  const StoredState state = *store_.Load();
  for (const Segment& segment : state.segments) {
    if (segment.run != KeyOf(runs_.at(name))) continue;
    const auto points = store_.PointsOf(segment.job);
    while (reached < segment.to && points.contains({Series::kTrain, reached + 1})) ++reached;
    path += fmt::format("{}{} {}..{}", path.empty() ? "" : ", ", NameOf(segment.job), segment.from,
                        segment.to);
  }
  return fmt::format("{}; points to {}", path, reached);
}

std::string Scenario::Awaiting() const {
  std::string text;
  for (const SweepId& sweep : scheduler_->AwaitingForecast()) {
    text += (text.empty() ? "" : " ") + sweep.text();
  }
  return text.empty() ? "none" : text;
}

std::string Scenario::Freeze(Words& words) {
  std::string sweep;
  words >> sweep;
  Forecast forecast;
  forecast.sweep = SweepId(sweep);
  for (std::string word; words >> word;) {
    if (const auto run = Option(word, "unpredicted")) {
      forecast.unpredicted.push_back({KeyOf(runs_.at(*run)), "not identified"});
    } else {
      FrozenPrediction prediction;
      prediction.sweep = forecast.sweep;
      prediction.run = KeyOf(runs_.at(word));
      forecast.predictions.push_back(prediction);
    }
  }
  return etude::Text(scheduler_->Freeze(forecast, now_, changes_));
}

std::string Scenario::PredictionsOf(const std::string& sweep) const {
  std::string text;
  for (const auto& [name, config] : runs_) {
    for (const FrozenPrediction& prediction : store_.PredictionsOf(SweepId(sweep))) {
      if (prediction.run != KeyOf(config)) continue;
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                          prediction.blind ? "blind" : "seen");
    }
  }
  return text.empty() ? "none" : text;
}

JobId Scenario::JobOf(const std::string& name) const {
  const std::size_t dot = name.find('.');
  const std::string run = name.substr(0, dot);
  const std::string ordinal = dot == std::string::npos ? "0" : name.substr(dot + 1);
  return JobId(KeyOf(runs_.at(run)).text() + "." + ordinal);
}

std::string Scenario::NameOf(const JobId& job) const {
  for (const auto& [name, config] : runs_) {
    const std::string key = KeyOf(config).text();
    if (job.text().rfind(key, 0) != 0) continue;
    const std::string ordinal = job.text().substr(key.size() + 1);
    return ordinal == "0" ? name : name + "." + ordinal;
  }
  return "unknown";
}

HeldAttempt Scenario::ParseAttempt(const std::string& text) const {
  const std::size_t hash = text.find('#');
  const std::size_t slash = text.find('/');
  HeldAttempt held;
  held.job = JobOf(text.substr(0, hash));
  held.attempt = std::stoi(text.substr(hash + 1, slash - hash - 1));
  if (slash != std::string::npos) held.local_step = std::stoll(text.substr(slash + 1));
  return held;
}

std::vector<HeldAttempt> Scenario::ParseHeld(Words& words) const {
  std::vector<HeldAttempt> held;
  for (std::string word; words >> word;) held.push_back(ParseAttempt(word));
  return held;
}

std::string Scenario::Text(const std::vector<Directive>& directives) const {
  static constexpr const char* kNames[] = {"keep", "cancel", "checkpoint", "release", "superseded"};
  std::string text;
  for (const Directive& directive : directives) {
    text += fmt::format("{}{}#{} {}", text.empty() ? "" : ", ", NameOf(directive.job),
                        directive.attempt, kNames[static_cast<int>(directive.action)]);
  }
  return text.empty() ? "ok" : text;
}

}  // namespace etude
