#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "storage/sqlite.h"
#include "storage/sqlite_results_store.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using ResultsStoreTest = StoreTest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(ResultsStoreTest, EmptyStoreLoadsNothing) {
  const TemporaryDirectory directory;
  auto store = SqliteResultsStore::Open(directory.path() + "/etude.db");
  ASSERT_TRUE(store.ok()) << store.status();
  const auto state = (*store)->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_THAT(state->corpora, IsEmpty());
  EXPECT_THAT(state->runs, IsEmpty());
  EXPECT_THAT(state->points_through, IsEmpty());
}

TEST_F(ResultsStoreTest, CorpusSurvivesReopeningOnceForEachName) {
  ASSERT_TRUE(Commit({CorpusAdded{MakeCorpus("also-folk"), 2}}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.corpora, SizeIs(2));
  EXPECT_EQ(state.corpora[0].name, "also-folk");
  const Corpus& corpus = state.corpora[1];
  const Corpus expected = MakeCorpus();
  EXPECT_EQ(corpus.id, expected.id);
  EXPECT_EQ(corpus.name, "folk");
  EXPECT_EQ(corpus.vocab, 37);
  EXPECT_EQ(corpus.train_tokens, 930000);
  EXPECT_EQ(corpus.val_tokens, 93000);
  EXPECT_EQ(corpus.test_tokens, 10000);
  EXPECT_EQ(corpus.tokenizer, "char");
  EXPECT_EQ(corpus.chars_per_token, 1.0);
  EXPECT_EQ(corpus.files, expected.files);
}

TEST_F(ResultsStoreTest, CorpusNameNeverChangesItsMeaning) {
  EXPECT_TRUE(Commit({CorpusAdded{MakeCorpus(), 9}}).ok());
  const absl::Status status = Commit({CorpusAdded{MakeCorpus("folk", 'd'), 9}});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(status), HasSubstr("cccccccccccc"));
  EXPECT_THAT(MessageOf(status), HasSubstr("dddddddddddd"));
  EXPECT_THAT(Load().corpora, SizeIs(1));
}

TEST_F(ResultsStoreTest, SweepSurvivesReopening) {
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.sweeps, SizeIs(1));
  const Sweep& sweep = state.sweeps[0];
  EXPECT_EQ(sweep.id.text(), Hex('a'));
  EXPECT_EQ(sweep.name, "demo");
  EXPECT_EQ(sweep.corpus.text(), Hex('c'));
  EXPECT_EQ(sweep.spec_toml, "name = \"demo\"\n");
  EXPECT_EQ(sweep.resolved_json, "{}");
  EXPECT_THAT(sweep.runs, ElementsAre(run_.key));
  EXPECT_EQ(sweep.max_failed_runs, 5);
  EXPECT_EQ(sweep.max_hours, 1.5);
  EXPECT_EQ(sweep.state, SweepState::kActive);
  EXPECT_EQ(sweep.created_at_us, 6);
}

TEST_F(ResultsStoreTest, SweepsShareRunsAndKeepTheirOwnOrder) {
  const Run other = MakeRun(2);
  SweepAdded second = MakeSweep({other}, "second", 'b');
  second.sweep.runs = {other.key, run_.key};
  ASSERT_TRUE(Commit({Change(second)}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.sweeps, SizeIs(2));
  EXPECT_THAT(state.sweeps[1].runs, ElementsAre(other.key, run_.key));
  EXPECT_THAT(state.runs, SizeIs(2));
  EXPECT_THAT(state.jobs, SizeIs(2));
  EXPECT_THAT(state.segments, SizeIs(2));
}

TEST_F(ResultsStoreTest, SweepNameWithOtherContentIsRefusedAndNamesBoth) {
  const absl::Status status = Commit({Change(MakeSweep({MakeRun(2)}, "demo", 'b'))});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(status), HasSubstr("aaaaaaaaaaaa"));
  EXPECT_THAT(MessageOf(status), HasSubstr("bbbbbbbbbbbb"));
  EXPECT_THAT(Load().runs, SizeIs(1));
}

TEST_F(ResultsStoreTest, SweepOfAnUnknownCorpusIsRefused) {
  SweepAdded added = MakeSweep({MakeRun(2)}, "other", 'b');
  added.sweep.corpus = CorpusId(Hex('9'));
  EXPECT_EQ(Commit({Change(added)}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResultsStoreTest, SweepChangeSurvivesReopening) {
  ASSERT_TRUE(
      Commit({SweepChanged{SweepId(Hex('a')), SweepState::kCancelled, "by user", 77}}).ok());
  Reopen();
  const Sweep sweep = Load().sweeps.at(0);
  EXPECT_EQ(sweep.state, SweepState::kCancelled);
  EXPECT_EQ(sweep.reason, "by user");
  EXPECT_EQ(sweep.finished_at_us, 77);
  EXPECT_EQ(Commit({SweepChanged{SweepId(Hex('9')), SweepState::kFinished, "", 1}}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResultsStoreTest, RunAndItsConfigSurviveReopening) {
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.runs, SizeIs(1));
  EXPECT_EQ(state.runs[0].key, run_.key);
  EXPECT_EQ(state.runs[0].config, run_.config);
  EXPECT_EQ(state.runs[0].state, RunState::kQueued);
  EXPECT_EQ(state.runs[0].created_at_us, 5);
  EXPECT_FALSE(state.runs[0].result.has_value());
}

TEST_F(ResultsStoreTest, ResultSurvivesReopening) {
  const RunResult result{.val_loss = 0.1 + 0.2,
                         .best_val_loss = 0.25,
                         .best_step = 90,
                         .train_eval_loss = 0.125,
                         .test_loss = std::numeric_limits<double>::infinity(),
                         .train_seconds = 12.5,
                         .eval_seconds = 0.5,
                         .tokens_per_s = 4096.75,
                         .device = "cpu",
                         .weights_sha256 = Hex('7'),
                         .mixed_numerics = true};
  ASSERT_TRUE(Commit({RunChanged{run_.key, RunState::kSucceeded, "", result, 88}}).ok());
  Reopen();
  const Run run = Load().runs.at(0);
  EXPECT_EQ(run.state, RunState::kSucceeded);
  EXPECT_EQ(run.finished_at_us, 88);
  ASSERT_TRUE(run.result.has_value());
  EXPECT_EQ(*run.result, result);
}

TEST_F(ResultsStoreTest, NotANumberInAResultSurvivesReopening) {
  RunResult result;
  result.train_eval_loss = std::numeric_limits<double>::quiet_NaN();
  ASSERT_TRUE(Commit({RunChanged{run_.key, RunState::kSucceeded, "", result, 88}}).ok());
  Reopen();
  const Run run = Load().runs.at(0);
  ASSERT_TRUE(run.result.has_value());
  EXPECT_TRUE(std::isnan(run.result->train_eval_loss));
  EXPECT_EQ(run.result->val_loss, 0.0);
}

TEST_F(ResultsStoreTest, JobAndSegmentSurviveReopening) {
  const Job job{.id = job_,
                .run = run_.key,
                .to = 100,
                .state = JobState::kLeased,
                .attempts = 2,
                .counted_failures = 1,
                .reason = "tried on w2"};
  ASSERT_TRUE(Commit({JobChanged{job}}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.jobs, SizeIs(1));
  EXPECT_EQ(state.jobs[0].id, job_);
  EXPECT_EQ(state.jobs[0].run, run_.key);
  EXPECT_EQ(state.jobs[0].to, 100);
  EXPECT_EQ(state.jobs[0].state, JobState::kLeased);
  EXPECT_EQ(state.jobs[0].attempts, 2);
  EXPECT_EQ(state.jobs[0].counted_failures, 1);
  EXPECT_EQ(state.jobs[0].reason, "tried on w2");
  ASSERT_THAT(state.segments, SizeIs(1));
  EXPECT_EQ(state.segments[0].job, job_);
  EXPECT_EQ(state.segments[0].to, 100);
}

TEST_F(ResultsStoreTest, AnAddedJobReplacesThePath) {
  const JobId tail(run_.key.text() + ".1");
  const JobId again(run_.key.text() + ".2");
  ASSERT_TRUE(Commit({JobAdded{MakeJob(tail, run_.key, 50),
                               {{run_.key, 0, job_, 0, 50}, {run_.key, 1, tail, 50, 100}}}})
                  .ok());
  ASSERT_THAT(Load().segments, SizeIs(2));
  ASSERT_TRUE(Commit({JobAdded{MakeJob(again, run_.key), {{run_.key, 0, again, 0, 100}}}}).ok());
  Reopen();
  const StoredState state = Load();
  EXPECT_THAT(state.jobs, SizeIs(3));
  ASSERT_THAT(state.segments, SizeIs(1));
  EXPECT_EQ(state.segments[0].job, again);
  EXPECT_EQ(state.segments[0].ordinal, 0);
}

TEST_F(ResultsStoreTest, LiveAttemptSurvivesReopening) {
  AttemptStarted started = StartOf(job_, 1, 0);
  started.attempt.numerics = "{\"threads\":1}";
  ASSERT_TRUE(Commit({started}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.live_attempts, SizeIs(1));
  EXPECT_EQ(state.live_attempts[0].job, job_);
  EXPECT_EQ(state.live_attempts[0].number, 1);
  EXPECT_EQ(state.live_attempts[0].worker.text(), "w1");
  EXPECT_EQ(state.live_attempts[0].started_at_us, 11);
  EXPECT_EQ(state.live_attempts[0].numerics, "{\"threads\":1}");
  EXPECT_FALSE(state.live_attempts[0].outcome.has_value());
  EXPECT_EQ(state.jobs.at(0).attempts, 1);
}

TEST_F(ResultsStoreTest, EndedAttemptSurvivesReopening) {
  AttemptEnded ended = EndOf(job_, 1, JobOutcome::kCrashed);
  ended.reason = "exit code 3";
  ended.numerics = "{\"threads\":2}";
  ended.artifacts = {{"trainer.log", Hex('5'), 12}};
  ASSERT_TRUE(Commit({StartOf(job_, 1), ended}).ok());
  Reopen();
  EXPECT_THAT(Load().live_attempts, IsEmpty());
  const auto attempts = Reader()->AttemptsOf(run_.key);
  ASSERT_TRUE(attempts.ok()) << attempts.status();
  ASSERT_THAT(*attempts, SizeIs(1));
  const auto& [attempt, artifacts] = attempts->front();
  EXPECT_EQ(attempt.outcome, JobOutcome::kCrashed);
  EXPECT_EQ(attempt.reason, "exit code 3");
  EXPECT_EQ(attempt.numerics, "{\"threads\":2}");
  EXPECT_EQ(attempt.ended_at_us, 21);
  EXPECT_EQ(artifacts, ended.artifacts);
  const auto spans = Reader()->SpansOf(Load().sweeps.at(0).id);
  ASSERT_TRUE(spans.ok()) << spans.status();
  ASSERT_THAT(*spans, SizeIs(1));
  EXPECT_EQ(spans->front().run, run_.key);
  EXPECT_EQ(spans->front().started_at_us, attempt.started_at_us);
  EXPECT_EQ(spans->front().ended_at_us, 21);
}

TEST_F(ResultsStoreTest, PointsSurviveReopening) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 30)}).ok());
  Reopen();
  EXPECT_EQ(Curve(), PointsOf(job_, 1, 1, 30).points);
  const StoredState state = Load();
  ASSERT_THAT(state.points_through, SizeIs(1));
  EXPECT_EQ(state.points_through[0].job, job_);
  EXPECT_EQ(state.points_through[0].step, 30);
}

TEST_F(ResultsStoreTest, EveryDoubleIsStoredAsItIs) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values = {inf,   -inf, 0.1, std::numeric_limits<double>::denorm_min(),
                                      1e308, 3.0,  NAN};
  PointsAdded added{.job = job_, .attempt = 1, .points = {}};
  for (const double value : values) {
    added.points.push_back({Series::kTrain, std::ssize(added.points) + 1, value});
  }
  ASSERT_TRUE(Commit({StartOf(job_, 1), added}).ok());
  Reopen();
  const std::vector<LossPoint> stored = Curve();
  ASSERT_EQ(stored.size(), values.size());
  for (std::size_t i = 0; i + 1 < values.size(); ++i) EXPECT_EQ(stored[i].value, values[i]) << i;
  EXPECT_TRUE(std::isnan(stored.back().value));
}

TEST_F(ResultsStoreTest, PointThatIsThereStaysAsItWas) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 3)}).ok());
  PointsAdded again = PointsOf(job_, 1, 2, 5);
  again.points[0].value = 99;
  ASSERT_TRUE(Commit({again}).ok());
  EXPECT_EQ(Curve(), PointsOf(job_, 1, 1, 5).points);
}

TEST_F(ResultsStoreTest, CheckpointReplacesTheOlderOneOfItsKind) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), CheckpointAt(job_, 1, 10), CheckpointAt(job_, 1, 20),
                      CheckpointAt(job_, 1, 15, CheckpointKind::kBest)})
                  .ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.checkpoints, SizeIs(1));
  EXPECT_EQ(state.checkpoints[0].step, 20);
  EXPECT_EQ(state.checkpoints[0].kind, CheckpointKind::kResume);
  EXPECT_EQ(state.checkpoints[0].files, CheckpointAt(job_, 1, 20).checkpoint.files);
  const auto all = Reader()->CheckpointsOf(run_.key);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_THAT(*all, SizeIs(2));
  EXPECT_EQ(all->front().kind, CheckpointKind::kBest);
}

TEST_F(ResultsStoreTest, LateRepetitionOfAnOlderCheckpointIsIgnored) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), CheckpointAt(job_, 1, 20)}).ok());
  ASSERT_TRUE(Commit({CheckpointAt(job_, 1, 10)}).ok());
  EXPECT_EQ(Load().checkpoints.at(0).step, 20);
}

TEST_F(ResultsStoreTest, TerminalJobsNeedNoCheckpointAndNoPointsToStart) {
  const Job job = MakeJob(job_, run_.key, 0, JobState::kSucceeded, 1);
  ASSERT_TRUE(Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 3), CheckpointAt(job_, 1, 3),
                      EndOf(job_, 1), JobChanged{job}})
                  .ok());
  const StoredState state = Load();
  EXPECT_THAT(state.checkpoints, IsEmpty());
  EXPECT_THAT(state.points_through, IsEmpty());
}

TEST_F(ResultsStoreTest, WorkerIsInsertedThenReplaced) {
  Worker worker = MakeWorker();
  ASSERT_TRUE(Commit({WorkerChanged{worker}, WorkerChanged{MakeWorker("w0")}}).ok());
  worker.state = WorkerState::kDraining;
  worker.last_seen_at_us = 99;
  ASSERT_TRUE(Commit({WorkerChanged{worker}}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.workers, SizeIs(2));
  const Worker& stored = state.workers[1];
  EXPECT_EQ(stored.id.text(), "w1");
  EXPECT_EQ(stored.host, "box");
  EXPECT_EQ(stored.device, "cuda");
  EXPECT_EQ(stored.cpu, "Some CPU @ 3 GHz");
  EXPECT_EQ(stored.software, "0.1.0");
  EXPECT_EQ(stored.slots, 3);
  EXPECT_EQ(stored.threads_per_slot, 2);
  EXPECT_EQ(stored.memory_bytes, std::int64_t{1} << 40);
  EXPECT_EQ(stored.state, WorkerState::kDraining);
  EXPECT_EQ(stored.reason, "3 jobs in a row failed");
  EXPECT_EQ(stored.registered_at_us, 40);
  EXPECT_EQ(stored.last_seen_at_us, 99);
}

TEST_F(ResultsStoreTest, ARateIsReplacedByTheNextOfItsKindAndPace) {
  TrainingRate rate{"cpu", {"lstm 1x24", Family::kLstm, 2e4}, 1.5e4, 0};
  ASSERT_TRUE(Commit({RateMeasured{rate}}).ok());
  rate.tokens_per_s = 1.75e4;
  rate.runs = 2;
  ASSERT_TRUE(Commit({RateMeasured{rate}}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_EQ(state.rates.size(), 1U);
  EXPECT_EQ(state.rates[0].pace.text, "lstm 1x24");
  EXPECT_EQ(state.rates[0].pace.family, Family::kLstm);
  EXPECT_EQ(state.rates[0].tokens_per_s, 1.75e4);
  EXPECT_EQ(state.rates[0].runs, 2);
}

TEST_F(ResultsStoreTest, FailingChangeUndoesItsWholeBatch) {
  ASSERT_TRUE(Commit({StartOf(job_, 1)}).ok());
  const absl::Status status = Commit({WorkerChanged{MakeWorker()}, PointsOf(job_, 1, 1, 5),
                                      PointsOf(job_, 7, 6, 9), EndOf(job_, 1)});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("attempt 7 of job " + job_.text()));
  EXPECT_THAT(Load().workers, IsEmpty());
  EXPECT_THAT(Curve(), IsEmpty());
  EXPECT_TRUE(Commit({PointsOf(job_, 1, 1, 5), EndOf(job_, 1)}).ok());
  EXPECT_THAT(Curve(), SizeIs(5));
}

TEST_F(ResultsStoreTest, SecondOpenerIsRefusedAndNamesTheFirst) {
  const auto second = SqliteResultsStore::Open(path());
  ASSERT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(second.status()), HasSubstr("process " + std::to_string(getpid())));
  EXPECT_THAT(MessageOf(second.status()), HasSubstr("--state"));
  Reopen();
  EXPECT_THAT(Load().runs, SizeIs(1));
}

TEST_F(ResultsStoreTest, BranchPointsStayOneAStep) {
  const JobId branch(run_.key.text() + ".1");
  Job child = MakeJob(branch, run_.key, 60);
  child.parent = job_;
  const Checkpoint at60{
      job_, 1, CheckpointKind::kBranch, 60, {{"model.safetensors", std::string(64, '1'), 8}}};
  const Checkpoint at80{
      job_, 1, CheckpointKind::kBranch, 80, {{"model.safetensors", std::string(64, '2'), 8}}};
  Checkpoint again = at60;
  again.files[0].sha256 = std::string(64, '3');
  ASSERT_TRUE(
      Commit({StartOf(job_, 1), PointsOf(job_, 1, 1, 80), CheckpointAdded{at60, 5},
              CheckpointAdded{at80, 6}, CheckpointAdded{again, 7},
              JobAdded{child, {{run_.key, 0, job_, 0, 60}, {run_.key, 1, branch, 60, 100}}}})
          .ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.branch_points, SizeIs(2));
  EXPECT_EQ(state.branch_points[0].step, 60);
  EXPECT_EQ(state.branch_points[0].files, again.files);
  EXPECT_EQ(state.branch_points[1].files, at80.files);
  EXPECT_EQ(state.jobs.back().parent, job_);
  EXPECT_TRUE(state.jobs.front().parent.empty());
}

TEST_F(ResultsStoreTest, ADeletedSweepGoesWithItsRunsAndLittleByLittleTheirPoints) {
  const Run other = MakeRun(2);
  ASSERT_TRUE(Commit({Change(MakeSweep({other}, "second", 'b')), StartOf(job_, 1),
                      PointsOf(job_, 1, 1, 100), StartOf(FirstJob(other), 1),
                      PointsOf(FirstJob(other), 1, 1, 100)})
                  .ok());
  const SweepId id = Load().sweeps.front().id;
  ASSERT_TRUE(Commit({SweepDeleted{id, {run_.key}}}).ok());
  EXPECT_FALSE(Commit({SweepDeleted{id, {}}}).ok()) << "it is not there";
  const StoredState state = Load();
  ASSERT_THAT(state.sweeps, SizeIs(1));
  ASSERT_THAT(state.runs, SizeIs(1));
  EXPECT_EQ(state.runs[0].key, other.key);
  ASSERT_THAT(state.jobs, SizeIs(1));
  EXPECT_EQ(Reader()->FindRun(run_.key.text()).status().code(), absl::StatusCode::kNotFound);
  // A new job takes no number whose points are still there.
  const Run third = MakeRun(3);
  ASSERT_TRUE(Commit({Change(MakeSweep({third}, "third", 'c')), StartOf(FirstJob(third), 1),
                      PointsOf(FirstJob(third), 1, 1, 7)})
                  .ok());
  store_->Tidy();
  Reopen();
  store_->Tidy();
  EXPECT_THAT(*Reader()->Curve(other.key, {}, 0, 1000), SizeIs(100));
  EXPECT_THAT(*Reader()->Curve(third.key, {}, 0, 1000), SizeIs(7));
  auto database = Database::Open(path(), Database::Access::kReadOnly);
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(*(*database)->ReadInteger("SELECT count(*) FROM loss_points"), 107);
}

TEST_F(ResultsStoreTest, OfADeletedRunTheGreatestAttemptNumberStays) {
  ASSERT_TRUE(Commit({StartOf(job_, 1), EndOf(job_, 1), StartOf(job_, 2)}).ok());
  const Sweep sweep = Load().sweeps.front();
  ASSERT_TRUE(Commit({SweepDeleted{sweep.id, {run_.key}}}).ok());
  // Made and deleted again before it had another attempt.
  ASSERT_TRUE(Commit({Change(MakeSweep({run_}, "again", 'b'))}).ok());
  ASSERT_TRUE(Commit({SweepDeleted{Load().sweeps.front().id, {run_.key}}}).ok());
  Reopen();
  const StoredState state = Load();
  ASSERT_THAT(state.deleted_runs, SizeIs(1));
  EXPECT_EQ(state.deleted_runs[0].run, run_.key);
  EXPECT_EQ(state.deleted_runs[0].attempts, 2);
}

}  // namespace
}  // namespace etude
