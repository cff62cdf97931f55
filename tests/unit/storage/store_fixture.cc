#include "tests/unit/storage/store_fixture.h"

#include <stdlib.h>

#include <filesystem>

namespace etude {

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "etude-storage-XXXXXX").string();
  ENSURE(mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Hex(char digit) { return std::string(64, digit); }

Corpus MakeCorpus(const std::string& name, char digit) {
  Corpus corpus;
  corpus.id = CorpusId(Hex(digit));
  corpus.name = name;
  corpus.vocab = 37;
  corpus.train_tokens = 930000;
  corpus.val_tokens = 93000;
  corpus.test_tokens = 10000;
  corpus.tokenizer = "char";
  corpus.chars_per_token = 1.0;
  corpus.files = {{"train.npy", Hex('1'), 100}, {"corpus.json", Hex('2'), 7}};
  return corpus;
}

Run MakeRun(std::uint64_t seed) {
  Run run;
  run.config.model = {.family = Family::kLstm, .layers = 1, .width = 24, .vocab = 37};
  run.config.corpus = CorpusId(Hex('c'));
  run.config.steps = 100;
  run.config.unique_tokens = 1000;
  run.config.train_tokens = 930000;
  run.config.seed = seed;
  run.config.lr = 0.003;
  run.key = KeyOf(run.config);
  run.created_at_us = 5;
  return run;
}

JobId FirstJob(const Run& run) { return JobId(run.key.text() + ".0"); }

Job MakeJob(const JobId& id, const RunKey& run, std::int64_t from, JobState state, int attempts) {
  Job job;
  job.id = id;
  job.run = run;
  job.from = from;
  job.to = 100;
  job.state = state;
  job.attempts = attempts;
  return job;
}

SweepAdded MakeSweep(const std::vector<Run>& runs, const std::string& name, char digit) {
  SweepAdded added;
  added.sweep.id = SweepId(Hex(digit));
  added.sweep.name = name;
  added.sweep.corpus = CorpusId(Hex('c'));
  added.sweep.spec_toml = "name = \"" + name + "\"\n";
  added.sweep.resolved_json = "{}";
  added.sweep.max_hours = 1.5;
  added.sweep.created_at_us = 6;
  for (const Run& run : runs) {
    added.sweep.runs.push_back(run.key);
    added.new_runs.push_back(run);
    added.new_jobs.push_back(MakeJob(FirstJob(run), run.key));
    added.new_segments.push_back({run.key, 0, FirstJob(run), 0, run.config.steps});
  }
  return added;
}

AttemptStarted StartOf(const JobId& job, int attempt, std::int64_t start_step) {
  AttemptStarted started;
  started.attempt.job = job;
  started.attempt.number = attempt;
  started.attempt.worker = WorkerId("w1");
  started.attempt.start_step = start_step;
  started.attempt.started_at_us = 10 + attempt;
  return started;
}

AttemptEnded EndOf(const JobId& job, int attempt, JobOutcome outcome) {
  AttemptEnded ended;
  ended.job = job;
  ended.attempt = attempt;
  ended.outcome = outcome;
  ended.ended_at_us = 20 + attempt;
  return ended;
}

PointsAdded PointsOf(const JobId& job, int attempt, std::int64_t first, std::int64_t last) {
  PointsAdded added{.job = job, .attempt = attempt, .points = {}};
  for (std::int64_t step = first; step <= last; ++step) {
    added.points.push_back({Series::kTrain, step, 1.0 / static_cast<double>(step)});
  }
  return added;
}

CheckpointAdded CheckpointAt(const JobId& job, int attempt, std::int64_t step,
                             CheckpointKind kind) {
  return {.checkpoint = {.job = job,
                         .attempt = attempt,
                         .kind = kind,
                         .step = step,
                         .files = {{"model.safetensors", Hex('3'), step},
                                   {"optimizer.safetensors", Hex('4'), 2 * step}}},
          .at_us = 30};
}

Worker MakeWorker(const std::string& id) {
  return {.id = WorkerId(id),
          .host = "box",
          .device = "cuda",
          .cpu = "Some CPU @ 3 GHz",
          .software = "0.1.0",
          .slots = 3,
          .threads_per_slot = 2,
          .memory_bytes = std::int64_t{1} << 40,
          .state = WorkerState::kQuarantined,
          .reason = "3 jobs in a row failed",
          .registered_at_us = 40,
          .last_seen_at_us = 41};
}

void StoreTest::SetUp() {
  Reopen();
  const absl::Status status = Commit({CorpusAdded{MakeCorpus(), 1}, Change(MakeSweep({run_}))});
  ASSERT_TRUE(status.ok()) << status;
}

void StoreTest::Reopen() {
  store_.reset();
  absl::StatusOr<std::unique_ptr<SqliteResultsStore>> opened = SqliteResultsStore::Open(path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
}

StoredState StoreTest::Load() {
  absl::StatusOr<StoredState> state = store_->Load();
  EXPECT_TRUE(state.ok()) << state.status();
  return state.ok() ? *std::move(state) : StoredState{};
}

std::unique_ptr<SqliteResultsReader> StoreTest::Reader() {
  absl::StatusOr<std::unique_ptr<SqliteResultsReader>> reader = SqliteResultsReader::Open(path());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return *std::move(reader);
}

std::vector<LossPoint> StoreTest::Curve(const std::vector<Series>& series, std::int64_t after,
                                        int limit) {
  absl::StatusOr<std::vector<LossPoint>> points = Reader()->Curve(run_.key, series, after, limit);
  EXPECT_TRUE(points.ok()) << points.status();
  return points.ok() ? *std::move(points) : std::vector<LossPoint>{};
}

}  // namespace etude
