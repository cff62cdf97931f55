#include "coordinator/worker_claims.h"

#include <gtest/gtest.h>

#include "lib/base/hash.h"
#include "tests/support/fake_clock.h"

namespace etude {
namespace {

// Ana's tokens, which expire in one hour and in two, and Bob's.
class WorkerClaimsTest : public testing::Test {
 protected:
  FakeClock clock_;
  Authentication authentication_{
      {{Role::kWorker, Sha256Hex("a"), ToMicros(clock_.Now() + absl::Hours(1)), "ana"},
       {Role::kWorker, Sha256Hex("a2"), ToMicros(clock_.Now() + absl::Hours(2)), "ana"},
       {Role::kWorker, Sha256Hex("b"), kNeverExpires, "bob"}},
      "/token",
      clock_};
  WorkerClaims claims_{authentication_};
  const CallerId a_{Sha256Hex("a"), "ana"};
  const CallerId a2_{Sha256Hex("a2"), "ana"};
  const CallerId b_{Sha256Hex("b"), "bob"};
};

TEST_F(WorkerClaimsTest, AWorkerIsTheFirstCallersAndNoOthers) {
  ASSERT_TRUE(claims_.Claim("gpu-1", a_).ok());
  EXPECT_EQ(claims_.Claim("gpu-1", a_)->text(), "gpu-1");
  EXPECT_EQ(claims_.Claim("gpu-1", b_).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(claims_.Claim("gpu-2", b_).ok());
}

TEST_F(WorkerClaimsTest, ANewTokenOfTheNameGoesOnWithItsWorkers) {
  ASSERT_TRUE(claims_.Claim("gpu-1", a_).ok());
  EXPECT_TRUE(claims_.Claim("gpu-1", a2_).ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(claims_.Claim("gpu-1", a_).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(claims_.Claim("gpu-1", b_).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(claims_.Claim("gpu-1", a2_).ok());
}

TEST_F(WorkerClaimsTest, WorkersAreFreeOnceNoTokenOfTheirNameIsValid) {
  ASSERT_TRUE(claims_.Claim("gpu-1", a_).ok());
  clock_.Advance(absl::Hours(2));
  EXPECT_TRUE(claims_.Claim("gpu-1", b_).ok());
}

TEST_F(WorkerClaimsTest, ANameThatIsNoneIsInvalid) {
  EXPECT_EQ(claims_.Claim("", a_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(claims_.Claim("../x", a_).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace etude
