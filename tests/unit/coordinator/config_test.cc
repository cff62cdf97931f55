#include "coordinator/config.h"

#include <gtest/gtest.h>

#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

absl::Status Apply(const std::string& toml, CoordinatorConfig& config) {
  return ApplyConfigToml(toml, "c.toml", config);
}

TEST(CoordinatorConfigTest, TheShippedFileHoldsTheDefaults) {
  const auto toml = ReadFile("configs/coordinator.toml");
  ASSERT_TRUE(toml.ok()) << toml.status();
  CoordinatorConfig config;
  ASSERT_TRUE(Apply(*toml, config).ok());
  const SchedulerOptions defaults;
  EXPECT_EQ(config.listen, CoordinatorConfig().listen);
  EXPECT_EQ(config.metrics, "");
  EXPECT_EQ(config.scheduler.heartbeat, defaults.heartbeat);
  EXPECT_EQ(config.scheduler.lease, defaults.lease);
  EXPECT_EQ(config.scheduler.grace, defaults.grace);
  EXPECT_EQ(config.scheduler.local_resume_hold, defaults.local_resume_hold);
  EXPECT_EQ(config.scheduler.retry_elsewhere_hold, defaults.retry_elsewhere_hold);
  EXPECT_EQ(config.scheduler.quarantine, defaults.quarantine);
  EXPECT_EQ(config.scheduler.quarantine_after, defaults.quarantine_after);
  EXPECT_EQ(config.scheduler.max_counted_failures, defaults.max_counted_failures);
  EXPECT_EQ(config.scheduler.max_infrastructure_retries, defaults.max_infrastructure_retries);
}

TEST(CoordinatorConfigTest, EveryKeyIsTaken) {
  CoordinatorConfig config;
  ASSERT_TRUE(Apply("state = \"/s\"\nlisten = \"127.0.0.1:1\"\nlog_level = \"error\"\n"
                    "metrics = \"127.0.0.1:2\"\nlease_s = 3\nquarantine_after = 7\n",
                    config)
                  .ok());
  EXPECT_EQ(config.state_dir, "/s");
  EXPECT_EQ(config.listen, "127.0.0.1:1");
  EXPECT_EQ(config.metrics, "127.0.0.1:2");
  EXPECT_EQ(config.log_level, LogLevel::kError);
  EXPECT_EQ(config.scheduler.lease, absl::Seconds(3));
  EXPECT_EQ(config.scheduler.quarantine_after, 7);
}

TEST(CoordinatorConfigTest, WhatIsNotUnderstoodIsRefusedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"listen = \"127.0.0.1:1\"\nlease = 3\n", "c.toml:2:1: unknown key \"lease\""},
      {"lease_s = \"3\"\n", "c.toml:1:1: lease_s: expected"},
      {"lease_s = 0\n", "lease_s: expected"},
      {"lease_s = nan\n", "lease_s: expected"},
      {"quarantine_after = 2.5\n", "quarantine_after: expected 1 to 1000"},
      {"log_level = \"loud\"\n", "expected debug, info, warning or error"},
      {"listen = 3\n", "listen: expected a text"},
      {"lease_s = 1\nlease_s = 2\n", "c.toml:2:"},
      {"[scheduler]\nlease_s = 1\n", "unknown key \"scheduler\""},
  };
  for (const auto& [toml, message] : cases) {
    CoordinatorConfig config;
    const absl::Status status = Apply(toml, config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << toml;
    EXPECT_NE(MessageOf(status).find(message), std::string::npos) << MessageOf(status);
  }
}

}  // namespace
}  // namespace etude
