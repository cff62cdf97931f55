#include "tests/support/faulty_results_store.h"

#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using FaultyResultsStoreTest = StoreTest;
using When = FaultyResultsStore::When;

TEST_F(FaultyResultsStoreTest, FaultBeforeApplyingKeepsNothing) {
  FaultyResultsStore faulty(*store_);
  faulty.FailCommit(2, When::kBeforeApplying, ResourceExhausted("full"));
  const std::vector<Change> first = {StartOf(job_, 1)};
  const std::vector<Change> second = {PointsOf(job_, 1, 1, 5)};
  EXPECT_TRUE(faulty.Commit(first).ok());
  EXPECT_EQ(faulty.Commit(second).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Curve().empty());
  EXPECT_TRUE(faulty.Commit(second).ok());
  EXPECT_EQ(Curve().size(), 5u);
  EXPECT_EQ(faulty.commits(), 3);
}

TEST_F(FaultyResultsStoreTest, FaultAfterApplyingKeepsEverything) {
  FaultyResultsStore faulty(*store_);
  faulty.FailCommit(1, When::kAfterApplying);
  const std::vector<Change> batch = {StartOf(job_, 1), PointsOf(job_, 1, 1, 5)};
  EXPECT_EQ(faulty.Commit(batch).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Curve().size(), 5u);
}

TEST_F(FaultyResultsStoreTest, LoadFailsOnce) {
  FaultyResultsStore faulty(*store_);
  faulty.FailLoad();
  EXPECT_EQ(faulty.Load().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(faulty.Load().ok());
}

}  // namespace
}  // namespace etude
