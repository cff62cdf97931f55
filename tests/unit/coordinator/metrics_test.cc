#include "coordinator/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "coordinator/coordinator_metrics.h"
#include "tests/scenarios/memory_results_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/faulty_results_store.h"
#include "tests/unit/coordinator/builders.h"

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(HistogramTest, EachBucketHoldsWhatThoseBelowItDo) {
  Histogram histogram({1, 10, 100});
  for (const double value : {0.5, 1.0, 1.5, 10.0, 1000.0, 2000.0}) histogram.Observe(value);
  EXPECT_THAT(histogram.Cumulative(), ElementsAre(2, 4, 4, 6));
  EXPECT_EQ(histogram.sum(), 3013);
}

TEST(MetricsTextTest, AHistogramEndsWithInfinityAndItsCount) {
  Histogram histogram({0.25, 2});
  histogram.Observe(0.5);
  histogram.Observe(3);
  MetricsText text;
  text.AddHistogram("etude_x_seconds", "How long.", histogram);
  EXPECT_EQ(text.text(),
            "# HELP etude_x_seconds How long.\n# TYPE etude_x_seconds histogram\n"
            "etude_x_seconds_bucket{le=\"0.25\"} 0\n"
            "etude_x_seconds_bucket{le=\"2\"} 1\n"
            "etude_x_seconds_bucket{le=\"+Inf\"} 2\n"
            "etude_x_seconds_sum 3.5\n"
            "etude_x_seconds_count 2\n");
}

TEST(MetricsTextTest, LabelsAndHelpAreEscaped) {
  MetricsText text;
  text.BeginGauge("etude_x", "a \"b\" \\ c\nd");
  text.Add(1, {{"why", "a \"b\" \\ c\nd"}, {"empty", ""}});
  EXPECT_EQ(text.text(),
            "# HELP etude_x a \"b\" \\\\ c\\nd\n# TYPE etude_x gauge\n"
            "etude_x{why=\"a \\\"b\\\" \\\\ c\\nd\",empty=\"\"} 1\n");
}

TEST(MetricsTextTest, NumbersAreExact) {
  MetricsText text;
  text.BeginCounter("etude_x_total", "x");
  for (const double value :
       {0.0, 9007199254740991.0, 123456789012.0, 0.1, -1.5, 1e300,
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()}) {
    text.Add(value);
  }
  EXPECT_THAT(text.text(), HasSubstr("etude_x_total 0\netude_x_total 9007199254740991\n"
                                     "etude_x_total 123456789012\netude_x_total 0.1\n"
                                     "etude_x_total -1.5\netude_x_total 1e+300\n"
                                     "etude_x_total +Inf\netude_x_total -Inf\n"
                                     "etude_x_total NaN\n"));
}

TEST(CallCountsTest, CallsAreToldApartByMethodAndCode) {
  CallCounts counts;
  counts.Of("/etude.v1.ClientService/GetRun")[0].Add();
  counts.Of("/etude.v1.ClientService/GetRun")[0].Add();
  counts.Of("/etude.v1.ClientService/GetRun")[5].Add();
  counts.Of("/somebody/Else")[12].Add();
  MetricsText text;
  counts.AddTo(text);
  EXPECT_THAT(text.text(), HasSubstr("etude_rpcs_total{method=\"GetRun\",code=\"OK\"} 2\n"));
  EXPECT_THAT(text.text(), HasSubstr("etude_rpcs_total{method=\"GetRun\",code=\"NOT_FOUND\"} 1\n"));
  EXPECT_THAT(text.text(),
              HasSubstr("etude_rpcs_total{method=\"other\",code=\"UNIMPLEMENTED\"} 1\n"));
  EXPECT_THAT(text.text(), Not(HasSubstr("Heartbeat")));
}

class MeasuredStoreTest : public testing::Test {
 protected:
  MemoryResultsStore memory_;
  FaultyResultsStore faulty_{memory_};
  FakeClock clock_;
  StoreCounts counts_;
  MeasuredStore store_{faulty_, clock_, counts_};
};

TEST_F(MeasuredStoreTest, WhatIsCommittedCounts) {
  const RunConfig config = MakeConfig(10);
  Scheduler scheduler{SchedulerOptions()};
  Scheduler::Changes changes;
  const Moment now{absl::UnixEpoch(), 1};
  ASSERT_TRUE(scheduler.AddCorpus(MakeCorpus(), now, changes).ok());
  ASSERT_TRUE(scheduler.Submit(MakeSweep("one"), {config}, now, changes).ok());
  ASSERT_TRUE(scheduler.Register(MakeWorker("w"), {}, now, changes).ok());
  ASSERT_TRUE(scheduler.Acquire(WorkerId("w"), 0, now, changes).ok());
  ASSERT_TRUE(
      scheduler.AddPoints(WorkerId("w"), JobOf(config), 1, TrainPoints(1, 7), changes).ok());
  scheduler.Tick({now.monotonic + absl::Hours(1), 2}, changes);
  ASSERT_TRUE(store_.Commit(changes).ok());
  EXPECT_EQ(counts_.points.value(), 7u);
  EXPECT_EQ(counts_.batch_points.Cumulative().back(), 1u);
  EXPECT_EQ(counts_.attempts_ended[static_cast<std::size_t>(JobOutcome::kSuperseded)].value(), 1u);
  EXPECT_EQ(counts_.changes[Change(CorpusAdded()).index()].value(), 1u);
}

TEST_F(MeasuredStoreTest, WhatIsNotCommittedIsAFailureAndNothingElse) {
  faulty_.FailCommit(1, FaultyResultsStore::When::kBeforeApplying);
  const std::vector<Change> changes = {CorpusAdded{MakeCorpus(), 1}};
  EXPECT_FALSE(store_.Commit(changes).ok());
  EXPECT_EQ(counts_.commits_failed.value(), 1u);
  EXPECT_EQ(counts_.changes[0].value(), 0u);
  EXPECT_EQ(counts_.commit_seconds.Cumulative().back(), 1u);
  EXPECT_EQ(counts_.batch_changes.Cumulative().back(), 0u);
}

TEST(SchedulerCountsTest, RunsSweepsAndWorkersAreCountedByState) {
  Scheduler scheduler{SchedulerOptions()};
  Scheduler::Changes changes;
  const Moment now{absl::UnixEpoch(), 1};
  ASSERT_TRUE(scheduler.AddCorpus(MakeCorpus(), now, changes).ok());
  ASSERT_TRUE(
      scheduler.Submit(MakeSweep("one"), {MakeConfig(10, 1), MakeConfig(10, 2)}, now, changes)
          .ok());
  ASSERT_TRUE(scheduler.Register(MakeWorker("w"), {}, now, changes).ok());
  ASSERT_TRUE(scheduler.Acquire(WorkerId("w"), 0, now, changes).ok());
  EXPECT_THAT(scheduler.Count().runs, ElementsAre(1, 1, 0, 0, 0));
  EXPECT_THAT(scheduler.Count().sweeps, ElementsAre(1, 0, 0));
  EXPECT_THAT(scheduler.Count().workers, ElementsAre(1, 0, 0, 0));
  ASSERT_TRUE(scheduler.CancelSweep(MakeSweep("one").id, now, changes).ok());
  EXPECT_THAT(scheduler.Count().runs, ElementsAre(0, 0, 0, 0, 2));
  EXPECT_THAT(scheduler.Count().sweeps, ElementsAre(0, 0, 1));
}

TEST(CoordinatorMetricsTest, EveryFamilyIsThereBeforeAnythingHappened) {
  const CoordinatorMetrics metrics({"1.2.3", testing::TempDir(), "/no/such/store", 1500000});
  const std::string text = metrics.Text({}, true);
  for (const char* line :
       {"etude_build_info{version=\"1.2.3\"} 1\n", "etude_start_time_seconds 1.5\n",
        "etude_read_only 1\n", "etude_core_queue_depth{queue=\"points\"} 0\n",
        "etude_workers{state=\"quarantined\"} 0\n", "etude_runs{state=\"succeeded\"} 0\n",
        "etude_sweeps{state=\"active\"} 0\n", "etude_jobs{state=\"queued\"} 0\n",
        "etude_leases 0\n", "etude_parked_acquires 0\n", "etude_points_committed_total 0\n",
        "etude_commits_failed_total 0\n", "etude_leases_expired_total 0\n",
        "etude_changes_total{kind=\"predictions_frozen\"} 0\n",
        "etude_attempts_ended_total{outcome=\"diverged\"} 0\n",
        "etude_commit_duration_seconds_bucket{le=\"+Inf\"} 0\n", "etude_blob_bytes 0\n",
        "etude_database_bytes{file=\"wal\"} 0\n", "# TYPE etude_rpcs_total counter\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("etude_process_resident_memory_bytes 0\n")));
}

}  // namespace
}  // namespace etude
