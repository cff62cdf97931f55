#include "coordinator/worker_claims.h"

#include <gtest/gtest.h>

#include "lib/base/hash.h"
#include "tests/support/fake_clock.h"

namespace etude {
namespace {

// Two workers' tokens, the first of which expires in an hour.
class WorkerClaimsTest : public testing::Test {
 protected:
  FakeClock clock_;
  Authentication authentication_{
      {{Role::kWorker, Sha256Hex("a"), ToMicros(clock_.Now() + absl::Hours(1)), "a"},
       {Role::kWorker, Sha256Hex("b"), kNeverExpires, "b"}},
      "/token",
      clock_};
  WorkerClaims claims_{authentication_};
  const CallerId a_{Sha256Hex("a")};
  const CallerId b_{Sha256Hex("b")};
};

TEST_F(WorkerClaimsTest, AWorkerIsTheFirstCallersAndNoOthers) {
  ASSERT_TRUE(claims_.Claim("gpu-1", a_).ok());
  EXPECT_EQ(claims_.Claim("gpu-1", a_)->text(), "gpu-1");
  EXPECT_EQ(claims_.Claim("gpu-1", b_).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(claims_.Claim("gpu-2", b_).ok());
}

TEST_F(WorkerClaimsTest, AnExpiredTokensWorkersAreFree) {
  ASSERT_TRUE(claims_.Claim("gpu-1", a_).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_TRUE(claims_.Claim("gpu-1", b_).ok());
  EXPECT_EQ(claims_.Claim("gpu-1", a_).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(WorkerClaimsTest, ANameThatIsNoneIsInvalid) {
  EXPECT_EQ(claims_.Claim("", a_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(claims_.Claim("../x", a_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace etude
