#include "client/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etude {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

CoordinatorInfo Healthy() {
  CoordinatorInfo info;
  info.protocol = ClientProtocol();
  info.now_us = absl::ToUnixMicros(kNow);
  info.free_bytes = kLowDiskBytes;
  info.state_dir = "/s";
  return info;
}

const Finding& Named(const std::vector<Finding>& findings, const std::string& check) {
  for (const Finding& finding : findings) {
    if (finding.check == check) return finding;
  }
  ADD_FAILURE() << "no check " << check;
  return findings.front();
}

TEST(DoctorTest, AHealthyCoordinatorHasNothingToFix) {
  const std::vector<Finding> findings = ExamineCoordinator(Healthy(), kNow);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.health, Health::kOk) << finding.check;
    EXPECT_EQ(finding.fix, "");
  }
  EXPECT_EQ(ExitCodeOf(findings), ExitCode::kOk);
}

TEST(DoctorTest, AReadOnlyStoreFailsAndSaysWhereToFreeSpace) {
  CoordinatorInfo info = Healthy();
  info.read_only = true;
  info.read_only_reason = "disk full";
  const std::vector<Finding> findings = ExamineCoordinator(info, kNow);
  EXPECT_EQ(Named(findings, "store").health, Health::kFail);
  EXPECT_EQ(Named(findings, "store").fix, "free some space in /s");
  EXPECT_EQ(ExitCodeOf(findings), ExitCode::kInternal);
}

TEST(DoctorTest, AnOldProtocolIsAConflict) {
  CoordinatorInfo info = Healthy();
  info.protocol = OldestClientProtocol() - 1;
  EXPECT_EQ(ExitCodeOf(ExamineCoordinator(info, kNow)), ExitCode::kConflict);
}

TEST(DoctorTest, SmallDisksAndSkewedClocksOnlyWarn) {
  CoordinatorInfo info = Healthy();
  info.free_bytes = kLowDiskBytes - 1;
  const std::vector<Finding> findings =
      ExamineCoordinator(info, kNow + kMaxClockSkew + absl::Seconds(1));
  EXPECT_EQ(Named(findings, "disk").health, Health::kWarn);
  EXPECT_EQ(Named(findings, "clock").health, Health::kWarn);
  EXPECT_EQ(ExitCodeOf(findings), ExitCode::kOk);
}

TEST(DoctorTest, WithoutWorkersNothingTrains) {
  WorkerView offline;
  offline.worker.state = WorkerState::kOffline;
  EXPECT_EQ(ExamineWorkers({offline}).health, Health::kWarn);
  WorkerView online;
  online.worker.slots = 3;
  const Finding finding = ExamineWorkers({offline, online});
  EXPECT_EQ(finding.health, Health::kOk);
  EXPECT_EQ(finding.found, "1 of 2 online, 3 slots");
}

}  // namespace
}  // namespace etude
