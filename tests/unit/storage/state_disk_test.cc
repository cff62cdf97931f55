#include "storage/state_disk.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "lib/base/status.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

class FreeSpaceTest : public StoreTest {};

TEST_F(FreeSpaceTest, WithTooLittleLeftNothingIsStoredAndTheReasonSaysHowMuch) {
  FreeSpaceStore full(*store_, testing::TempDir(), std::numeric_limits<std::int64_t>::max());
  const std::vector<Change> changes = {WorkerChanged{MakeWorker("w")}};
  const absl::Status refused = full.Commit(changes);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(MessageOf(refused).find("min_free_mib"), std::string::npos) << refused;
  EXPECT_TRUE(full.Load()->workers.empty());
  FreeSpaceStore roomy(*store_, testing::TempDir(), 1);
  EXPECT_TRUE(roomy.Commit(changes).ok());
  EXPECT_EQ(roomy.Load()->workers.size(), 1u);
}

TEST(StateDiskTest, ALocalFileSystemIsNone) {
  EXPECT_EQ(NetworkFileSystemOf("/proc"), "");
  EXPECT_EQ(NetworkFileSystemOf("/no/such/place"), "");
}

}  // namespace
}  // namespace etude
