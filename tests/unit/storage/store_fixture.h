// A results store in a directory of its own, and builders of what goes in.
#ifndef ETUDE_TESTS_UNIT_STORAGE_STORE_FIXTURE_H_
#define ETUDE_TESTS_UNIT_STORAGE_STORE_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "storage/sqlite_results_reader.h"
#include "storage/sqlite_results_store.h"

namespace etude {

// Removed with all it holds when it goes.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string Hex(char digit);  // 64 times
Corpus MakeCorpus(const std::string& name = "folk", char digit = 'c');
Run MakeRun(std::uint64_t seed = 1);
JobId FirstJob(const Run& run);
Job MakeJob(const JobId& id, const RunKey& run, std::int64_t from = 0,
            JobState state = JobState::kQueued, int attempts = 0);  // to step 100
// A sweep on MakeCorpus() of `runs`, each a single job of its run's steps.
SweepAdded MakeSweep(const std::vector<Run>& runs, const std::string& name = "demo",
                     char digit = 'a');
AttemptStarted StartOf(const JobId& job, int attempt, std::int64_t start_step = 0);
AttemptEnded EndOf(const JobId& job, int attempt, JobOutcome outcome = JobOutcome::kSucceeded);
// Training losses 1/step of steps first..last.
PointsAdded PointsOf(const JobId& job, int attempt, std::int64_t first, std::int64_t last);
CheckpointAdded CheckpointAt(const JobId& job, int attempt, std::int64_t step,
                             CheckpointKind kind = CheckpointKind::kResume);
Worker MakeWorker(const std::string& id = "w1");

// Starts with one corpus, one sweep "demo" and its run and job; nothing is leased yet.
class StoreTest : public testing::Test {
 protected:
  using Run = etude::Run;  // testing::Test has a private member of that name
  void SetUp() override;
  std::string path() const { return directory_.path() + "/etude.db"; }
  // Closes the store, then opens the same file.
  void Reopen();
  absl::Status Commit(std::vector<Change> changes) { return store_->Commit(changes); }
  StoredState Load();
  std::unique_ptr<SqliteResultsReader> Reader();
  std::vector<LossPoint> Curve(const std::vector<Series>& series = {}, std::int64_t after = 0,
                               int limit = 1000);

  TemporaryDirectory directory_;
  std::unique_ptr<SqliteResultsStore> store_;
  const Run run_ = MakeRun();
  const JobId job_ = FirstJob(run_);
};

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_STORAGE_STORE_FIXTURE_H_
